"""
The KPI catalogue: one definition of each figure, for the engine, the views, the CLI, the web and the docs.

A KPI is a numerator over a denominator, both sums of pane columns. A term is a column, or a count of waits:
`answered<=T`, `abandoned<=T`, `abandoned>T` with T the threshold asked for, `abandoned<=5`. Sources: docs/kpis.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from schemas.panes import ABANDONED_WITHIN, ANSWERED_WITHIN, QUEUE_COLUMNS, THRESHOLDS_S, Sums, within

Unit = Literal["count", "share", "s", "points"]
Better = Literal["higher", "lower", "band", "none"]

DEFAULT_VARIANT = 3
DEFAULT_THRESHOLD_S = 20


@dataclass(frozen=True, slots=True)
class Kpi:
    """One figure. `value = scale * sum(numerator) / sum(denominator)`; without a denominator it is a sum."""

    id: str
    name: str
    words: str
    """The formula in plain words, shown beside every number."""
    numerator: tuple[str, ...]
    denominator: tuple[str, ...]
    unit: Unit
    better: Better
    min_n: int = 1
    """Below this denominator the value is not shown as a judgement."""
    divisor: int = 1
    """1000 where the numerator is in ms and the unit is s; 100 for hundredths."""

    @property
    def is_of_queue(self) -> bool:
        """True when the queue's own panes hold all of it."""
        columns = set(QUEUE_COLUMNS) - {
            "handled",
            "talk_ms",
            "hold_ms",
            "wrap_ms",
            "held",
            "short_calls",
            "transferred",
        }
        return all(_column(term) in columns for term in self.numerator + self.denominator)


_HANDLE = ("talk_ms", "hold_ms", "wrap_ms")
_BUSY = ("on_contact_ms", "on_hold_ms", "in_wrap_ms")

KPIS: dict[str, Kpi] = {
    kpi.id: kpi
    for kpi in (
        Kpi("offered", "Offered", "Contacts that entered the queue.", ("offered",), (), "count", "none"),
        Kpi("answered", "Answered", "Contacts that left the queue for an agent.", ("answered",), (), "count", "none"),
        Kpi("abandoned", "Abandoned", "Contacts whose customer gave up waiting.", ("abandoned",), (), "count", "lower"),
        Kpi(
            "flowed_out", "Flowed out", "Contacts that left the queue otherwise.", ("flowed_out",), (), "count", "none"
        ),
        Kpi("handled", "Handled", "Contacts finished, wrap included.", ("handled",), (), "count", "none"),
        Kpi(
            "abandon_rate",
            "Abandon rate",
            "Abandoned divided by offered.",
            ("abandoned",),
            ("offered",),
            "share",
            "lower",
        ),
        Kpi(
            "asa_s",
            "Speed of answer",
            "Queue wait of the answered contacts divided by answered.",
            ("answered_wait_ms",),
            ("answered",),
            "s",
            "lower",
            divisor=1000,
        ),
        Kpi(
            "aht_s",
            "Handle time",
            "Talk, hold and wrap divided by contacts handled.",
            _HANDLE,
            ("handled",),
            "s",
            "band",
            divisor=1000,
        ),
        Kpi(
            "avg_talk_s",
            "Talk time",
            "Talk divided by contacts handled.",
            ("talk_ms",),
            ("handled",),
            "s",
            "band",
            divisor=1000,
        ),
        Kpi(
            "avg_hold_s",
            "Hold time",
            "Hold divided by the contacts that had a hold.",
            ("hold_ms",),
            ("held",),
            "s",
            "lower",
            divisor=1000,
        ),
        Kpi(
            "avg_wrap_s",
            "Wrap time",
            "Wrap divided by contacts handled.",
            ("wrap_ms",),
            ("handled",),
            "s",
            "lower",
            divisor=1000,
        ),
        Kpi(
            "service_level",
            "Service level",
            "Replaced by the variant asked for: see `service_level`.",
            ("answered<=T",),
            ("answered", "abandoned"),
            "share",
            "higher",
        ),
        Kpi(
            "short_call_share",
            "Short calls",
            "Contacts with at most 10 s of talk divided by contacts handled.",
            ("short_calls",),
            ("handled",),
            "share",
            "lower",
        ),
        Kpi(
            "transfer_rate",
            "Transfers",
            "Contacts transferred out divided by contacts handled.",
            ("transferred",),
            ("handled",),
            "share",
            "lower",
        ),
        Kpi(
            "occupancy",
            "Occupancy",
            "On contact, hold and wrap divided by the same plus ready and ringing.",
            _BUSY,
            (*_BUSY, "ready_ms", "ringing_ms"),
            "share",
            "band",
        ),
        Kpi("away_s", "Time away", "Time in state away.", ("away_ms",), (), "s", "lower", divisor=1000),
        Kpi(
            "non_response",
            "Not taken",
            "Contacts offered to the agent and not taken, divided by all offered to the agent.",
            ("rejected",),
            ("accepted", "rejected"),
            "share",
            "lower",
        ),
        Kpi(
            "quality",
            "Quality",
            "Mean score of the evaluations, per cent.",
            ("score_hundredths",),
            ("scored",),
            "points",
            "higher",
            divisor=100,
        ),
        Kpi("fatal", "Fatal items", "Evaluations with a fatal item.", ("fatal",), (), "count", "lower"),
        Kpi(
            "csat",
            "Satisfaction",
            "Answers of 4 or 5 divided by all satisfaction answers.",
            ("csat_satisfied",),
            ("csat_answered",),
            "share",
            "higher",
        ),
    )
}

