"""What one key may send to the gateway: so many events a second, and not nearly all of them bad."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic

from schemas.letter_limit import USUAL_LIMIT, LetterCount, LetterLimit

MOST_KEYS = 1_000
"""So many keys are remembered; of more, the one that was silent longest is forgotten."""
STOPPED_S = 60.0
"""A source that was stopped for its dead letters is listened to again after this long."""


@dataclass(frozen=True, slots=True)
class Quota:
    """The bucket of a key: `burst` tokens at most, `events_per_s` of them come back each second."""

    events_per_s: float = 5_000
    burst: int = 50_000


USUAL_QUOTA = Quota()


@dataclass(slots=True)
class _Key:
    tokens: float
    at_s: float
    letters: LetterCount
    stopped_until_s: float = 0.0
    why: str = ""


class Quotas:
    """The keys that send; one event loop uses it."""

    def __init__(
        self,
        quota: Quota = USUAL_QUOTA,
        limit: LetterLimit = USUAL_LIMIT,
        now_s: Callable[[], float] = monotonic,
        most: int = MOST_KEYS,
    ) -> None:
        """`now_s` is a clock that never goes back."""
        self._quota, self._limit = quota, limit
        self._now_s, self._most = now_s, most
        self._keys: OrderedDict[str, _Key] = OrderedDict()

    def __len__(self) -> int:
        """Keys remembered."""
        return len(self._keys)

    def wait_s(self, key: str, events: int) -> float:
        """Take tokens for events: 0.0 when there were enough, else seconds until there will be; none are taken then."""
        found = self._of(key)
        missing = min(events, self._quota.burst) - found.tokens
        if missing > 0:
            return missing / self._quota.events_per_s
        found.tokens -= events
        return 0.0

    def stopped(self, key: str, count: int, bad: Sequence[int]) -> tuple[str, float]:
        """
        Why a key may not send these `count` events, of which those at the places `bad` would be dead letters.

        ("", 0.0) when it may; else the reason and the seconds for which it is stopped.
        """
        found, now = self._of(key), self._now_s()
        if now < found.stopped_until_s:
            return found.why, found.stopped_until_s - now
        next_ = 0
        for place in sorted(bad):
            found.letters.good(place - next_)
            found.letters.dead()
            next_ = place + 1
            if why := found.letters.verdict():
                found.why, found.stopped_until_s = why, now + STOPPED_S
                found.letters = LetterCount(self._limit, max(self._limit.in_a_row - 1, 0))
                return why, STOPPED_S
        found.letters.good(count - next_)
        return "", 0.0

    def used(self) -> float:
        """The share of its bucket that the busiest key has used up, 0 to 1."""
        now = self._now_s()
        return 1 - min((self._refilled(key, now) / self._quota.burst for key in self._keys.values()), default=1.0)

    def _of(self, name: str) -> _Key:
        now = self._now_s()
        key = self._keys.get(name)
        if key is None:
            key = self._keys[name] = _Key(self._quota.burst, now, LetterCount(self._limit))
            if len(self._keys) > self._most:
                self._keys.popitem(last=False)
        self._keys.move_to_end(name)
        key.tokens, key.at_s = self._refilled(key, now), now
        return key

    def _refilled(self, key: _Key, now_s: float) -> float:
        return min(self._quota.burst, key.tokens + (now_s - key.at_s) * self._quota.events_per_s)
