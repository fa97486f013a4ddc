"""Which keys of a rule go together: what a KPI can be asked of, over which window, and with which thresholds."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from alerting.fields import RuleFields
from schemas.kpis import KPIS, LIVE_KPIS, Kpi
from schemas.panes import AGENT_COLUMNS, MAPS, QUEUE_COLUMNS, THRESHOLDS_S

Fault = tuple[str, str]
"""(key, what was expected)."""

SPEED_KPIS = frozenset(
    {
        "aht_s", "concurrent_aht_s", "avg_talk_s", "avg_hold_s", "avg_wrap_s", "short_call_share", "contacts_per_hour",
        "contacts_per_ready_hour", "avg_task_s", "task_efficiency",
    }
)  # fmt: skip
"""Figures that can be met by serving customers worse; each rule on one names a paired quality rule."""
QUALITY_KPIS = frozenset({"quality", "fatal", "csat", "nps", "resolved_rate", "transfer_rate"})

MAY_EXCEED_1 = frozenset({"conformance", "task_efficiency"})
"""Shares of more than the whole: somebody worked longer, or faster, than planned."""

_LIVE_SUBJECT = {"time_in_state_s": "agent", "longest_wait_s": "queue"}
_COLUMNS = {
    "agent": frozenset((*AGENT_COLUMNS, *MAPS)),
    "team": frozenset((*AGENT_COLUMNS, *MAPS)),
    "queue": frozenset(QUEUE_COLUMNS),
    "client": frozenset(QUEUE_COLUMNS),
    "site": frozenset((*AGENT_COLUMNS, *MAPS, *QUEUE_COLUMNS)),
}


def suggestion(word: str, known: list[str]) -> str:
    """`; did you mean `x`?` for a word close to a known one, else nothing."""
    close = get_close_matches(word, known, n=1)
    return f"; did you mean `{close[0]}`?" if close else ""


def faults(rule: RuleFields) -> Iterator[Fault]:
    """Every fault of one rule, the most telling first."""
    if rule.kpi not in KPIS and rule.kpi not in LIVE_KPIS:
        known = [*KPIS, *LIVE_KPIS]
        yield "kpi", f"unknown KPI {rule.kpi!r}{suggestion(rule.kpi, known) or '; known: ' + ', '.join(known)}"
        return
    yield from _of_live(rule) if rule.kpi in LIVE_KPIS else _of_sums(rule, KPIS[rule.kpi])
    yield from _of_thresholds(rule)
    yield from _of_state(rule)
    yield from _of_service_level(rule)
    yield from _of_days(rule)
    if rule.kpi in SPEED_KPIS and rule.pairs_with is None:
        yield "pairs_with", "a rule on speed names the quality rule that goes with it"


def _of_live(rule: RuleFields) -> Iterator[Fault]:
    if rule.window.kind != "now":
        yield "window", f"{rule.kpi} is a figure of this instant: expected now"
    if rule.subject != _LIVE_SUBJECT[rule.kpi]:
        yield "subject", f"{rule.kpi} is a figure of: {_LIVE_SUBJECT[rule.kpi]}"
    if rule.comparison not in {">", ">="}:
        yield "comparison", f'{rule.kpi} grows with time: expected ">" or ">="'
    if rule.threshold <= 0:
        yield "threshold", "expected seconds above 0"
    if rule.clear is not None and rule.clear < 0:
        yield "clear", "expected seconds from 0 on"
    if rule.min_n is not None:
        yield "min_n", "a figure of this instant has no minimum n: leave it out"


def _of_sums(rule: RuleFields, kpi: Kpi) -> Iterator[Fault]:
    if rule.window.kind == "now":
        yield (
            "window",
            f"now is only for {' and '.join(LIVE_KPIS)}; {rule.kpi} needs 5m to 90m, 1d to 35d, day or shift",
        )
    if rule.window.kind == "shift" and rule.subject != "agent":
        yield "window", "shift is only for agents: expected day"
    columns = kpi.columns
    if not columns <= _COLUMNS[rule.subject]:
        fitting = [kind for kind, held in _COLUMNS.items() if columns <= held]
        yield "subject", f"{rule.kpi} is a figure of: {', '.join(fitting)}"
    if rule.min_n is not None and not kpi.denominator:
        yield "min_n", f"{rule.kpi} is a count and has no minimum n: leave it out"
    for key, given in (("threshold", rule.threshold), ("clear", rule.clear)):
        if kpi.unit == "share" and kpi.id not in MAY_EXCEED_1 and given is not None and not 0 <= given <= 1:
            yield key, f"{rule.kpi} is a share: expected 0 to 1, such as 0.8 for 80 %"


def _of_thresholds(rule: RuleFields) -> Iterator[Fault]:
    if rule.clear is None:
        return
    if rule.comparison in {">", ">="} and rule.clear >= rule.threshold:
        yield "clear", f"expected a value below the threshold {rule.threshold:g}, where the rule is calm"
    if rule.comparison in {"<", "<="} and rule.clear <= rule.threshold:
        yield "clear", f"expected a value above the threshold {rule.threshold:g}, where the rule is calm"


def _of_state(rule: RuleFields) -> Iterator[Fault]:
    timed = rule.kpi == "time_in_state_s"
    if timed and rule.state is None:
        yield "state", "time_in_state_s needs the state, such as away"
    if rule.state is not None and not timed:
        yield "state", "only for time_in_state_s"
    if rule.reason is not None and rule.state != "away":
        yield "reason", "only for the state away"


def _of_service_level(rule: RuleFields) -> Iterator[Fault]:
    for key, given in (("variant", rule.variant), ("threshold_s", rule.threshold_s)):
        if given is not None and rule.kpi != "service_level":
            yield key, "only for service_level"
    if rule.threshold_s is not None and rule.threshold_s not in THRESHOLDS_S:
        yield "threshold_s", f"expected one of {', '.join(map(str, THRESHOLDS_S))}"


def _of_days(rule: RuleFields) -> Iterator[Fault]:
    if rule.window.kind != "days":
        return
    given = {"for": rule.for_ms, "keep_firing_for": rule.keep_ms, "shift_hours": rule.shift_hours}
    for key, part in given.items():
        if part:
            yield key, "a rule over days is judged once, after each site day: leave it out"
