"""From what a rule found to the transition that tells of it."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from alerting.rules import Rule
from alerting.states import Finding
from schemas.alerts import Evidence, Reason, RuleState, SubjectView, Transition
from schemas.kpi_terms import DEFAULT_THRESHOLD_S
from schemas.times import from_ms


class Found(NamedTuple):
    """What a rule found, and over which span (epoch ms, the end exclusive)."""

    what: Finding
    start_ms: int
    """Since when, for a breach."""
    span: tuple[int, int]
    value: float | None = None
    n: int = 0
    threshold_s: int = DEFAULT_THRESHOLD_S


class Told(NamedTuple):
    """An alert that fired or resolved."""

    id: str
    rule: Rule | None
    """None for a rule that nobody knows any more."""
    state: RuleState
    """The state with the alert's id, and with the sequence of the transition before this one."""
    reason: Reason
    found: Found | None = None
    evidence: tuple[Evidence, ...] = ()


def notice(told: Told, view: SubjectView, revision: int, now_ms: int, day: date | None) -> Transition:
    """The transition; of a rule that nobody knows any more it says what the state still says."""
    rule, state = told.rule, told.state
    found = told.found or Found("rule_changed", now_ms, (state.since_ms, now_ms))
    return Transition(
        alert=state.alert,
        sequence=state.sequence + 1,
        state="firing" if told.reason == "breached" else "resolved",
        reason=told.reason,
        at=from_ms(now_ms),
        rule=told.id,
        rule_version=revision,
        subject=view.subject,
        kpi=rule.kpi if rule else "",
        window=str(rule.window) if rule else "",
        window_from=from_ms(found.span[0]),
        window_to=from_ms(found.span[1]),
        value=found.value,
        n=found.n,
        threshold=rule.threshold if rule else 0.0,
        severity=rule.severity if rule else "watch",
        opens=rule.opens if rule else "nothing",
        team=view.team,
        site=view.site,
        receiver=rule.receiver if rule else "lead",
        started_at=from_ms(state.since_ms),
        day=day,
        evidence=list(told.evidence),
    )
