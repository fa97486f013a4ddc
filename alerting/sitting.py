"""One subject at one instant: what its rules find, where that takes each of them, and what is to be told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from alerting.evidence import evidence
from alerting.notices import Found, Told, notice
from alerting.plan import Levels, Planned
from alerting.rules import Rule
from alerting.states import Finding, Pace, step
from schemas.alerts import Judgement, Look, RuleState, SubjectView, Window, alert_id
from schemas.kpi_terms import DEFAULT_LIMITS
from schemas.panes import Sums
from schemas.registry import Registry

IDLE = frozenset({"inactive", "pending"})


@dataclass(frozen=True, slots=True)
class Book:
    """What every sitting of a judge looks up."""

    revision: int
    versions: Mapping[str, int]
    """Rule id -> version of the rules that hold."""
    by_version: Mapping[int, Rule]
    """Version -> rule, with those of earlier revisions."""
    levels: Levels
    registry: Registry


class Sitting:
    """The judging of one subject at one instant; `states` is changed in place, `judgement` is the outcome."""

    def __init__(
        self, book: Book, view: SubjectView, states: dict[str, RuleState], now_ms: int, day: date | None = None
    ) -> None:
        self.judgement = Judgement()
        self._book = book
        self._view = view
        self._states = states
        self._now_ms = now_ms
        self._day = day

    def close_changed(self) -> None:
        """End the episodes of rules that are gone or have changed since."""
        for id_, state in list(self._states.items()):
            version = self._book.versions.get(id_, 0)
            if state.rule_version == version:
                continue
            after = step(state, "rule_changed", self._now_ms, Pace(), self._now_ms)
            if after.reason:
                self._tell(Told(id_, self._book.by_version.get(state.rule_version), state, after.reason))
            self._states[id_] = RuleState(since_ms=after.state.since_ms, rule_version=version)

    def is_live(self, rules: list[Planned]) -> bool:
        """True while one of the rules is pending or firing."""
        states = self._states
        return any((state := states.get(rule.id)) is not None and state.state != "inactive" for rule in rules)

    def judge_sums(self, window: Window, rules: list[Planned], look: Look) -> None:
        """Judge the rules of one window of sums."""
        sums = self._view.sums(window, look)
        for planned in rules:
            state = self._states.get(planned.id)
            if state is not None and state.state != "inactive":
                self._end_with_day(planned, window)
            elif not planned.may_breach(sums):
                continue
            found = self._find(planned, sums)
            if found is not None:
                self._go_on(planned, found)

    def judge_live(self, rules: list[Planned]) -> None:
        """Judge the rules on figures of this instant, and schedule the instants at which they come true."""
        for planned in rules:
            found = self._find_live(planned)
            if found is not None:
                self._go_on(planned, found)

    def judge_days(self, window: Window, rules: list[Planned], day: str) -> None:
        """Judge the rules of one window of days, each at most once for a day."""
        sums = self._view.sums(window)
        for planned in rules:
            state = self._states.get(planned.id)
            if state is not None and state.judged_day >= day:
                continue
            found = self._find(planned, sums)
            if found is not None:
                self._go_on(planned, found)
            if planned.id in self._states:
                self._states[planned.id].judged_day = day

    def _find(self, planned: Planned, sums: Sums) -> Found | None:
        """What a rule on sums found; None where it is idle and finds nothing."""
        kpi, limits = planned.kpi, DEFAULT_LIMITS
        if kpi is None or kpi.id == "service_level":
            kpi, limits = self._book.levels.of(planned, self._view.subject)
        value, n = planned.measure(sums, kpi, limits, self._view.codes)
        state = self._states.get(planned.id)
        breached = value is not None and planned.rule.breaches(value)
        if not breached and (state is None or state.state == "inactive"):
            return None
        what = self._weigh(planned, value, breached)
        return Found(what, self._now_ms, self._view.bounds(planned.window), value, n, limits.threshold_s)

    def _weigh(self, planned: Planned, value: float | None, breached: bool) -> Finding:
        if value is None:
            return "too_few"
        if planned.window.kind == "rolling" and planned.rule.subject == "agent" and self._is_offline():
            return "logged_off"
        if breached:
            return "breached"
        return "calm" if planned.rule.is_calm(value) else "between"

    def _find_live(self, planned: Planned) -> Found | None:
        since_ms, n = self._since(planned.rule)
        if since_ms is not None and planned.rule.kpi == "time_in_state_s":
            self._end_with_stay(planned, since_ms)
        state = self._states.get(planned.id)
        idle = state is None or state.state == "inactive"
        if since_ms is None and planned.rule.kpi == "time_in_state_s":
            left: Finding = "logged_off" if self._is_offline() else "state_left"
            return None if idle else Found(left, self._now_ms, self._episode(planned.id))
        since_ms = self._now_ms if since_ms is None else since_ms
        start_ms = since_ms + planned.delay_ms
        breached = n > 0 and start_ms <= self._now_ms
        if n > 0 and not breached:
            self._due(start_ms)
        if idle and not breached:
            return None
        value = (self._now_ms - since_ms) / 1000
        calm: Finding = "calm" if planned.rule.is_calm(value) else "between"
        return Found("breached" if breached else calm, start_ms, (since_ms, self._now_ms), value, n)

    def _since(self, rule: Rule) -> tuple[int | None, int]:
        """Since when the state of a rule, or the longest wait, lasts, and n; (None, 0) where it does not."""
        if rule.kpi == "longest_wait_s":
            waiting = self._view.waiting()
            return (waiting[0][0], len(waiting)) if waiting else (None, 0)
        held = self._view.state()
        if held is None or held[0] != rule.state or (rule.reason is not None and held[1] != rule.reason):
            return None, 0
        return (held[2] if rule.reason is not None else self._view.state_since()), 1

    def _end_with_day(self, planned: Planned, window: Window) -> None:
        """An episode of a day or a shift does not outlive it."""
        if window.kind != "rolling" and self._view.bounds(window)[0] > self._states[planned.id].since_ms:
            self._go_on(planned, Found("day_over", self._now_ms, self._episode(planned.id)))

    def _end_with_stay(self, planned: Planned, since_ms: int) -> None:
        """The agent left the state and entered it again between two judgings: another episode."""
        state = self._states.get(planned.id)
        if state is not None and state.state != "inactive" and since_ms + planned.delay_ms > state.start_ms:
            self._go_on(planned, Found("state_left", self._now_ms, self._episode(planned.id)))

    def _go_on(self, planned: Planned, found: Found) -> None:
        """Take the rule one step, and tell of it where an alert fired or resolved."""
        known = self._states.get(planned.id)
        state = known or RuleState(rule_version=planned.version)
        if found.what == "breached" and state.state in IDLE:
            found = self._within_hours(planned.rule, found)
        after = step(state, found.what, self._now_ms, planned.pace, found.start_ms)
        if after.due_ms is not None:
            self._due(after.due_ms)
        if known is not None or after.state.state != "inactive":
            self._states[planned.id] = after.state
        if after.reason == "breached":
            self._fire(planned, after.state, found)
        elif after.reason is not None:
            self._tell(Told(planned.id, planned.rule, state, after.reason, found))

    def _within_hours(self, rule: Rule, found: Found) -> Found:
        """Outside of its shift hours a rule starts nothing; what holds when they begin starts then."""
        if rule.shift_hours is None:
            return found
        zone = self._book.registry.zone(self._view.site)
        opened = rule.shift_hours.opened_ms(self._now_ms, zone)
        if opened is None:
            self._due(rule.shift_hours.opens_ms(self._now_ms, zone))
            return found._replace(what="calm")
        return found._replace(start_ms=max(found.start_ms, opened))

    def _fire(self, planned: Planned, state: RuleState, found: Found) -> None:
        state.alert = alert_id(planned.id, self._view.subject, planned.window_text, state.since_ms)
        state.sequence = 0
        kind = planned.rule.evidence_kind
        rows = tuple(evidence(self._view, planned.window, kind, found.threshold_s, self._now_ms))
        self._tell(Told(planned.id, planned.rule, state, "breached", found, rows))
        state.sequence = 1

    def _tell(self, told: Told) -> None:
        self.judgement.transitions.append(notice(told, self._view, self._book.revision, self._now_ms, self._day))

    def _episode(self, id_: str) -> tuple[int, int]:
        return self._states[id_].since_ms, self._now_ms

    def _is_offline(self) -> bool:
        held = self._view.state()
        return held is not None and held[0] == "offline"

    def _due(self, due_ms: int) -> None:
        known = self.judgement.due_ms
        self.judgement.due_ms = due_ms if known is None else min(known, due_ms)
