"""The page of the results: a table for each part with medians, spread, and floorpulse's ratio to each peer."""

from __future__ import annotations

from collections.abc import Iterable

from benchmarks.results import Book, Column, Result, Row
from floorpulse.docs.markdown import table

HEAD = "<!-- Made by `make bench`: do not edit. -->"
LEAD = (
    "Each figure is the median of its rounds, with the lowest and the highest behind it where they differ. All parts of"
    " one table ran in turn on the same machine; a figure from elsewhere, or from another hour, compares with nothing"
    " here, but a ratio does. *Pace* is the CPU of decoding one event in a loop, before and after the part: it says how"
    " fast the machine was."
)


def page(book: Book, order: Iterable[str]) -> str:
    """The whole page; parts that were not measured are left out."""
    parts = [_part(book.results[name]) for name in order if name in book.results]
    about = table(("what", "which"), [*book.machine.items(), *book.versions.items()])
    return "\n\n".join([HEAD, "# Benchmarks", LEAD, *parts, f"## Machine and versions\n\n{about}"]) + "\n"


def _part(result: Result) -> str:
    sized = ", ".join(
        f"{key} {value:,}" if isinstance(value, int) else f"{key} {value}" for key, value in result.size.items()
    )
    pace = " and ".join(f"{value:.1f}" for value in result.pace_us)
    taken = f"Taken {result.taken_at}; {sized}; pace {pace} µs."
    parts = [f"## {result.title}", result.method, _table(result), *(f"- {note}" for note in result.notes), taken]
    return "\n\n".join(part for part in parts if part)


def _table(result: Result) -> str:
    first = result.rows[0].middle(result.ratio_of) if result.ratio_of and result.rows else None
    heads = ["", *(column.head for column in result.columns), *(["floorpulse is"] if first else [])]
    rows = []
    for row in result.rows:
        name = f"**{row.name}**: {row.words}" if row.words else f"**{row.name}**"
        if row.fault and not row.figures:
            rows.append([f"{name} (left out: {row.fault})", *("" for _ in heads[1:])])
            continue
        ratio = [_ratio(first, row.middle(result.ratio_of))] if first else []
        rows.append([name, *(_figure(row, column) for column in result.columns), *ratio])
    return table(heads, rows)


def _figure(row: Row, column: Column) -> str:
    values = row.figures.get(column.key)
    middle = row.middle(column.key)
    if not values or middle is None:
        return ""
    low, high = (f"{value:,.{column.digits}f}" for value in (min(values), max(values)))
    shown = f"{middle:,.{column.digits}f}"
    return shown if low == high else f"{shown} ({low} to {high})"


def _ratio(ours: float, theirs: float | None) -> str:
    if not theirs:
        return ""
    ratio = ours / theirs
    return f"{ratio:,.0f}x" if ratio >= 10 else f"{ratio:.2f}x"
