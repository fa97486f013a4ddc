"""What one source partition adds to the groups: team, site, client, and queue with its agents, by minute."""

from __future__ import annotations

from collections.abc import Iterable

from schemas.panes import Sums
from schemas.registry import FOREVER_MS, Registry
from schemas.times import MINUTE_MS
from streams.core.facts import CellKey
from streams.core.log import Contribution
from streams.core.minutes import Minutes
from streams.core.panes import RESTING_MINUTES, add_to
from streams.core.subject import Subject

SUMS_PER_PART = 1_000
"""A message stays well below the megabyte that a broker takes."""


class GroupSums:
    """Absolute sums of (group, minute) over the resident panes of one partition, and which of them changed."""

    def __init__(self, partition: int) -> None:
        """Empty."""
        self.partition = partition
        self.sums: dict[str, Minutes[dict[str, int]]] = {}
        self.dirty: set[tuple[str, int]] = set()
        self._pending: dict[tuple[int, tuple[str, ...]], dict[str, int]] = {}
        """(minute, groups) -> what they gained together since it was last spread over them."""
        self._known: dict[tuple[str, str], tuple[int, int, tuple[str, ...]]] = {}
        """(subject, queue) -> groups from one minute up to another."""

    def add(self, key: str, minute: int, cell: CellKey, sums: Sums, sign: int, registry: Registry) -> None:
        """Add what a pane of a subject gained (+1) or lost (-1) to its groups, by the roster of the minute."""
        known = self._known.get((key, cell[0]))
        if known is None or not known[0] <= minute < known[1]:
            known = self._look_up(key, minute, cell, registry)
        place = (minute, known[2])
        pending = self._pending.get(place)
        if pending is None:
            pending = self._pending[place] = {}
        add_to(pending, sums, sign)

    @property
    def has_changes(self) -> bool:
        """True while something waits to be sent."""
        return bool(self.dirty or self._pending)

    def settle(self) -> None:
        """Spread over the groups what was gained."""
        for (minute, groups), gained in self._pending.items():
            for group in groups:
                minutes = self.sums.get(group)
                if minutes is None:
                    minutes = self.sums[group] = Minutes()
                sums = minutes.wake(minute)
                if sums is None:
                    sums = minutes[minute] = {}
                add_to(sums, gained)
                self.dirty.add((group, minute))
        self._pending.clear()

    def rebuild(self, subjects: Iterable[Subject], registry: Registry) -> None:
        """Make all sums anew from the panes; what changes, or is gone, is sent again."""
        self._pending.clear()
        self._known.clear()
        before, self.sums = self.sums, {}
        dirty = set(self.dirty)
        for subject in subjects:
            for minute, cells in subject.panes.minutes.items():
                for cell, pane in cells.items():
                    self.add(subject.key, minute, cell, pane.sums, 1, registry)
        self.settle()
        self.dirty = dirty
        for group in before.keys() | self.sums.keys():
            old, new = before.get(group, Minutes()), self.sums.setdefault(group, Minutes())
            for minute in {*old, *new}:
                if minute not in new:
                    new[minute] = {}
                if old.get(minute) != new.get(minute):
                    self.dirty.add((group, minute))

    def _look_up(self, key: str, minute: int, cell: CellKey, registry: Registry) -> tuple[int, int, tuple[str, ...]]:
        until = (
            registry.stays_until(key.partition(":")[2], minute * MINUTE_MS) if key.startswith("agent:") else FOREVER_MS
        )
        found = (minute, -(-until // MINUTE_MS), tuple(groups_of(key, cell, minute, registry)))
        self._known[key, cell[0]] = found
        return found

    def take(self, mark: int, version: int, horizon: int) -> list[Contribution]:
        """What changed in minutes up to `mark` since the last call, in parts; later minutes wait for their own mark."""
        due = [(group, minute) for group, minute in sorted(self.dirty) if horizon <= minute <= mark]
        self.dirty = {(group, minute) for group, minute in self.dirty if minute > mark}
        chunks = [due[i : i + SUMS_PER_PART] for i in range(0, len(due), SUMS_PER_PART)] or [[]]
        return [
            Contribution(self.partition, mark, version, self._sums_of(chunk), part, len(chunks))
            for part, chunk in enumerate(chunks)
        ]

    def _sums_of(self, keys: list[tuple[str, int]]) -> dict[str, dict[int, dict[str, int]]]:
        sums: dict[str, dict[int, dict[str, int]]] = {}
        for group, minute in keys:
            held = self.sums[group].get(minute) if group in self.sums else None
            sums.setdefault(group, {})[minute] = dict(held or {})
        return sums

    def evict(self, horizon: int) -> None:
        """Forget minutes before the horizon, and let the older ones after it rest."""
        for group in list(self.sums):
            minutes = self.sums[group]
            minutes.settle(horizon, horizon + RESTING_MINUTES)
            if not minutes:
                del self.sums[group]


def groups_of(key: str, cell: CellKey, minute: int, registry: Registry) -> list[str]:
    """The groups that a pane counts for, by the roster of its minute."""
    kind, _, name = key.partition(":")
    queue = cell[0]
    if kind == "agent":
        team = registry.team_of(name, minute * MINUTE_MS)
        groups = [f"site:{registry.site_of_team(team)}"]
        if team:
            groups.append(f"team:{team}")
    else:
        groups = [f"site:{registry.site_of_queue(queue)}"]
    if queue:
        groups.append(f"queue:{queue}")
        client = registry.client_of_queue(queue)
        if client:
            groups.append(f"client:{client}")
    return groups
