"""
The SQL that reads panes over a range: quarter hours of days that are rolled up, minutes of all others.

A day is clean when nothing of it was stored since it was rolled (view `clean_days`). Of a clean day the quarter hours
that lie wholly in the range are read, and the minutes at its edges; of any other day the minutes. The list of clean
days is one scalar of the query, so that no pane is read twice or not at all while a day is being rolled.
"""

from __future__ import annotations

from dataclasses import dataclass

QUARTER_S = 900

CLEAN = "(SELECT (groupArray(day), groupArrayIf(day, has_minutes)) FROM clean_days) AS clean"
"""A scalar for the WITH of every query with these conditions: clean days, and those whose minutes are kept."""


@dataclass(frozen=True, slots=True)
class Span:
    """A range of time as SQL: UTC instants of type DateTime, and whether quarter hours may be read at all."""

    first: str
    last: str
    """Exclusive."""
    by_quarters: str = "1"
    """False where buckets begin or end within a quarter hour."""

    @property
    def first_quarter(self) -> str:
        """The first quarter hour that lies wholly in the range; its end where none may be read."""
        up = f"toDateTime(intDiv(toUnixTimestamp({self.first}) + {QUARTER_S - 1}, {QUARTER_S}) * {QUARTER_S}, 'UTC')"
        return f"if({self.by_quarters}, {up}, {self.last})"

    @property
    def last_quarter(self) -> str:
        """The end of the last quarter hour that lies wholly in the range."""
        return f"toStartOfFifteenMinutes({self.last})"


def of_quarters(span: Span) -> str:
    """The condition of the quarter hours that are read."""
    return f"quarter >= {span.first_quarter} AND quarter < {span.last_quarter} AND toDate(quarter) IN clean.1"


def of_minutes(span: Span, more: str = "0") -> str:
    """The condition of the minutes that are read: all but those whose quarter hour is, and `more`."""
    held = f"minute >= {span.first_quarter} AND minute < {span.last_quarter} AND toDate(minute) IN clean.1"
    return f"minute >= {span.first} AND minute < {span.last} AND (NOT ({held}) OR {more})"
