"""
The life of an alert: one rule, one subject, one step.

inactive -> pending -> firing -> keep_firing -> inactive (resolved), as Prometheus has it, with a clear threshold
(`between`) on top. An inactive state remembers in `since_ms` the instant before which no next episode may start, so
that two episodes never share an id, even where a correction brings an old start back.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, NamedTuple

from schemas.alerts import Reason, RuleState

Ending = Literal["too_few", "state_left", "logged_off", "day_over", "rule_changed"]
Finding = Literal["breached", "between", "calm"] | Ending
"""`between`: no longer beyond the threshold, not yet at the clear threshold. An ending leaves nothing to wait for."""


class Pace(NamedTuple):
    """How long a rule waits, ms."""

    for_ms: int = 0
    keep_ms: int = 0


class Step(NamedTuple):
    """Where the rule stands now, why an alert fired or resolved (None: neither), and when time alone changes that."""

    state: RuleState
    reason: Reason | None = None
    due_ms: int | None = None


def step(state: RuleState, found: Finding, now_ms: int, pace: Pace, start_ms: int) -> Step:
    """
    One step; `state` itself stays as it is.

    `start_ms` is the instant from which a breach holds, now or earlier: it starts an episode, and is kept to tell
    which breach that is about. Once one is firing it is not looked at.
    """
    idle = state.state in {"inactive", "pending"}
    if found == "breached":
        return _rise(state, now_ms, pace, start_ms) if idle else Step(_firing(state))
    if idle:
        return Step(replace(state, state="inactive"))
    if found == "between":
        return Step(state, None, _keep_due(state, now_ms, pace))
    if found == "calm":
        return _calm(state, now_ms, pace)
    return Step(_over(state, now_ms), found)


def _rise(state: RuleState, now_ms: int, pace: Pace, start_ms: int) -> Step:
    start = state.since_ms if state.state == "pending" else max(start_ms, state.since_ms)
    if start > now_ms:
        return Step(state, None, start)
    if now_ms - start >= pace.for_ms:
        return Step(replace(state, state="firing", since_ms=start, keep_since_ms=0, start_ms=start_ms), "breached")
    return Step(replace(state, state="pending", since_ms=start, start_ms=start_ms), None, start + pace.for_ms)


def _firing(state: RuleState) -> RuleState:
    return replace(state, state="firing", keep_since_ms=0)


def _calm(state: RuleState, now_ms: int, pace: Pace) -> Step:
    keep_since = state.keep_since_ms if state.state == "keep_firing" else now_ms
    if now_ms - keep_since >= pace.keep_ms:
        return Step(_over(state, now_ms), "cleared")
    return Step(replace(state, state="keep_firing", keep_since_ms=keep_since), None, keep_since + pace.keep_ms)


def _keep_due(state: RuleState, now_ms: int, pace: Pace) -> int | None:
    due = state.keep_since_ms + pace.keep_ms
    return due if state.state == "keep_firing" and due > now_ms else None


def _over(state: RuleState, now_ms: int) -> RuleState:
    return RuleState(
        since_ms=max(now_ms, state.since_ms + 1),
        rule_version=state.rule_version,
        judged_day=state.judged_day,
    )
