"""
The time of one partition, and everything that becomes due by time alone.

Rules are judged each 5 s for subjects that changed, each whole minute for all active ones, and at the instants that
rules asked for. When time jumps, every due instant in between is gone through in order, at its own time, before the
record that brought the jump. Time never goes back.

    judged    5 s     5 s       minute: judge all active, then slide the windows
    ----------|-------|---------|------->  now
"""

from __future__ import annotations

import heapq
from collections.abc import Collection
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from schemas.alerts import ALL_NEWS, Judgement, Transition
from schemas.times import MINUTE_MS, day_end, day_of, minute_from, minute_of, minutes_of_day
from streams.core.closing import DAY_GRACE_MS, Closing, closings, following
from streams.core.deltas import Delta
from streams.core.facts import AGENT_TIME
from streams.core.panes import RESIDENT_MINUTES, add_to
from streams.core.spans import EVER, NEVER, TTL_MS
from streams.core.subject import KEPT_DAYS, TO_BE_ASKED, Subject, expire
from streams.core.views import SubjectAt, stay_of

if TYPE_CHECKING:
    from streams.core.partition import PartitionEngine

TICK_MS = 5_000
PRUNE_MINUTES = 5


class Clockwork:
    """Time and due instants of one `PartitionEngine`."""

    def __init__(self, engine: PartitionEngine) -> None:
        """Before the first record."""
        self._engine = engine
        self.now = -1
        self.changed: set[str] = set()
        self.slid: set[str] = set()
        self.active: set[str] = set()
        self.lasting: set[str] = set()
        """Whose state gives something that rules look at: its time counts on while nothing happens."""
        self.unflushed: list[tuple[Transition, int]] = []
        self._heap: list[tuple[int, str, str]] = []
        self._mark = -1
        self._closing: dict[str, Closing] = {}

    def advance(self, to: int) -> None:
        """Go on to an instant; everything due up to it happens first."""
        if self.now < 0:
            self._begin(to)
        while (instant := self._next(to)) is not None:
            self.now = instant
            self._reach(instant)
        self.now = max(self.now, to)
        self._mark_minute()

    def _begin(self, to: int) -> None:
        """Time begins with the first record that brings one, or with the first planned minute before it."""
        self.now = min(to, self._heap[0][0] - 1) if self._heap else to
        self._mark = minute_of(self.now) - 1
        self._closing = closings({}, self._engine.registry, self.now)

    def is_due(self, now: int) -> bool:
        """True when something would happen by time alone up to an instant, if a record said that it has come."""
        return self.now >= 0 and self._next(now) is not None

    def catch_up(self, subject: Subject) -> None:
        """Bring the windows of a subject that was idle to the present minute."""
        self._slide_to(subject, minute_of(self.now))
        self._turn_shift(subject, self.now)

    def forget(self, subject: Subject) -> None:
        """Forget what no minute needs any more; before each change and judging, so that a restart changes nothing."""
        minute = minute_of(self.now) // PRUNE_MINUTES * PRUNE_MINUTES
        if subject.pruned_minute != minute:
            subject.pruned_minute = minute
            subject.prune(minute * MINUTE_MS)

    def keep(self, subject: Subject) -> None:
        """Note what a changed subject makes due."""
        self.catch_up(subject)
        self._attend(subject)

    def _attend(self, subject: Subject) -> None:
        """Note what time alone brings about, each whole minute while rules look at what the state gives."""
        if subject.is_active():
            self.active.add(subject.key)
        if self._engine.spreading.of_lasting(subject):
            self.lasting.add(subject.key)
        else:
            self.lasting.discard(subject.key)
        self._await_ttl(subject)
        if subject.plan_due == TO_BE_ASKED:
            self._await_plan(subject)

    def _await_ttl(self, subject: Subject) -> None:
        """
        Be woken when the state now has lasted for its TTL.

        Where later ones were taken back, that is before the instant that was awaited for them.
        """
        state = subject.time.timeline.now()
        if state is None:
            return
        due = max(state.at + TTL_MS, self.now + 1)
        if due < subject.ttl_due:
            subject.ttl_due = due
            heapq.heappush(self._heap, (due, subject.key, "ttl"))

    def _await_plan(self, subject: Subject) -> None:
        """Be woken when the next planned minute has passed."""
        minute = subject.time.plans.next_minute(minute_of(self.now))
        subject.plan_due = NEVER if minute is None else (minute + 1) * MINUTE_MS
        if minute is not None:
            heapq.heappush(self._heap, (subject.plan_due, subject.key, "plan"))

    def site_of(self, subject: Subject) -> str:
        """The subject's site in this minute."""
        site, until = subject.site
        minute = minute_of(self.now)
        if minute >= until:
            site, until_ms = stay_of(subject.key, self._engine.registry, max(minute * MINUTE_MS, 0))
            subject.site = (site, minute_from(until_ms))
            subject.today = (0, 0, "")
        return site

    def day_of(self, subject: Subject, minute: int) -> str:
        """The site day (ISO) that holds a minute."""
        site = self.site_of(subject)
        first, after, _ = subject.today
        if not first <= minute < after:
            subject.today = minutes_of_day(minute, self._engine.registry.zone(site))
        return subject.today[2]

    def day_known(self, subject: Subject) -> tuple[int, int]:
        """First minute, and first minute after, of the site day that was asked for last; both 0 for none."""
        self.site_of(subject)
        return subject.today[:2]

    def end_of_day(self, ms: int) -> int:
        """The instant at which the last site where somebody works has closed the day that holds `ms`."""
        registry = self._engine.registry
        zones = [registry.zone(site) for site in registry.used_sites]
        return max(day_end(day_of(ms, zone), zone) for zone in zones) + DAY_GRACE_MS

    def registry_changed(self) -> None:
        """Sites or zones may be others now."""
        for subject in self._engine.subjects.values():
            subject.site = ("", EVER)
        if self.now >= 0:
            self._closing = closings(self._closing, self._engine.registry, self.now)

    def drop(self, keys: Collection[str]) -> None:
        """Let nothing be due, or be said, of subjects that are gone."""
        for noted in (self.changed, self.slid, self.active, self.lasting):
            noted.difference_update(keys)
        self._heap = [due for due in self._heap if due[1] not in keys]
        heapq.heapify(self._heap)
        self.unflushed = [step for step in self.unflushed if step[0].subject not in keys]

    def dump(self) -> dict[str, Any]:
        """As JSON values, with what else of the engine belongs to the checkpoint."""
        engine = self._engine
        engine.groups.settle()
        return {
            "now": self.now,
            "mark": self._mark,
            "changed": sorted(self.changed),
            "closing": {site: [due, day.isoformat()] for site, (due, day) in self._closing.items()},
            "dirty": sorted(engine.groups.dirty),
            "base": engine.base,
            "ended": engine.has_ended,
            "first_broker": engine.first_broker_ms,
            "evicted": engine.remembered.evicted_until,
            "registry": engine.registry.revision,
            "rules": engine.judge.revision,
        }

    def load(self, data: dict[str, Any]) -> None:
        """From `dump`; the subjects and their panes must be there. The shift of who is idle goes on as it did."""
        self.now, self._mark = data["now"], data["mark"]
        self.changed = {key for key in data["changed"] if key in self._engine.subjects}
        self._closing = {site: (due, date.fromisoformat(day)) for site, (due, day) in data["closing"].items()}
        for subject in self._engine.subjects.values():
            subject.last = minute_of(max(self.now, 0))
            if subject.due is not None and subject.due <= self.now:
                subject.due = None
            if subject.due is not None:
                heapq.heappush(self._heap, (subject.due, subject.key, "judge"))
            self._attend(subject)
            if subject.key in self.active or subject.key in self.lasting:
                self._turn_shift(subject, minute_of(self.now) * MINUTE_MS)

    def _next(self, to: int) -> int | None:
        """The next due instant up to `to`."""
        instant = NEVER
        if self.changed:
            instant = (self.now // TICK_MS + 1) * TICK_MS
        if self.active or self.lasting or self._engine.groups.has_changes:
            instant = min(instant, (minute_of(self.now) + 1) * MINUTE_MS)
        if self._heap:
            instant = min(instant, self._heap[0][0])
        for due, _ in self._closing.values():
            instant = min(instant, due)
        return instant if instant <= to else None

    def _reach(self, instant: int) -> None:
        judged = self._ring(instant)
        for site in sorted(site for site, (due, _) in self._closing.items() if due <= instant):
            self._close_day(site, instant)
        whole = instant % MINUTE_MS == 0
        if instant % TICK_MS == 0:
            subjects, turn = self._engine.subjects, self.changed
            if whole:
                turn = turn | self.active | self.lasting
            judged |= {key for key in turn if self._has_news(subjects[key])}
            self.changed.clear()
        for key in sorted(judged):
            self._judge(self._engine.subjects[key], instant)
        if whole:
            self._slide(minute_of(instant))

    def _has_news(self, subject: Subject) -> bool:
        return bool(subject.news or subject.is_live or self._engine.spreading.of_passing(subject))

    def _ring(self, instant: int) -> set[str]:
        """Take what is due off the heap: states that end by TTL, subjects to judge."""
        judged = set()
        while self._heap and self._heap[0][0] <= instant:
            due, key, kind = heapq.heappop(self._heap)
            subject = self._engine.subjects[key]
            if kind == "ttl":
                if subject.ttl_due == due:
                    self._expire(subject, instant)
            elif kind == "plan":
                self._count_planned(subject, due)
            elif subject.due == due:
                subject.due = None
                subject.news = ALL_NEWS  # time alone brings it about: nothing else has to have changed
                judged.add(key)
        return judged

    def _expire(self, subject: Subject, instant: int) -> None:
        subject.ttl_due = NEVER
        changed = expire(subject.time, instant)
        if changed.deltas:
            self._engine.spreading.expired(subject, changed)
        else:
            self._await_ttl(subject)

    def _count_planned(self, subject: Subject, due: int) -> None:
        """Count what was planned for the minute that ends now, in the windows and the shift that end with it."""
        if subject.plan_due != due:
            return
        minute = minute_of(due) - 1
        self._slide_to(subject, minute)
        self._turn_shift(subject, due - 1)
        self._engine.spreading.planned(subject, Delta(minute, AGENT_TIME, subject.time.plans.in_minute(minute)))
        self.active.add(subject.key)
        self._await_plan(subject)

    def _judge(self, subject: Subject, instant: int) -> None:
        self.forget(subject)
        was_live, old_due = subject.is_live, subject.due
        engine = self._engine
        subject.last = max(subject.last, minute_of(instant - 1))
        view = SubjectAt(subject, engine.registry, instant, today=self.day_of(subject, minute_of(instant - 1)))
        news = subject.news | engine.spreading.of_passing(subject)
        judgement = engine.judge.judge(view, subject.states, instant, news)
        first, after, _ = subject.today
        subject.news = 0 if first <= minute_of(instant) < after else ALL_NEWS  # the day that begins now comes next
        self._note(judgement)
        due = NEVER if judgement.due_ms is None else judgement.due_ms
        if instant < due < (NEVER if subject.due is None else subject.due):  # rules not judged now wait for theirs
            subject.due = due
            heapq.heappush(self._heap, (due, subject.key, "judge"))
        if judgement.transitions or was_live or subject.is_live or subject.due != old_due:
            engine.touched.add(subject.key)
        if subject.is_live:
            self.active.add(subject.key)

    def _note(self, judgement: Judgement) -> None:
        if judgement.transitions:
            version = self._engine.version
            self._engine.out.transitions += [(transition, version) for transition in judgement.transitions]

    def _close_day(self, site: str, instant: int) -> None:
        engine = self._engine
        _, day = self._closing[site]
        self._closing[site] = following(site, day, engine.registry, instant)
        oldest = (day - timedelta(days=KEPT_DAYS)).isoformat()
        for key in sorted(engine.subjects):
            subject = engine.subjects[key]
            if not subject.days or self.site_of(subject) != site:
                continue
            for gone in [kept for kept in subject.days if kept < oldest]:
                del subject.days[gone]
            view = SubjectAt(subject, engine.registry, instant, closed=day)
            self._note(engine.judge.close_day(view, subject.states, day, instant))
            engine.touched.add(key)

    def _slide(self, minute: int) -> None:
        """Move the windows of everybody active, and of whose state lasts, into the minute that begins now."""
        for key in sorted(self.active | self.lasting):
            subject = self._engine.subjects[key]
            self._slide_to(subject, minute)
            self._turn_shift(subject, self.now)
            if key in self.active:
                self.slid.add(key)
                if not subject.is_active():
                    self.active.discard(key)
        self._mark_minute()

    def _slide_to(self, subject: Subject, minute: int) -> None:
        """Let the windows end with a later minute; what leaves or enters may be news."""
        if minute <= subject.last:
            return
        if subject.news != ALL_NEWS:
            self._note_moved(subject, minute)
        first, after, _ = subject.today
        if not first <= minute < after:
            subject.news = ALL_NEWS  # another day: its sums begin anew
        subject.last = minute

    def _note_moved(self, subject: Subject, minute: int) -> None:
        """Note which rules what leaves or enters the windows with a minute concerns."""
        spreading = self._engine.spreading
        entering = self._standing_in(subject, minute)
        for bit, length in spreading.rolling[subject.kind]:
            if not subject.news & bit:
                subject.news |= bit & (entering | self._standing_in(subject, minute - length))

    def _standing_in(self, subject: Subject, minute: int) -> int:
        """The bits of the looks at what stands in a minute."""
        news = 0
        for sums in subject.panes.sums_of(minute):
            news |= self._engine.spreading.news_of(subject.kind, sums)
        return news

    def _mark_minute(self) -> None:
        """Send the groups what changed, once time has passed a minute."""
        minute = minute_of(self.now) - 1
        if minute <= self._mark:
            return
        self._mark = minute
        engine = self._engine
        engine.groups.settle()
        engine.out.contributions += engine.groups.take(minute, engine.version, minute - RESIDENT_MINUTES)

    def _turn_shift(self, subject: Subject, now: int) -> None:
        """Begin the shift totals anew when a shift, or without a plan a site day, begins."""
        if subject.shift_start >= 0 and now < subject.shift_until:
            return
        zone = self._engine.registry.zone(self.site_of(subject))
        is_told_anew = subject.shift_start >= 0 and subject.shift_until == TO_BE_ASKED
        start, until = subject.shift_at(now, zone)
        subject.shift_until = until
        if start != subject.shift_start:
            subject.news = ALL_NEWS
            before, subject.shift_start = subject.shift_start, start
            goes_on = start < before or any(begins <= now < ends for begins, ends in subject.plans)
            if is_told_anew and goes_on:
                self._move_shift(subject, before, now)
            else:
                first = max(minute_from(start), minute_of(now) - RESIDENT_MINUTES)
                subject.shift_sums = subject.panes.sums(first, max(subject.panes.newest, first))

    def _move_shift(self, subject: Subject, before: int, now: int) -> None:
        """
        Keep the totals of a shift that goes on with another start, but for what lies between the two.

        Of what is no longer resident there, nothing is added or taken away.
        """
        low, high = sorted((before, subject.shift_start))
        oldest = minute_of(now) - RESIDENT_MINUTES
        between = subject.panes.sums(max(minute_from(low), oldest), minute_from(high) - 1)
        add_to(subject.shift_sums, between, 1 if subject.shift_start < before else -1)