SERVICE_LEVEL_VARIANTS: dict[int, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    1: (
        "Answered and abandoned within T, divided by answered and abandoned.",
        ("answered<=T", "abandoned<=T"),
        ("answered", "abandoned"),
    ),
    2: ("Answered within T, divided by answered.", ("answered<=T",), ("answered",)),
    3: ("Answered within T, divided by answered and abandoned.", ("answered<=T",), ("answered", "abandoned")),
    4: ("Answered within T, divided by answered and abandoned after T.", ("answered<=T",), ("answered", "abandoned>T")),
    5: (
        "Answered within T and abandoned within 5 s, divided by answered and abandoned.",
        ("answered<=T", "abandoned<=5"),
        ("answered", "abandoned"),
    ),
}

LIVE_KPIS: dict[str, str] = {
    "time_in_state_s": "Time since the agent entered the state, s.",
    "longest_wait_s": "Age of the contact that has waited longest in the queue, s.",
}
"""Figures of the present instant that rules can name; they have no sums."""


def service_level(variant: int = DEFAULT_VARIANT) -> Kpi:
    """The service level in one of its five contract forms; KeyError for another number."""
    words, numerator, denominator = SERVICE_LEVEL_VARIANTS[variant]
    return replace(KPIS["service_level"], words=words, numerator=numerator, denominator=denominator)


def parts(kpi: Kpi, sums: Sums, threshold_s: int = DEFAULT_THRESHOLD_S) -> tuple[int, int]:
    """Numerator and denominator (n) of a KPI; n is the numerator itself where there is no denominator."""
    top = sum(_term(term, sums, threshold_s) for term in kpi.numerator)
    if not kpi.denominator:
        return top, top
    return top, sum(_term(term, sums, threshold_s) for term in kpi.denominator)


def value(kpi: Kpi, sums: Sums, threshold_s: int = DEFAULT_THRESHOLD_S) -> float | None:
    """
    The figure in its unit; None where the denominator is 0: a missing value is not a zero.

    >>> value(KPIS["aht_s"], {"talk_ms": 60_000, "wrap_ms": 20_000, "handled": 2})
    40.0
    """
    top, bottom = parts(kpi, sums, threshold_s)
    if not kpi.denominator:
        return top / kpi.divisor
    return top / (bottom * kpi.divisor) if bottom else None


def sql_term(term: str, threshold: str = "threshold_s") -> str:
    """
    The term as SQL over a relation that has the summed columns and the summed wait arrays.

    `threshold` is the SQL of T in seconds; it must be one of `THRESHOLDS_S`.
    """
    column, _, limit = term.partition("<=") if "<=" in term else term.partition(">")
    if not limit:
        return column
    edge = threshold if limit == "T" else limit
    counted = f"arraySum(arraySlice({column}_waits, 1, indexOf({list(THRESHOLDS_S)}, {edge})))"
    return counted if "<=" in term else f"({column} - {counted})"


def sql_parts(kpi: Kpi, threshold: str = "threshold_s") -> tuple[str, str]:
    """Numerator and denominator as SQL; the denominator of a plain sum is `''`."""
    top = " + ".join(sql_term(term, threshold) for term in kpi.numerator)
    return top, " + ".join(sql_term(term, threshold) for term in kpi.denominator)


def sql_value(kpi: Kpi, threshold: str = "threshold_s") -> str:
    """The figure as SQL, NULL where the denominator is 0."""
    top, bottom = sql_parts(kpi, threshold)
    scaled = f"({bottom}) * {kpi.divisor}" if kpi.divisor != 1 else f"({bottom})"
    if not bottom:
        return f"({top}) / {kpi.divisor}" if kpi.divisor != 1 else f"({top})"
    return f"if(({bottom}) = 0, NULL, ({top}) / ({scaled}))"


def _column(term: str) -> str:
    return term.replace(">", "<=").partition("<=")[0]


def _term(term: str, sums: Sums, threshold_s: int) -> int:
    if "<=" in term:
        column, _, limit = term.partition("<=")
        return within(sums, _BUCKETS[column], threshold_s if limit == "T" else int(limit))
    if ">" in term:
        column, _, limit = term.partition(">")
        counted = within(sums, _BUCKETS[column], threshold_s if limit == "T" else int(limit))
        return sums.get(column, 0) - counted
    return sums.get(term, 0)


_BUCKETS = {"answered": ANSWERED_WITHIN, "abandoned": ABANDONED_WITHIN}
