"""What one source partition adds to the groups: team, site, client, and queue with its agents, by minute."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic_core import from_json, to_json

from schemas.registry import FOREVER_MS, Registry
from schemas.times import MINUTE_MS, minute_from
from streams.core.facts import CellKey
from streams.core.log import Contribution
from streams.core.minutes import Minutes
from streams.core.panes import RESTING_MINUTES, add_to
from streams.core.subject import Subject

SUMS_PER_PART = 1_000
"""A message stays well below the megabyte that a broker takes."""


class GroupSums:
    """Absolute sums of (group, minute) over the resident panes of one partition, and which of them changed."""

    def __init__(self, partition: int, subjects: Mapping[str, Subject], registry: Registry) -> None:
        """Empty; `subjects` are those of the partition, whoever comes and goes."""
        self.partition = partition
        self._subjects = subjects
        self._registry = registry
        self.sums: dict[str, Minutes[dict[str, int], bytes]] = {}
        self.dirty: set[tuple[str, int]] = set()
        self._pending: dict[tuple[int, tuple[str, ...]], dict[str, int]] = {}
        """(minute, groups) -> what they gained together since it was last spread over them."""
        self._known: dict[tuple[str, str], tuple[int, int, tuple[str, ...]]] = {}
        """(subject, queue) -> groups from one minute up to another."""
        self._unmade: set[int] = set()
        """Minutes that were loaded, and whose sums nobody needed since: most of them never are."""

    def load(self, from_minute: int, dirty: Iterable[Any]) -> None:
        """Go on with the panes that were restored, and with what had not been sent."""
        self._unmade = {minute for minute in self._minutes() if minute >= from_minute}
        self.dirty = {(group, minute) for group, minute in dirty}

    def add(self, key: str, minute: int, cell: CellKey, sums: dict[str, int], sign: int) -> None:
        """Add what a pane of a subject gained (+1) or lost (-1) to its groups, by the roster of the minute."""
        place = (minute, self._groups(key, minute, cell))
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
        made = {minute for minute, _ in self._pending if minute in self._unmade}
        for minute in made:
            self._make(minute)
        for (minute, groups), gained in self._pending.items():
            if minute not in made:
                self._spread(minute, groups, gained)
            self.dirty.update((group, minute) for group in groups)
        self._pending.clear()

    def _spread(self, minute: int, groups: tuple[str, ...], gained: dict[str, int]) -> None:
        for group in groups:
            minutes = self.sums.get(group)
            if minutes is None:
                minutes = self.sums[group] = Minutes(to_json, from_json)
            sums = minutes.wake(minute)
            if sums is None:
                sums = minutes[minute] = {}
            add_to(sums, gained)

    def _make(self, minute: int) -> None:
        """The sums of a loaded minute from its panes as they are: with what these gained since they were loaded."""
        self._unmade.discard(minute)
        together: dict[tuple[str, ...], dict[str, int]] = {}
        for key, subject in self._subjects.items():
            for cell, pane in (subject.panes.minutes.peek(minute) or {}).items():
                groups = self._groups(key, minute, cell)
                add_to(together.setdefault(groups, {}), pane.sums)
        for groups, sums in together.items():
            self._spread(minute, groups, sums)

    def make_all(self) -> None:
        """Have the sums of all resident minutes, with what waits to be spread."""
        self.settle()
        for minute in list(self._unmade):
            self._make(minute)

    def rebuild(self, registry: Registry) -> None:
        """Make all sums anew by another registry; what changes, or is gone, is sent again."""
        self.make_all()
        self._known.clear()
        before, self.sums = self.sums, {}
        self._registry = registry
        for minute in self._minutes():
            self._make(minute)
        for group in before.keys() | self.sums.keys():
            old, new = (sums.setdefault(group, Minutes(to_json, from_json)) for sums in (before, self.sums))
            for minute in {*old, *new}:
                if minute not in new:
                    new[minute] = {}
                if old.get(minute) != new.get(minute):
                    self.dirty.add((group, minute))

    def _minutes(self) -> set[int]:
        """Those that any resident pane is of."""
        return {minute for subject in self._subjects.values() for minute in subject.panes.minutes}

    def _groups(self, key: str, minute: int, cell: CellKey) -> tuple[str, ...]:
        known = self._known.get((key, cell[0]))
        if known is None or not known[0] <= minute < known[1]:
            known = self._look_up(key, minute, cell)
        return known[2]

    def _look_up(self, key: str, minute: int, cell: CellKey) -> tuple[int, int, tuple[str, ...]]:
        until = (
            self._registry.stays_until(key.partition(":")[2], minute * MINUTE_MS)
            if key.startswith("agent:")
            else FOREVER_MS
        )
        found = (minute, minute_from(until), tuple(groups_of(key, cell, minute, self._registry)))
        self._known[key, cell[0]] = found
        return found

    def take(self, mark: int, version: int, horizon: int) -> list[Contribution]:
        """What changed in minutes up to `mark` since the last call, in parts; later minutes wait for their own mark."""
        due = [(group, minute) for group, minute in sorted(self.dirty) if horizon <= minute <= mark]
        for minute in {minute for _, minute in due} & self._unmade:
            self._make(minute)
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
        self._unmade = {minute for minute in self._unmade if minute >= horizon}
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
