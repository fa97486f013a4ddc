"""
The second hop: team, site, client, and queue with its agents, judged at whole minutes.

Each source partition sends what it gives to the groups once its time has passed a minute (`Contribution`, in order of
its marks). Minute m is judged when the marks of all partitions have passed it, from the contributions up to m and no
later ones: so the groups' alerts are a function of what the partitions' logs hold, not of who came first.

    partition 0   m1 m2 m3          m3 of partition 0 waits
    partition 1   m1 m2             judged: m1, m2

A minute judges a group whose sums or rules changed, whose site day begins, that has a live rule, or for which an
instant has come that a rule asked for. What tells that is in the group's body, so that a restart brings nobody's turn
forward.
"""

from __future__ import annotations

from collections import deque
from datetime import date, timedelta

from pydantic_core import from_json

from schemas.alerts import Judge, Judgement, Transition
from schemas.errors import InvalidEvent
from schemas.registry import Registry
from schemas.times import MINUTE_MS, day_of, day_start, minute_from, minutes_of_day
from schemas.topics import CONTRIBUTIONS
from streams.core.closing import Closing, closings, following
from streams.core.contributions import unpacked
from streams.core.group import Group
from streams.core.log import (
    Checkpoint,
    Contribution,
    Frozen,
    Letter,
    Outbox,
    PackedContribution,
    Revision,
    SubjectRow,
    WindowRow,
)
from streams.core.panes import RESIDENT_MINUTES, STANDARD_WINDOWS, add_to
from streams.core.subject import KEPT_DAYS
from streams.core.versions import version_of
from streams.core.views import GroupAt, site_of


