"""Values by minute. Those that rest are packed: JSON takes an eighth of the room for what is seldom asked for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Generic, TypeVar

V = TypeVar("V")
P = TypeVar("P")

AWAKE_MINUTES = 6
"""Values of so many minutes are at hand as they are: an event may come 15 minutes late without being history."""
LENT_MINUTES = 8
"""So many of those at rest are kept at hand once they were asked for: windows that move ask for the same few."""


class Minutes(Generic[V, P]):
    """A value by minute; the value of a minute at rest is made anew from how it is packed when it is asked for."""

    __slots__ = ("_horizon", "_lent", "_pack", "_unpack", "asleep", "awake")

    def __init__(self, pack: Callable[[V], P], unpack: Callable[[P], V]) -> None:
        """Empty. `pack` makes little of a value, and `unpack` the value of it."""
        self.awake: dict[int, V] = {}
        self.asleep: dict[int, P] = {}
        self._lent: dict[int, V] = {}
        """What was asked for of those at rest since the last `settle`."""
        self._horizon = 0
        """Of the last `settle`: none before it is at rest."""
        self._pack = pack
        self._unpack = unpack

    def __len__(self) -> int:
        """How many minutes have a value."""
        return len(self.awake) + len(self.asleep)

    def __contains__(self, minute: int) -> bool:
        """True when a minute has a value."""
        return minute in self.awake or minute in self.asleep

    def __iter__(self) -> Iterator[int]:
        """The minutes that have a value, in no order."""
        yield from self.awake
        yield from self.asleep

    def __setitem__(self, minute: int, value: V) -> None:
        """Set the value of a minute."""
        self.asleep.pop(minute, None)
        self._lent.pop(minute, None)
        self.awake[minute] = value

    def items(self) -> Iterator[tuple[int, V]]:
        """(minute, value) of all, to read only."""
        yield from self.awake.items()
        for minute, packed in self.asleep.items():
            yield minute, self._unpack(packed)

    def get(self, minute: int) -> V | None:
        """The value of a minute, to read only: what is changed in it may be lost."""
        value = self.awake.get(minute)
        if value is None:
            value = self._lent.get(minute)
            if value is None and minute in self.asleep:
                if len(self._lent) >= LENT_MINUTES:
                    self._lent.clear()
                value = self._lent[minute] = self._unpack(self.asleep[minute])
        return value

    def peek(self, minute: int) -> V | None:
        """The value of a minute, to read only, for who asks once: it is not kept at hand."""
        value = self.awake.get(minute)
        if value is None and minute in self.asleep:
            value = self._unpack(self.asleep[minute])
        return value

    def wake(self, minute: int) -> V | None:
        """The value of a minute, to be changed."""
        value = self.awake.get(minute)
        if value is None and minute in self.asleep:
            value = self.awake[minute] = self._unpack(self.asleep.pop(minute))
            self._lent.pop(minute, None)
        return value

    def settle(self, horizon: int, resting: int, busy: Collection[int] = ()) -> None:
        """Forget the minutes before `horizon`, and let those before `resting` rest; but for those that are `busy`."""
        self._lent.clear()
        if horizon - self._horizon > len(self.asleep):
            self.asleep = {minute: packed for minute, packed in self.asleep.items() if minute >= horizon}
        else:
            for minute in range(self._horizon, horizon):
                self.asleep.pop(minute, None)
        self._horizon = max(self._horizon, horizon)
        for minute in [minute for minute in self.awake if minute < resting and minute not in busy]:
            value = self.awake.pop(minute)
            if minute >= horizon:
                self.asleep[minute] = self._pack(value)
