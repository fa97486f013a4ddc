"""What a change of one subject adds to: its panes, its days and its shift, the groups; and which rules it concerns."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from schemas.alerts import ALL_NEWS, Look, SubjectKind
from schemas.times import MINUTE_MS, minute_from, minute_of
from streams.core.deltas import Changed, Delta, merged
from streams.core.lateness import FUTURE_MS
from streams.core.panes import RESIDENT_MINUTES, add_to
from streams.core.planned import PAID
from streams.core.spans import Change
from streams.core.subject import Subject

if TYPE_CHECKING:
    from streams.core.partition import PartitionEngine

OWN_RULES: tuple[SubjectKind, SubjectKind] = ("agent", "queue")
"""Whom the first hop judges."""


class Spreading:
    """Carries the changes of one `PartitionEngine` to everything that sums them."""

    def __init__(self, engine: PartitionEngine) -> None:
        """For the rules that the engine has now."""
        self._engine = engine
        self.looks: dict[str, list[tuple[int, Look]]] = {}
        """By kind of subject: (bit in `Subject.news`, what the rules of a window look at)."""
        self.rolling: dict[str, list[tuple[int, int]]] = {}
        """(bit, minutes) of those of them that are on a rolling window."""
        self._matters: dict[str, dict[str, int]] = {}
        """By kind of subject: column -> bits of the looks that are at it."""
        self.of_waits = 0
        """The bits of rules on who waits in a queue now."""
        self.of_state: dict[str, int] = {}
        """By state of an agent: the bits of rules on the time in it."""
        self._of_plans = 0
        """The bits of rules on planned time."""
        self.look()

    def look(self) -> None:
        """Look at what the rules of the engine look at."""
        judge = self._engine.judge
        for kind in OWN_RULES:
            looks = self.looks[kind] = [(1 << place, look) for place, look in enumerate(judge.looks(kind))]
            self.rolling[kind] = [(bit, look.window.minutes) for bit, look in looks if look.window.kind == "rolling"]
            self._matters[kind] = {}
        self.of_waits = sum(bit for bit, look in self.looks["queue"] if look.window.kind == "now")
        self.of_state.clear()
        for bit, look in self.looks["agent"]:
            for state in look.states:
                self.of_state[state] = self.of_state.get(state, 0) | bit
        self._of_plans = self.news_of("agent", (PAID,))

    def news_of(self, kind: str, columns: Iterable[str]) -> int:
        """The bits of the looks at any of the columns."""
        matters, news = self._matters[kind], 0
        for column in columns:
            bits = matters.get(column)
            if bits is None:
                touched = [bit for bit, look in self.looks[kind] if look.reads(column)]
                bits = matters[column] = sum(touched)
            news |= bits
        return news

    def of_lasting(self, subject: Subject) -> int:
        """The bits of the looks at what the subject's state gives for as long as it lasts."""
        state = subject.time.timeline.now()
        return self.news_of(subject.kind, state.columns) if state is not None else 0

    def of_passing(self, subject: Subject) -> int:
        """The same, with those at what the state gives in planned time: where that counts on, its minutes are news."""
        state = subject.time.timeline.now()
        if state is None or not state.columns:
            return 0
        return self.news_of(subject.kind, state.columns) | (self._of_plans if subject.time.plans else 0)

    def spread(self, subject: Subject, changed: Changed) -> None:
        """Add what an event changed; minutes that are no longer resident are left to the flusher."""
        time = self._engine.time
        horizon = minute_of(time.now) - RESIDENT_MINUTES
        time.catch_up(subject)
        deltas = merged(changed.deltas)
        self._count_days(subject, deltas)
        for delta in deltas:
            if delta.minute < horizon:
                subject.late.add(delta.minute)
            else:
                self._add(subject, delta)
        if changed.unknown:
            subject.late |= changed.unknown
            until = minute_of(time.now + FUTURE_MS)
            subject.partial |= {minute for minute in changed.unknown if horizon <= minute <= until}

    def expired(self, subject: Subject, changed: Changed) -> None:
        """Add the time of a state that ended by TTL."""
        subject.news = ALL_NEWS
        self.spread(subject, changed)
        self.touch(subject, is_history=False)

    def planned(self, subject: Subject, delta: Delta) -> None:
        """Add the planned time of a minute that has just passed, before anybody is judged for it."""
        self._count_days(subject, [delta])
        self._add(subject, delta)
        self._engine.touched.add(subject.key)

    def note_state(self, subject: Subject, before: Change | None, after: Change | None) -> None:
        """
        Note which rules it concerns that an agent's state now is another one.

        A rule on the state that was left needs no note: if anything came of it, it is live, and judged for that.
        """
        if before is after:
            return
        left, entered = before.state if before else "", after.state if after else ""
        subject.news |= self.of_state.get(entered, 0)
        if (left == "offline") != (entered == "offline"):
            subject.news = ALL_NEWS  # rolling windows of somebody offline are not judged

    def touch(self, subject: Subject, *, is_history: bool) -> None:
        """Note that a subject changed: it goes into the next flush, and has its turn unless that is history."""
        engine = self._engine
        engine.touched.add(subject.key)
        engine.time.keep(subject)
        if not is_history:
            engine.time.changed.add(subject.key)

    def _add(self, subject: Subject, delta: Delta) -> None:
        engine, minute, cell, sums, sign = self._engine, delta.minute, delta.cell, delta.sums, delta.sign
        subject.panes.add(minute, cell, sums, sign, engine.version, delta.handle_ms)
        engine.groups.add(subject.key, minute, cell, sums, sign)

    def _count_days(self, subject: Subject, deltas: list[Delta]) -> None:
        """Add to the totals of days and of the shift, and note which rules that may concern."""
        if not deltas:
            return
        first, after = self._engine.time.day_known(subject)
        first = max(first, minute_from(subject.shift_start))
        for delta in deltas:
            if not first <= delta.minute < after:
                break
        else:
            self._count(subject, deltas[0].minute, _totals(deltas), in_shift=True)
            return
        for delta in deltas:
            in_shift = delta.minute * MINUTE_MS >= subject.shift_start
            self._count(subject, delta.minute, _totals([delta]), in_shift=in_shift)

    def _count(self, subject: Subject, minute: int, sums: dict[str, int], *, in_shift: bool) -> None:
        if subject.news != ALL_NEWS:
            subject.news |= self.news_of(subject.kind, sums)
        if in_shift:
            add_to(subject.shift_sums, sums)
        day = self._engine.time.day_of(subject, minute)
        totals = subject.days.get(day)
        if totals is None:
            totals = subject.days[day] = {}
        add_to(totals, sums)


def _totals(deltas: list[Delta]) -> dict[str, int]:
    """What deltas add up to."""
    if len(deltas) == 1 and deltas[0].sign > 0:
        return deltas[0].sums
    totals: dict[str, int] = {}
    for delta in deltas:
        add_to(totals, delta.sums, delta.sign)
    return totals