class GroupEngine:
    """Folds `floor.contributions` and judges the groups; see the module."""

    def __init__(self, partitions: int, epoch: int, registry: Registry, judge: Judge) -> None:
        """Before the first contribution."""
        self.partitions = partitions
        self.epoch = epoch
        self.registry = registry
        self.judge = judge
        self.boundary = -1
        self.judged = -1
        """Every minute up to this one has been judged."""
        self.marks: dict[int, int] = {}
        self.groups: dict[str, Group] = {}
        self.pending: dict[int, deque[tuple[int, Contribution]]] = {p: deque() for p in range(partitions)}
        self.offsets: dict[int, int] = {}
        """minute -> lowest offset of a contribution that is still needed for it."""
        self.out = Outbox()
        self.unflushed: list[tuple[Transition, int]] = []
        self.touched: set[str] = set()
        self.closing: dict[str, Closing] = {}
        self.rows = self.controls = self.dead = 0
        self._again: dict[str, dict[int, dict[int, bytes]]] = {}
        """group -> partition -> minute -> what was given last, in the replay: sums are absolute."""
        self._replayed: dict[int, int] = {}
        """partition -> its newest mark in the replay: what a restarted partition repeated counts once."""

    @property
    def version(self) -> int:
        """The version of what the record at hand changes."""
        return version_of(self.epoch, self.boundary)

    @property
    def clock(self) -> int:
        """The instant up to which the groups are judged."""
        return max((self.judged + 1) * MINUTE_MS, 0)

    def apply(self, offset: int, contributions: list[Contribution]) -> None:
        """Take the contributions of a message; judge every minute that all partitions have passed by now."""
        self.boundary = offset
        self.rows += 1
        for contribution in contributions:
            self._take(offset, contribution)

    def _take(self, offset: int, contribution: Contribution) -> None:
        if contribution.mark <= self.marks.get(contribution.partition, -1):
            return
        self.pending[contribution.partition].append((offset, contribution))
        if contribution.part + 1 < contribution.parts:
            return
        self.marks[contribution.partition] = contribution.mark
        if len(self.marks) < self.partitions:
            return
        ready = min(self.marks.values())
        while self.judged < ready:
            self._judge_minute(self._next_minute(ready))

    def bury(self, offset: int, key: bytes, value: bytes, fault: InvalidEvent) -> None:
        """A message that is neither a contribution nor a control record goes to the dead letters."""
        self.boundary = offset
        self.dead += 1
        self.out.letters.append(Letter(offset, fault.reason, fault.detail, key, value, 0, self.epoch))

    def revise(self, offset: int, revision: Revision) -> None:
        """A revision of the registry or of the rules holds from here on."""
        self.boundary = offset
        self.controls += 1
        self.registry = revision.registry
        self.judge = revision.second
        if self.judged >= 0:
            self.closing = closings(self.closing, self.registry, self.clock)
        for group in self.groups.values():
            group.lengths = tuple(sorted(self._lengths(group.key)))
            group.panes.looked.clear()
            group.today = (0, 0, "")
            group.has_moved = True
        self.touched.update(self.groups)

    def replay(self, offset: int, contributions: list[PackedContribution]) -> None:
        """Take contributions from before the checkpoint: fills the minutes without judging again."""
        for contribution in contributions:
            if contribution.mark <= self._replayed.get(contribution.partition, -1):
                continue
            if contribution.part + 1 == contribution.parts:
                self._replayed[contribution.partition] = contribution.mark
            if contribution.mark > self.judged:
                self.pending[contribution.partition].append((offset, unpacked(contribution)))
                continue
            for key, minutes in contribution.sums.items():
                self._again.setdefault(key, {}).setdefault(contribution.partition, {}).update(minutes)
                for minute in minutes:
                    self.offsets.setdefault(minute, offset)

    def replayed(self) -> None:
        """All contributions up to the checkpoint are in: go on from there."""
        for key, given in self._again.items():
            self._group(key).fill(given)
        self._again.clear()
        for group in self.groups.values():
            group.last = max(self.judged, 0)
        self._evict(self.judged - RESIDENT_MINUTES)

    def _next_minute(self, ready: int) -> int:
        """The next minute that needs judging: while nothing is active, time jumps."""
        following = self.judged + 1
        if self.judged < 0 or not any(group.is_active(following) for group in self.groups.values()):
            marks = [c.mark for queue in self.pending.values() if (c := _first_with_sums(queue)) is not None]
            closings = [due // MINUTE_MS - 1 for due, _ in self.closing.values()]
            dues = [minute_from(group.due) - 1 for group in self.groups.values() if group.due is not None]
            following = max(following, min([*marks, *closings, *dues, ready]))
        return min(following, ready)

    def _judge_minute(self, minute: int) -> None:
        for partition in sorted(self.pending):
            queue = self.pending[partition]
            while queue and queue[0][1].mark <= minute:
                self._apply_sums(*queue.popleft())
        self.judged = minute
        now = (minute + 1) * MINUTE_MS
        if not self.closing:
            self.closing = closings({}, self.registry, minute * MINUTE_MS)
        for site in sorted(site for site, (due, _) in self.closing.items() if due <= now):
            self._close_day(site, now)
        for key in sorted(key for key, group in self.groups.items() if group.is_active(minute) or group.is_due(now)):
            group = self.groups[key]
            self._slide(group, minute)
            if group.has_moved or group.is_live or group.is_due(now):
                self._judge(group, now)
        self._evict(minute - RESIDENT_MINUTES)

    def _slide(self, group: Group, minute: int) -> None:
        """Let the windows end with a later minute; the sums of a site day that begins with it are others."""
        group.slide(minute)
        group.has_moved |= self._today(group, minute)[0] == minute

    def _judge(self, group: Group, now: int) -> None:
        group.has_moved = False
        view = GroupAt(group, self.registry, now)
        judgement = self.judge.judge(view, group.states, now)
        group.due = judgement.due_ms
        self._note(judgement)
        self.touched.add(group.key)

    def _note(self, judgement: Judgement) -> None:
        self.out.transitions += [(transition, self.version) for transition in judgement.transitions]

    def _apply_sums(self, offset: int, contribution: Contribution) -> None:
        for key, minutes in contribution.sums.items():
            group, has_changed = self._group(key), False
            for minute, sums in minutes.items():
                needed = self.offsets.get(minute)
                if needed is None or offset < needed:
                    self.offsets[minute] = offset
                difference = group.set_part(minute, contribution.partition, sums)
                if difference:
                    has_changed = True
                    add_to(group.days.setdefault(self._today(group, minute)[2], {}), difference)
            if has_changed:
                self.touched.add(key)

    def _group(self, key: str) -> Group:
        found = self.groups.get(key)
        if found is None:
            found = self.groups[key] = Group(key, self._lengths(key), max(self.judged, 0))
        return found

    def _lengths(self, key: str) -> set[int]:
        kind = key.partition(":")[0]
        asked = {window.minutes for window in self.judge.windows(kind) if window.kind == "rolling"}  # type: ignore[arg-type]
        return asked | set(STANDARD_WINDOWS)

    def _today(self, group: Group, minute: int) -> tuple[int, int, str]:
        """(first minute, first minute after, ISO date) of the site day that holds a minute."""
        first, after, _ = group.today
        if not first <= minute < after:
            zone = self.registry.zone(site_of(group.key, self.registry, minute * MINUTE_MS))
            group.today = minutes_of_day(minute, zone)
        return group.today

    def _close_day(self, site: str, now: int) -> None:
        _, day = self.closing[site]
        self.closing[site] = following(site, day, self.registry, now)
        oldest = (day - timedelta(days=KEPT_DAYS)).isoformat()
        for key in sorted(self.groups):
            group = self.groups[key]
            if not group.days or site_of(key, self.registry, now) != site:
                continue
            for gone in [kept for kept in group.days if kept < oldest]:
                del group.days[gone]
            view = GroupAt(group, self.registry, now, closed=day)
            self._note(self.judge.close_day(view, group.states, day, now))
            self.touched.add(key)

    def _evict(self, horizon: int) -> None:
        for minute in [m for m in self.offsets if m < horizon]:
            del self.offsets[minute]
        for group in self.groups.values():
            group.evict(horizon)

    def take_outbox(self) -> Outbox:
        """What is to be produced since the last call; the transitions also go into the next flush."""
        taken, self.out = self.out, Outbox()
        self.unflushed += taken.transitions
        return taken

    def freeze(self) -> Frozen:
        """Everything that changed since the last call, up to the boundary."""
        subjects, windows = [], []
        for key in sorted(self.touched):
            group = self.groups[key]
            site = site_of(key, self.registry, self.clock)
            subjects.append(SubjectRow(key, group.kind, site=site, body=group.dump()))
            windows += self._window_rows(group)
        self.touched.clear()
        transitions, self.unflushed = self.unflushed, []
        return Frozen(CONTRIBUTIONS, 0, self.epoch, [], [], {}, windows, transitions, subjects, self.checkpoint())

    def checkpoint(self) -> Checkpoint:
        """The row of the contributions' partition."""
        waiting = [offset for queue in self.pending.values() for offset, _ in queue]
        body = {
            "judged": self.judged,
            "marks": dict(self.marks),
            "replay_from": min([*self.offsets.values(), *waiting, self.boundary + 1]),
            "closing": {site: [due, day.isoformat()] for site, (due, day) in self.closing.items()},
            "registry": self.registry.revision,
            "rules": self.judge.revision,
        }
        return Checkpoint(self.boundary, self.clock, self.rows, 0, self.dead, self.controls, body)

    def load(self, checkpoint: Checkpoint, bodies: dict[str, bytes]) -> int:
        """Set the state at a checkpoint; returns the offset from which `replay` must be fed."""
        body = checkpoint.body
        self.boundary, self.rows = checkpoint.boundary, checkpoint.rows
        self.controls, self.dead = checkpoint.controls, checkpoint.dead
        self.judged = body["judged"]
        self.marks = {int(partition): mark for partition, mark in body["marks"].items()}
        self.closing = {site: (due, date.fromisoformat(day)) for site, (due, day) in body["closing"].items()}
        for key, packed in bodies.items():
            self._group(key).load(from_json(packed))
        return int(body["replay_from"])

    def _window_rows(self, group: Group) -> list[WindowRow]:
        key, last = group.key, group.last
        rows = [
            WindowRow(key, f"{length}m", (last - length + 1) * MINUTE_MS, self.clock, sums)
            for length, sums in group.panes.windows(last, STANDARD_WINDOWS).items()
        ]
        zone = self.registry.zone(site_of(key, self.registry, self.clock))
        day = day_of(max(self.clock - 1, 0), zone)
        today = dict(group.days.get(day.isoformat(), {}))
        return [*rows, WindowRow(key, "day", day_start(day, zone), self.clock, today)]


def _first_with_sums(queue: deque[tuple[int, Contribution]]) -> Contribution | None:
    """The next contribution that changes something."""
    return next((contribution for _, contribution in queue if contribution.sums), None)
