"""
The KPI catalogue: one definition of each figure, for the engine, the views, the CLI, the web and the docs.

Sources: docs/kpis.md. What a term stands for: `schemas.kpi_terms`; how a value is made: `schemas.kpi_model`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from schemas.kpi_model import Better, Kpi, Unit, parts, ratio, sql_parts, sql_value, value
from schemas.panes import WORK_COLUMNS

__all__ = [
    "DEFAULT_VARIANT", "KPIS", "LIVE_KPIS", "SERVICE_LEVEL_VARIANTS", "Kpi", "Unit", "Variant",
    "parts", "ratio", "service_level", "sql_parts", "sql_value", "value",
]  # fmt: skip

Variant = Literal[1, 2, 3, 4, 5, "g", "gf", "gs", "gfs", "ga", "gfa"]

DEFAULT_VARIANT: Variant = 3

_HANDLE = ("talk_ms", "hold_ms", "wrap_ms")
_BUSY = ("on_contact_ms", "on_hold_ms", "in_wrap_ms")
_LOGGED_IN = (*WORK_COLUMNS, "away_ms")
_HOUR_MS = 3_600_000


def _count(id_: str, name: str, words: str, column: str, better: Better = "none") -> Kpi:
    return Kpi(id_, name, words, (column,), (), "count", better)


def _time(id_: str, name: str, words: str, columns: tuple[str, ...], better: Better = "none") -> Kpi:
    return Kpi(id_, name, words, columns, (), "s", better, divisor=1000)


def _mean(
    id_: str, name: str, words: str, top: tuple[str, ...], bottom: str, better: Better = "lower", source: str = ""
) -> Kpi:
    return Kpi(id_, name, words, top, (bottom,), "s", better, divisor=1000, source=source)


Terms = str | tuple[str, ...]


def _share(
    id_: str, name: str, words: str, over: tuple[Terms, Terms], better: Better = "lower", *, source: str = ""
) -> Kpi:
    top, bottom = ((terms,) if isinstance(terms, str) else terms for terms in over)
    return Kpi(id_, name, words, top, bottom, "share", better, source=source)


def _time_share(id_: str, name: str, words: str, over: tuple[Terms, Terms], better: Better, *, source: str = "") -> Kpi:
    """A share of time: its n is a time, for which no minimum is asked."""
    return replace(_share(id_, name, words, over, better, source=source), least_n=0)


_OF_QUEUES = (
    _count("offered", "Offered", "Contacts that entered the queue.", "offered"),
    _count("answered", "Answered", "Contacts that left the queue for an agent.", "answered"),
    _count("abandoned", "Abandoned", "Contacts whose customer gave up waiting.", "abandoned", "lower"),
    _count("flowed_out", "Flowed out", "Contacts that left the queue otherwise.", "flowed_out"),
    _share(
        "abandon_rate", "Abandon rate", "Abandoned divided by offered.", ("abandoned", "offered"), source="AWS, Genesys"
    ),
    _share(
        "abandon_rate_beyond_short",
        "Abandon rate without short abandons",
        "Abandoned after S divided by offered without those abandoned within S.",
        ("abandoned>S", ("offered", "-abandoned<=S")),
        source="Google",
    ),
    _share("flow_out_rate", "Flow-out rate", "Flowed out divided by offered.", ("flowed_out", "offered")),
    _mean(
        "asa_s",
        "Speed of answer",
        "Queue wait of the answered contacts divided by answered.",
        ("answered_wait_ms",),
        "answered",
        source="AWS",
    ),
    _mean(
        "avg_abandon_wait_s",
        "Wait before abandoning",
        "Queue wait of the abandoned contacts divided by abandoned.",
        ("abandoned_wait_ms",),
        "abandoned",
        "none",
    ),
    _share(
        "service_level",
        "Service level",
        "Replaced by the variant asked for: see `service_level`.",
        ("answered<=T", ("answered", "abandoned")),
        "higher",
    ),
    _count("tickets_created", "Tickets created", "Tickets that came in.", "tickets_created"),
    _count("tickets_solved", "Tickets solved", "Tickets solved.", "tickets_solved"),
    _count("tickets_reopened", "Tickets reopened", "Tickets opened again after they were solved.", "tickets_reopened"),
    _share("reopen_rate", "Reopened", "Tickets reopened divided by solved.", ("tickets_reopened", "tickets_solved")),
    _count("tickets_breached", "Deadlines missed", "Tickets that missed their deadline.", "tickets_breached", "lower"),
)

_OF_CONTACTS = (
    _count("handled", "Handled", "Contacts finished, wrap included.", "handled"),
    _mean(
        "aht_s",
        "Handle time",
        "Talk, hold and wrap divided by contacts handled.",
        _HANDLE,
        "handled",
        "band",
        source="AWS",
    ),
    _mean("avg_talk_s", "Talk time", "Talk divided by contacts handled.", ("talk_ms",), "handled", "band"),
    _mean(
        "avg_hold_s", "Hold time", "Hold divided by the contacts that had a hold.", ("hold_ms",), "held", source="AWS"
    ),
    _mean("avg_wrap_s", "Wrap time", "Wrap divided by contacts handled.", ("wrap_ms",), "handled"),
    _share("hold_share", "Held", "Contacts with a hold divided by contacts handled.", ("held", "handled")),
    _share(
        "short_call_share",
        "Short calls",
        "Contacts with at most 10 s of talk divided by contacts handled.",
        ("short_calls", "handled"),
    ),
    _share(
        "without_wrap_share",
        "Without wrap",
        "Contacts without any wrap divided by contacts handled.",
        ("without_wrap", "handled"),
        "none",
    ),
    _share(
        "transfer_rate",
        "Transfers",
        "Contacts transferred out divided by contacts handled.",
        ("transferred", "handled"),
        source="AWS",
    ),
    _count("capped", "Capped", "Contacts with talk, hold or wrap beyond 4 h, cut to it.", "capped", "lower"),
    _count("clamped", "Clamped", "Facts with a negative gap of up to 2 s between clocks, set to 0.", "clamped"),
)

_OF_AGENTS = (
    _time_share(
        "occupancy",
        "Occupancy",
        "On contact, hold and wrap divided by the same plus ready and ringing.",
        (_BUSY, WORK_COLUMNS),
        "band",
        source="COPC, AWS",
    ),
    _time_share(
        "utilization",
        "Utilization",
        "On contact, hold, wrap and away for productive reasons, divided by paid time logged in.",
        ((*_BUSY, "productive_away_ms"), "paid_ms"),
        "band",
        source="COPC",
    ),
    _time_share(
        "shrinkage", "Shrinkage", "Paid time away divided by paid time logged in.", ("paid_away_ms", "paid_ms"), "lower"
    ),
    _time_share(
        "adherence",
        "Adherence",
        "Planned time spent in the planned category, divided by planned time.",
        ("adherent_ms", "planned_ms"),
        "higher",
        source="AWS",
    ),
    _time_share(
        "adherence_graced",
        "Adherence with grace",
        "The same, with 2 min of grace at the start and the end of each planned activity.",
        ("graced_ms", "planned_ms"),
        "higher",
        source="Verint",
    ),
    _time_share(
        "conformance",
        "Conformance",
        "Time worked, whenever, divided by time planned to be worked; may exceed 1.",
        ((*WORK_COLUMNS, "productive_away_ms"), "planned_work_ms"),
        "band",
    ),
    _time("login_s", "Login time", "Time in any state but offline.", _LOGGED_IN),
    _time("ready_s", "Ready time", "Time in state ready.", ("ready_ms",)),
    _time("away_s", "Time away", "Time in state away: the not-ready time.", ("away_ms",), "lower"),
    _time("engaged_s", "Engaged time", "Time with at least one contact in hand.", ("engaged_ms",)),
    Kpi(
        "contacts_per_hour",
        "Contacts per hour",
        "Contacts handled divided by hours logged in.",
        ("handled",),
        _LOGGED_IN,
        "per_hour",
        "higher",
        times=_HOUR_MS,
    ),
    Kpi(
        "contacts_per_ready_hour",
        "Contacts per ready hour",
        "Contacts handled divided by hours logged in and not away.",
        ("handled",),
        WORK_COLUMNS,
        "per_hour",
        "higher",
        times=_HOUR_MS,
    ),
    Kpi(
        "concurrency",
        "Concurrency",
        "Handle time of all contacts divided by the time with at least one in hand.",
        _HANDLE,
        ("engaged_ms",),
        "ratio",
        "none",
    ),
    _mean(
        "concurrent_aht_s",
        "Handle time by concurrency",
        "Time with at least one contact in hand divided by contacts handled.",
        ("engaged_ms",),
        "handled",
        "band",
    ),
    _share(
        "answer_rate",
        "Taken",
        "Contacts taken divided by all offered to the agent; one contact can be offered again.",
        ("accepted", ("accepted", "rejected")),
        "higher",
        source="AWS",
    ),
    _share(
        "non_response",
        "Not taken",
        "Contacts offered to the agent and not taken, divided by all offered to the agent.",
        ("rejected", ("accepted", "rejected")),
        source="AWS",
    ),
    Kpi(
        "avg_ring_s",
        "Ring time",
        "Ringing of the contacts offered to the agent divided by their number.",
        ("rang_ms",),
        ("accepted", "rejected"),
        "s",
        "lower",
        divisor=1000,
    ),
    _count("aways", "Aways", "How often the agent went away.", "aways"),
    _count("logouts", "Logouts", "How often the agent went offline.", "logouts"),
    Kpi(
        "quality",
        "Quality",
        "Mean score of the evaluations, per cent; an evaluation with a fatal item scores 0.",
        ("score_hundredths",),
        ("scored",),
        "points",
        "higher",
        divisor=100,
        source="AWS, Genesys",
    ),
    _count("fatal", "Fatal items", "Evaluations with a fatal item.", "fatal", "lower"),
    _share(
        "csat",
        "Satisfaction",
        "Answers of 4 or 5 divided by all satisfaction answers.",
        ("csat_satisfied", "csat_answered"),
        "higher",
    ),
    Kpi(
        "nps",
        "Net promoter score",
        "Share of answers of 9 or 10 less share of answers of 0 to 6, in points.",
        ("nps_promoters", "-nps_detractors"),
        ("nps_answered",),
        "points",
        "higher",
        20,
        times=100,
    ),
    _share(
        "resolved_rate",
        "First contact resolution (asked)",
        "Surveys that say the matter was resolved divided by surveys that say either.",
        ("resolved", "resolved_answered"),
        "higher",
        source="SQM",
    ),
    _count("tasks", "Tasks", "Back-office tasks.", "tasks"),
    _mean("avg_task_s", "Task time", "Time of back-office tasks divided by their units.", ("task_ms",), "task_units"),
    _time_share(
        "task_efficiency",
        "Task time against standard",
        "Standard time of the units done divided by the time they took; only tasks that have a standard.",
        ("task_standard_ms", "task_timed_ms"),
        "higher",
    ),
    _count("tickets_worked", "Ticket steps", "Steps on tickets.", "tickets_worked"),
    _count("tickets_solved_by", "Tickets solved by", "Tickets that the agent solved.", "tickets_solved_by"),
)

KPIS: dict[str, Kpi] = {kpi.id: kpi for kpi in (*_OF_QUEUES, *_OF_CONTACTS, *_OF_AGENTS)}

_G = "Genesys: answered within T, divided by answered and abandoned"
SERVICE_LEVEL_VARIANTS: dict[Variant, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    1: (
        "Answered and abandoned within T, divided by answered and abandoned.",
        ("answered<=T", "abandoned<=T"),
        ("answered", "abandoned"),
    ),
    2: ("Answered within T, divided by answered.", ("answered<=T",), ("answered",)),
    3: ("Answered within T, divided by answered and abandoned.", ("answered<=T",), ("answered", "abandoned")),
    4: ("Answered within T, divided by answered and abandoned after T.", ("answered<=T",), ("answered", "abandoned>T")),
    5: (
        "Answered within T and abandoned within S, divided by answered and abandoned.",
        ("answered<=T", "abandoned<=S"),
        ("answered", "abandoned"),
    ),
    "g": (f"{_G}.", ("answered<=T",), ("answered", "abandoned")),
    "gf": (f"{_G} and flowed out.", ("answered<=T",), ("answered", "abandoned", "flowed_out")),
    "gs": (f"{_G} after S.", ("answered<=T",), ("answered", "abandoned>S")),
    "gfs": (f"{_G} after S and flowed out.", ("answered<=T",), ("answered", "abandoned>S", "flowed_out")),
    "ga": ("Genesys: answered within T, divided by answered.", ("answered<=T",), ("answered",)),
    "gfa": (
        "Genesys: answered within T, divided by answered and flowed out.",
        ("answered<=T",),
        ("answered", "flowed_out"),
    ),
}
"""The contract forms; `g` is Genesys' with its switches: f flow-outs in, s short abandons out, a abandons out."""

LIVE_KPIS: dict[str, str] = {
    "time_in_state_s": "Time since the agent entered the state, s.",
    "longest_wait_s": "Age of the contact that has waited longest in the queue, s.",
}
"""Figures of the present instant that rules can name; they have no sums."""


def service_level(variant: Variant = DEFAULT_VARIANT) -> Kpi:
    """The service level in one of its contract forms; KeyError for another one."""
    words, numerator, denominator = SERVICE_LEVEL_VARIANTS[variant]
    return replace(KPIS["service_level"], words=words, numerator=numerator, denominator=denominator)
