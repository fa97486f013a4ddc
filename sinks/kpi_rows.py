"""KPIs read from the views, as the rows that people and programs are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from schemas.kpis import DEFAULT_THRESHOLD_S, DEFAULT_VARIANT
from schemas.times import from_ms
from sinks.kpi_views import GROUPS, By

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

COUNTS = ("offered", "answered", "abandoned", "handled")
RATIOS = (
    "abandon_rate",
    "asa_s",
    "aht_s",
    "avg_talk_s",
    "avg_hold_s",
    "avg_wrap_s",
    "service_level",
    "short_call_share",
    "occupancy",
)
FIGURES = (*COUNTS, *RATIOS, "away_s")
"""The figures of a row in their order; those that are not the group's own are None."""


@dataclass(frozen=True, slots=True)
class Question:
    """Which KPIs: by what, over [from, to), in which steps and which zone, and by which service level."""

    by: By
    from_ms: int
    to_ms: int
    zone: ZoneInfo
    step_s: int = 0
    """0: the whole range as one row; 86400: local days; else seconds that divide a day."""
    variant: int = DEFAULT_VARIANT
    threshold_s: int = DEFAULT_THRESHOLD_S


def read_kpis(client: Client, question: Question) -> list[dict[str, Any]]:
    """
    A row for each group and bucket that has anything, by group and time.

    Keys: the kind of the group with its id, `from` and `to` (ISO 8601 in the zone), the figures of `FIGURES` with
    shares as fractions of 1, and `n`: ratio -> its denominator. What is not the group's own is None, its n too.
    """
    own = GROUPS[question.by].kpis()
    figures = {name: _column(name, question.variant) for name in FIGURES if name in own}
    counted = {name: f"n_{figures[name]}" for name in RATIOS if name in own}
    listed = ", ".join((*figures.values(), *counted.values()))
    result = client.query(
        f"SELECT {question.by}, toUnixTimestamp(opened_at), toUnixTimestamp(closed_at), {listed}"
        f" FROM kpi_{question.by}({_arguments(question)}) ORDER BY {question.by}, opened_at"
    )
    return [_row(question, row, tuple(figures), tuple(counted)) for row in result.result_rows]


def _arguments(question: Question) -> str:
    first, last = (from_ms(ms).strftime("%Y-%m-%d %H:%M:%S") for ms in (question.from_ms, question.to_ms))
    return (
        f"from = '{first}', to = '{last}', step_s = {question.step_s}, zone = '{question.zone.key}',"
        f" threshold_s = {question.threshold_s}"
    )


def _column(name: str, variant: int) -> str:
    return f"service_level_{variant}" if name == "service_level" else name


def _row(question: Question, row: Sequence[Any], figures: tuple[str, ...], counted: tuple[str, ...]) -> dict[str, Any]:
    group, opened_s, closed_s, *values = row
    given = dict(zip(figures, values[: len(figures)], strict=True))
    n = dict(zip(counted, values[len(figures) :], strict=True))
    return {
        question.by: group,
        "from": _local(opened_s, question.zone),
        "to": _local(closed_s, question.zone),
        **{name: given.get(name) for name in FIGURES},
        "n": {name: n.get(name) for name in RATIOS},
    }


def _local(at_s: int, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(at_s, zone).isoformat()
