"""Reads what the pages of one alert and one case show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from floorpulse.web import record_queries
from floorpulse.web.alert_views import Marks, alert_view, marks_of
from floorpulse.web.case_views import OUTCOME_WORDS, CaseView, Entry, Proof, case_view, timeline
from floorpulse.web.formats import duration, kpi_figure, kpi_name, kpi_words
from floorpulse.web.plots import plot_of, row_of
from floorpulse.web.record_queries import AlertRow
from floorpulse.web.series import contract
from schemas.records import ALERT
from schemas.times import to_ms

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

    from floorpulse.web.poller import Live
    from schemas.registry import Registry

STEP_WORDS = {
    "breached": "the limit was passed",
    "cleared": "the figure is back within its limit",
    "too_few": "too few contacts to judge",
    "state_left": "the state was left",
    "rule_changed": "the rule was changed",
    "day_over": "the day is over",
    "logged_off": "signed off",
}
WHAT_WORDS = {
    "talk_s": "talk",
    "hold_s": "hold",
    "wrap_s": "wrap",
    "handle_s": "handle time",
    "waited_s": "waited",
    "abandoned_s": "gave up after",
}


def alert_page(client: Client, live: Live, alert: str, now_ms: int) -> dict[str, Any] | None:
    """All that the page of an alert shows; None for an unknown one."""
    steps = record_queries.alert(client, alert)
    if not steps:
        return None
    entries = [entry for entry in record_queries.ledger(client, [alert]) if entry.stream == f"{ALERT}{alert}"]
    latest, first = steps[-1], next((step for step in steps if step.evidence), steps[0])
    marks, case = marks_of(entries).get(alert, Marks()), record_queries.case_of(client, latest.subject, alert)
    rule = record_queries.rule(client, first.rule, first.rule_version)
    return {
        "alert": alert_view(latest, marks, case, live.registry, now_ms),
        "evidence": evidence_rows(first.evidence),
        "rule": rule_words(rule),
        "rule_version": first.rule_version,
        "words": definition(first.kpi, latest.subject, rule, live.registry),
        "plot": plot_of(client, first, rule, live.registry, live.pulse.clock_ms or now_ms),
        "timeline": sorted([*_rule_steps(steps), *timeline(entries)], key=lambda entry: -entry.at_ms),
        "subject": latest.subject,
        "typed": {"reason": "", "version": ""},
        "typed_step": "",
    }


def case_page(client: Client, live: Live, case: str, now_ms: int) -> dict[str, Any] | None:
    """All that the page of a case shows; None for an unknown one."""
    view = case_view(record_queries.ledger(client, [case]))
    if view is None:
        return None
    first = row_of(view.proofs[0].transition)
    rule = record_queries.rule(client, first.rule, first.rule_version)
    kpis = {proof.transition.kpi for proof in view.proofs}
    return {
        "case": view,
        "proofs": [(proof, evidence_rows(_evidence(proof))) for proof in view.proofs],
        "plot": plot_of(client, first, rule, live.registry, live.pulse.clock_ms or now_ms),
        "words": {kpi: definition(kpi, view.case.stream, rule, live.registry) for kpi in kpis},
        "outcomes": OUTCOME_WORDS,
        "subject": view.case.stream,
        "typed": typed_plan(view),
        "typed_step": "",
    }


def typed_plan(view: CaseView) -> dict[str, str]:
    """The fields of the forms as they begin: the plan as it stands, all else empty; no version is the newest."""
    plan = view.case.plan or {}
    target = plan.get("target")
    empty = dict.fromkeys(("shared_notes", "private_notes", "outcome", "note", "text", "version"), "")
    return empty | {
        "goal": str(plan.get("goal", "")),
        "target": "" if target is None else str(target),
        "actions": "\n".join(plan.get("actions", [])),
        "due": str(plan.get("due", "")),
    }


def evidence_rows(evidence: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The contacts behind an alert with their times and durations."""
    return [
        {
            "contact": item["contact"],
            "at_ms": to_ms(datetime.fromisoformat(item["at"])),
            "what": WHAT_WORDS.get(item["what"], item["what"].replace("_", " ").removesuffix(" s")),
            "value": _evidence_value(item["what"], float(item["value"])),
        }
        for item in evidence
    ]


def rule_words(rule: Mapping[str, Any]) -> dict[str, Any]:
    """A rule's keys with its limits written in the unit of its KPI."""
    kpi = str(rule.get("kpi", ""))
    limits = {key: kpi_figure(kpi, rule[key]) for key in ("threshold", "clear") if rule.get(key) is not None}
    named = {"kpi": kpi_name(kpi)} if kpi else {}
    return {"name": "", "text": ""} | dict(rule) | limits | named if rule else {"name": "", "text": ""}


def definition(kpi: str, subject: str, rule: Mapping[str, Any], registry: Registry) -> str:
    """The definition of a KPI in words; of a service level by the variant of the rule, else of the contract."""
    return contract(kpi, subject, rule, registry)[0].words if kpi == "service_level" else kpi_words(kpi)


def _evidence(proof: Proof) -> list[dict[str, Any]]:
    return [item.model_dump(mode="json") for item in proof.transition.evidence]


def _evidence_value(what: str, value: float) -> str:
    is_time = what.endswith("_s") or what in {"away", "wrap", "hold", "ready", "ringing", "on_contact"}
    return duration(value) if is_time else f"{value:g}"


def _rule_steps(steps: Iterable[AlertRow]) -> list[Entry]:
    return [
        Entry(
            at_ms=step.at_ms,
            by=f"rule {step.rule}",
            words="Fired" if step.state == "firing" else "Over",
            lines=(
                ("Why", f"{STEP_WORDS.get(step.reason, step.reason)}: {kpi_figure(step.kpi, step.value)}"
                 f" against {kpi_figure(step.kpi, step.threshold)}, n {step.n}"),
            ),
        )
        for step in steps
    ]  # fmt: skip
