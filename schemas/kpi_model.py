"""
A KPI: a numerator over a denominator, both sums of terms, and how its value comes out of sums, in Python and in SQL.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from schemas.kpi_terms import DEFAULT_LIMITS, NO_CODES, Codes, Limits, columns_of, term_sql, term_value, waits_of
from schemas.panes import Sums

Unit = Literal["count", "share", "s", "points", "per_hour", "ratio"]
Better = Literal["higher", "lower", "band", "none"]
_LEAST_N: dict[Unit, int] = {"count": 0, "share": 20, "s": 5, "points": 3, "per_hour": 0, "ratio": 0}


@dataclass(frozen=True, slots=True)
class Kpi:
    """One figure: `times * sum(numerator) / (divisor * sum(denominator))`; without a denominator it is a sum."""

    id: str
    name: str
    words: str
    """The formula in plain words, shown beside every number."""
    numerator: tuple[str, ...]
    denominator: tuple[str, ...]
    unit: Unit
    better: Better
    least_n: int | None = None
    """Overrides the minimum n of the unit; 0 where the denominator is time."""
    divisor: int = 1
    """1000 where the numerator is in ms and the unit is s; 100 for hundredths."""
    times: int = 1
    """3,600,000 for a rate per hour of a time in ms; 100 for a difference of shares in points."""
    source: str = ""
    """Where the definition comes from."""

    @property
    def min_n(self) -> int:
        """Below this denominator the value is shown, and judged by nobody."""
        if not self.denominator:
            return 0
        return _LEAST_N[self.unit] if self.least_n is None else self.least_n

    @property
    def columns(self) -> frozenset[str]:
        """The pane columns it is made from: who holds them all can be asked for it."""
        return frozenset(column for term in self.numerator + self.denominator for column in columns_of(term))

    @property
    def counted_waits(self) -> frozenset[str]:
        """The arrays of counted waits that its limits are looked up in."""
        return frozenset(name for term in self.numerator + self.denominator for name in waits_of(term))


def parts(kpi: Kpi, sums: Sums, limits: Limits = DEFAULT_LIMITS, codes: Codes = NO_CODES) -> tuple[int, int]:
    """Numerator and denominator (n) of a KPI; n is the numerator itself where there is no denominator."""
    top = sum(term_value(term, sums, limits, codes) for term in kpi.numerator)
    if not kpi.denominator:
        return top, top
    return top, sum(term_value(term, sums, limits, codes) for term in kpi.denominator)


def ratio(kpi: Kpi, top: int, bottom: int) -> float | None:
    """
    The figure of a numerator and its denominator; None where that is 0: missing is not zero.

    Or below 0: a sum less another may be, as what is taken away came before.
    """
    if not kpi.denominator:
        return top * kpi.times / kpi.divisor
    return top * kpi.times / (bottom * kpi.divisor) if bottom > 0 else None


def value(kpi: Kpi, sums: Sums, limits: Limits = DEFAULT_LIMITS, codes: Codes = NO_CODES) -> float | None:
    """
    The figure in its unit; None where the denominator is 0 or less.

    >>> aht_s = Kpi("aht_s", "", "", ("talk_ms", "wrap_ms"), ("handled",), "s", "band", divisor=1000)
    >>> value(aht_s, {"talk_ms": 60_000, "wrap_ms": 20_000, "handled": 2})
    40.0
    """
    return ratio(kpi, *parts(kpi, sums, limits, codes))


def sql_parts(kpi: Kpi, threshold: str = "threshold_s", short: str = "short_s") -> tuple[str, str]:
    """Numerator and denominator as SQL; the denominator of a plain sum is `''`."""
    top = " + ".join(term_sql(term, threshold, short) for term in kpi.numerator)
    return top, " + ".join(term_sql(term, threshold, short) for term in kpi.denominator)


def sql_value(kpi: Kpi, threshold: str = "threshold_s", short: str = "short_s") -> str:
    """The figure as SQL, NULL where the denominator is 0 or less."""
    top, bottom = sql_parts(kpi, threshold, short)
    scaled = f"({top}) * {kpi.times}" if kpi.times != 1 else f"({top})"
    if not bottom:
        return f"{scaled} / {kpi.divisor}" if kpi.divisor != 1 else f"toInt64({top})"
    is_less_another = any(term.startswith("-") for term in kpi.denominator)
    under = f"nullIf({f'greatest({bottom}, 0)' if is_less_another else bottom}, 0)"
    return f"{scaled} / ({under} * {kpi.divisor})" if kpi.divisor != 1 else f"{scaled} / {under}"
