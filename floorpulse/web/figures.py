"""Figures with all that belongs to them: value, target, judgement, n and definition. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from floorpulse.web.formats import NOTHING, figure
from schemas.kpi_terms import NO_CODES, Codes
from schemas.kpis import Kpi, parts, ratio
from schemas.panes import Sums

Status = Literal["", "good", "watch", "act"]

MARGIN = 0.1
"""How far beyond its target, as a part of it, a figure is to be watched; beyond that somebody has to act."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One number as a page shows it."""

    kpi: str
    text: str = NOTHING
    status: Status = ""
    target: str = ""
    few: str = ""
    """`n 4 of 20` where n is too small for a judgement."""
    note: str = ""
    """n and window in words, for the definition that opens on it."""


def of_parts(kpi: Kpi, top: int, bottom: int, target: float | None, over: str) -> Figure:
    """
    The figure of a numerator and its n; `over` says of which time.

    Below the KPI's minimum n it is grey and judged by nobody: a lead must not act on chance.
    """
    value = ratio(kpi, top, bottom)
    if not kpi.denominator:
        return Figure(kpi.id, figure(value, kpi.unit), note=over)
    enough = bottom >= kpi.min_n
    return Figure(
        kpi=kpi.id,
        text=figure(value, kpi.unit),
        status=judge(kpi, value, target) if enough else "",
        target="" if target is None else figure(target, kpi.unit),
        few="" if enough or not bottom else f"n {bottom} of {kpi.min_n}",
        note=f"n {bottom:,}, {over}",
    )


def of_sums(kpi: Kpi, sums: Sums, target: float | None, over: str, codes: Codes = NO_CODES) -> Figure:
    """The figure of the sums of one window."""
    top, bottom = parts(kpi, sums, codes=codes)
    return of_parts(kpi, top, bottom, target, over)


def judge(kpi: Kpi, value: float | None, target: float | None) -> Status:
    """How a value stands to its target; `''` where either is missing or the KPI asks for no direction."""
    if value is None or target is None or kpi.better == "none":
        return ""
    over = (value - target) / target if target else value
    if kpi.better == "band":  # too low is telling too (calls cut short, people without work), but no alarm
        return "good" if abs(over) <= MARGIN else "watch" if over <= 2 * MARGIN else "act"
    missed = -over if kpi.better == "higher" else over
    return "good" if missed <= 0 else "watch" if missed <= MARGIN else "act"


def total(many: Iterable[Sums]) -> dict[str, int]:
    """The sum of sums: ratios are made of totals, never of ratios."""
    whole: dict[str, int] = {}
    for sums in many:
        for column, amount in sums.items():
            whole[column] = whole.get(column, 0) + amount
    return whole
