"""The state of one group: what each partition gives to its minutes, their totals, its windows and rule states."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from pydantic_core import from_json, to_json

from schemas.alerts import Look, RuleState
from schemas.panes import Sums
from streams.core.facts import AGENT_TIME
from streams.core.minutes import Minutes
from streams.core.panes import RESTING_MINUTES, Cells, Pane, Panes, add_to


class Group:
    """One team, site, client or queue: its sums by minute over all partitions, its windows and rule states."""

    def __init__(self, key: str, lengths: set[int], last: int) -> None:
        """Empty, with windows that end with minute `last`."""
        self.key = key
        self.kind, _, self.id = key.partition(":")
        self.parts: dict[int, Minutes[dict[str, int], bytes]] = {}
        """partition -> what it gives to each minute."""
        self.panes = Panes(Minutes(_packed, _added))
        """Over all partitions, each minute in one cell."""
        self.last = last
        """The minute that the windows end with."""
        self.lengths = tuple(sorted(lengths))
        """Lengths of the windows, minutes."""
        self.has_moved = True
        """Whether the sums of a window, or the rules, changed since the group was judged."""
        self.due: int | None = None
        """The next instant at which a rule asked to be judged; None: none did."""
        self.today = (0, 0, "")
        """(first minute, first minute after, ISO date) of the site day that was asked for last."""
        self.days: dict[str, dict[str, int]] = {}
        self.states: dict[str, RuleState] = {}

    def window(self, minutes: int, look: Look | None = None) -> Sums:
        """Totals of a rolling window, as it stands now: at least those that are looked at."""
        return self.panes.window(self.last, minutes, look)

    @property
    def is_live(self) -> bool:
        """True while a rule that is not one over days is pending or firing."""
        return any(state.state != "inactive" and not state.judged_day for state in self.states.values())

    def is_active(self, minute: int) -> bool:
        """True while a window that ends with a minute may hold something, or did one before, or a rule is live."""
        return self.is_live or self.panes.newest >= minute - self.lengths[-1]

    def is_due(self, now: int) -> bool:
        """True when the instant that a rule asked for has come."""
        return self.due is not None and self.due <= now

    def slide(self, last: int) -> None:
        """Let the windows end with a later minute."""
        if last <= self.last:
            return
        moves = range(self.last + 1, last + 1) if last - self.last <= self.lengths[-1] else ()
        minutes = self.panes.minutes
        self.has_moved |= not moves or any(
            minute in minutes or any(minute - length in minutes for length in self.lengths) for minute in moves
        )
        self.last = last

    def set_part(self, minute: int, partition: int, sums: dict[str, int]) -> dict[str, int]:
        """Replace what a partition gives to a minute; returns the difference."""
        given = self.parts.get(partition)
        if given is None:
            given = self.parts[partition] = Minutes(to_json, from_json)
        before = given.get(minute)
        given[minute] = sums
        difference = _difference(before, sums) if before else sums
        if difference:
            self.has_moved = True
            self.panes.add(minute, AGENT_TIME, difference, 1, 0)
        return difference

    def fill(self, given: dict[int, dict[int, bytes]]) -> None:
        """
        Take what each partition gave to minutes before a start, as JSON.

        A minute is added up when somebody asks for it.
        """
        together: dict[int, tuple[bytes, ...]] = {}
        for partition, minutes in given.items():
            parts = self.parts[partition] = Minutes(to_json, from_json)
            parts.asleep = minutes
            for minute, sums in minutes.items():
                if sums != _NOTHING:
                    together[minute] = (*together.get(minute, ()), sums)
        self.panes.minutes.asleep = together
        self.panes.newest = max((self.panes.newest, *together))

    def evict(self, horizon: int) -> None:
        """Forget minutes before the horizon, and let the older ones after it rest."""
        for given in self.parts.values():
            given.settle(horizon, horizon + RESTING_MINUTES)
        self.panes.dirty.clear()  # what a group sums is written by its windows alone
        self.panes.evict(horizon)

    def dump(self) -> dict[str, Any]:
        """The small state as JSON values of its own, as it is now: everything but the minutes."""
        return {
            "days": {day: dict(sums) for day, sums in self.days.items()},
            "rules": {rule: asdict(state) for rule, state in self.states.items()},
            "moved": self.has_moved,
            "due": self.due,
            "newest": self.panes.newest,
        }

    def load(self, data: dict[str, Any]) -> None:
        """Set the small state from `dump`."""
        self.days = data["days"]
        self.states = {rule: RuleState(**state) for rule, state in data["rules"].items()}
        self.has_moved = data.get("moved", True)  # of a body from before these were kept: it is judged at once
        self.due = data.get("due")
        self.panes.newest = data.get("newest", -1)


_NOTHING = b"{}"


def _packed(cells: Cells) -> tuple[bytes, ...]:
    """The totals of a minute as JSON: parts that add up to them, of which there is one."""
    return tuple([to_json(pane.sums) for pane in cells.values()])


def _added(parts: tuple[bytes, ...]) -> Cells:
    """The totals of a minute from its parts."""
    totals: dict[str, int] = {}
    for part in parts:
        add_to(totals, from_json(part))
    return {AGENT_TIME: Pane(totals)}


def _difference(before: Sums, after: Sums) -> dict[str, int]:
    """What must be added to the one to get the other."""
    found = {column: value - before.get(column, 0) for column, value in after.items() if value != before.get(column)}
    found.update((column, -value) for column, value in before.items() if column not in after)
    return found
