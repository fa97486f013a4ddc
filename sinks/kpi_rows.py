"""KPIs read by the SELECT of their views, as the rows that people and programs are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from schemas.kpi_terms import DEFAULT_LIMITS, Limits
from schemas.kpis import DEFAULT_VARIANT, KPIS, Variant
from schemas.times import from_ms
from sinks.kpi_groups import GROUPS, By
from sinks.kpi_views import kpi_select

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

FIGURES = (
    "offered",
    "answered",
    "abandoned",
    "handled",
    "abandon_rate",
    "asa_s",
    "aht_s",
    "avg_talk_s",
    "avg_hold_s",
    "avg_wrap_s",
    "service_level",
    "short_call_share",
    "occupancy",
    "away_s",
)
"""The figures of a row where none are asked for; those that are not the group's own are None."""


@dataclass(frozen=True, slots=True)
class Question:
    """Which KPIs: by what, over [from, to), in which steps and which zone, and by which service level."""

    by: By
    from_ms: int
    to_ms: int
    zone: ZoneInfo
    step_s: int = 0
    """0: the whole range as one row; 86400: local days; else seconds that divide a day."""
    variant: Variant = DEFAULT_VARIANT
    limits: Limits = DEFAULT_LIMITS
    only: str = ""
    """The id of one group; empty for all."""
    figures: tuple[str, ...] = FIGURES
    """Ids of KPIs, in the order wanted."""

    @property
    def ratios(self) -> tuple[str, ...]:
        """The figures that have a denominator, and so an n."""
        return tuple(name for name in self.figures if KPIS[name].denominator)


def read_kpis(client: Client, question: Question) -> list[dict[str, Any]]:
    """
    A row for each group and bucket that has anything, by group and time.

    Keys: the kind of the group with its id, `from` and `to` (ISO 8601 in the zone), the figures asked for with shares
    as fractions of 1, and `n`: ratio -> its denominator. What is not the group's own is None, its n too.
    """
    own = GROUPS[question.by].kpis()
    figures = {name: _column(name, question.variant) for name in question.figures if name in own}
    counted = {name: f"n_{figures[name]}" for name in question.ratios if name in own}
    listed = ", ".join(
        ("toUnixTimestamp(opened_at)", "toUnixTimestamp(closed_at)", *figures.values(), *counted.values())
    )
    asked = kpi_select(question.by, figures.values())
    result = client.query(
        f"SELECT {question.by}, {listed} FROM (\n{asked}\n) ORDER BY {question.by}, opened_at",
        parameters=_parameters(question),
    )
    return [_row(question, row, tuple(figures), tuple(counted)) for row in result.result_rows]


def _parameters(question: Question) -> dict[str, object]:
    return {
        "from": f"{from_ms(question.from_ms):%Y-%m-%d %H:%M:%S}",
        "to": f"{from_ms(question.to_ms):%Y-%m-%d %H:%M:%S}",
        "step_s": question.step_s,
        "zone": question.zone.key,
        "threshold_s": question.limits.threshold_s,
        "short_s": question.limits.short_s,
        "only": question.only,
    }


def _column(name: str, variant: Variant) -> str:
    return f"service_level_{variant}" if name == "service_level" else name


def _row(question: Question, row: Sequence[Any], figures: tuple[str, ...], counted: tuple[str, ...]) -> dict[str, Any]:
    group, opened_s, closed_s, *values = row
    given = dict(zip(figures, values[: len(figures)], strict=True))
    n = dict(zip(counted, values[len(figures) :], strict=True))
    return {
        question.by: group,
        "from": _local(opened_s, question.zone),
        "to": _local(closed_s, question.zone),
        **{name: given.get(name) for name in question.figures},
        "n": {name: n.get(name) for name in question.ratios},
    }


def _local(at_s: int, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(at_s, zone).isoformat()
