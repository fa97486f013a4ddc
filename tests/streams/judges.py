"""Judges for tests of the streams: one that only takes notes, one whose rules fire."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from schemas.alerts import (
    ALL_NEWS,
    Judgement,
    Look,
    Reason,
    RuleState,
    SubjectKind,
    SubjectView,
    Transition,
    Window,
    alert_id,
)
from schemas.times import from_ms

FIVE = Window("rolling", minutes=5)
QUARTER = Window("rolling", minutes=15)
THREE_DAYS = Window("days", days=3)
AWAY_LIMIT_MS = 600_000


@dataclass
class Notes:
    """Judges nobody; notes who was judged when, and the handled contacts of the last five minutes."""

    revision: int = 0
    judged: list[tuple[str, int, int]] = field(default_factory=list)
    closed: list[tuple[str, str, int, int]] = field(default_factory=list)
    due_in_ms: int | None = None
    asked: frozenset[Window] = frozenset({FIVE})

    def windows(self, kind: SubjectKind) -> frozenset[Window]:
        """The windows that were asked for."""
        return self.asked

    def looks(self, kind: SubjectKind) -> list[Look]:
        """Everything of the windows that were asked for."""
        return [Look(window, prefixes=("",)) for window in sorted(self.asked, key=str)]

    def judge(self, view: SubjectView, states: dict[str, RuleState], now_ms: int, news: int = ALL_NEWS) -> Judgement:
        """Note (subject, now, handled)."""
        self.judged.append((view.subject, now_ms, view.sums(FIVE).get("handled", 0)))
        return Judgement(due_ms=now_ms + self.due_in_ms if self.due_in_ms else None)

    def close_day(self, view: SubjectView, states: dict[str, RuleState], day: date, now_ms: int) -> Judgement:
        """Note (subject, day, now, handled of three days)."""
        self.closed.append((view.subject, day.isoformat(), now_ms, view.sums(THREE_DAYS).get("handled", 0)))
        return Judgement()


class Busy:
    """Fires for two contacts in 15 min, for ten minutes away (by time alone), and for three contacts in three days."""

    def __init__(self, revision: int = 0) -> None:
        self.revision = revision

    def windows(self, kind: SubjectKind) -> frozenset[Window]:
        """15 min and 3 d."""
        return frozenset({QUARTER, THREE_DAYS})

    def looks(self, kind: SubjectKind) -> list[Look]:
        """Handled contacts of 15 min, and the state now."""
        return [Look(QUARTER, frozenset({"handled"})), Look(Window("now"), states=frozenset({"away"}))]

    def judge(self, view: SubjectView, states: dict[str, RuleState], now_ms: int, news: int = ALL_NEWS) -> Judgement:
        """Judge the busy and the away rule."""
        found = Judgement()
        handled = view.sums(QUARTER).get("handled", 0)
        found.transitions += self._step("busy", view, states, now_ms, handled if handled >= 2 else None)
        state = view.state()
        since = state[2] if state is not None and state[0] == "away" else None
        away_ms = now_ms - since if since is not None else 0
        found.transitions += self._step("away", view, states, now_ms, away_ms if away_ms >= AWAY_LIMIT_MS else None)
        if since is not None and away_ms < AWAY_LIMIT_MS:
            found.due_ms = since + AWAY_LIMIT_MS
        return found

    def close_day(self, view: SubjectView, states: dict[str, RuleState], day: date, now_ms: int) -> Judgement:
        """Judge the rule over three days."""
        state = states.setdefault("days", RuleState())
        handled = view.sums(THREE_DAYS).get("handled", 0)
        if handled < 3 or state.judged_day >= day.isoformat():
            return Judgement()
        state.judged_day, state.sequence = day.isoformat(), state.sequence + 1
        return Judgement([self._transition("days", view, state, now_ms, handled, "breached", day)])

    def _step(
        self, rule: str, view: SubjectView, states: dict[str, RuleState], now_ms: int, value: int | None
    ) -> list[Transition]:
        state = states.setdefault(rule, RuleState())
        if (value is not None) == (state.state == "firing"):
            return []
        if value is not None:
            state.state, state.since_ms, state.sequence = "firing", now_ms, 1
            state.alert = alert_id(rule, view.subject, str(QUARTER), now_ms)
            return [self._transition(rule, view, state, now_ms, value, "breached", None)]
        state.state, state.sequence = "inactive", state.sequence + 1
        return [self._transition(rule, view, state, now_ms, 0, "cleared", None)]

    def _transition(
        self, rule: str, view: SubjectView, state: RuleState, now_ms: int, value: int, reason: Reason, day: date | None
    ) -> Transition:
        window = THREE_DAYS if day else QUARTER
        start, end = view.bounds(window)
        return Transition(
            alert=state.alert or f"{rule}/{view.subject}/{day}", sequence=state.sequence,
            state="firing" if reason == "breached" else "resolved", reason=reason, at=from_ms(now_ms), rule=rule,
            rule_version=self.revision, subject=view.subject, kpi="handled", window=str(window),
            window_from=from_ms(start), window_to=from_ms(end), value=value, n=value, threshold=2, severity="watch",
            opens="nothing", team=view.team, site=view.site, started_at=from_ms(state.since_ms), day=day,
        )  # fmt: skip
