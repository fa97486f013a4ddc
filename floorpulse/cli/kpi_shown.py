"""KPIs as a table, JSON, CSV or a sheet, and their definitions."""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from enum import StrEnum
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from floorpulse.cli.output import as_json, print_table, write_output
from floorpulse.plain_text import as_text
from schemas.kpis import KPIS, service_level

if TYPE_CHECKING:
    from sinks.kpi_rows import Question


class KpiFormat(StrEnum):
    """How KPIs are given out."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    XLSX = "xlsx"


def show(question: Question, rows: list[dict[str, Any]], output: KpiFormat, file: Path | None) -> None:
    """Print the rows, or write them to a file. InputError: the file cannot be written."""
    if file is not None:
        write_output(file, _content(question, rows, output))
        typer.echo(f"{file}: {len(rows):,} rows", err=True)
    elif output is KpiFormat.TABLE:
        _print_table(question, rows)
    else:
        sys.stdout.write(_content(question, rows, output).decode())


def _content(question: Question, rows: list[dict[str, Any]], output: KpiFormat) -> bytes:
    if output is KpiFormat.XLSX:
        return as_sheet(question, rows)
    return (as_csv(question, rows) if output is KpiFormat.CSV else as_json(rows)).encode()


def show_definitions(question: Question) -> None:
    """Print what each figure is."""
    for name, words in definitions(question):
        typer.echo(f"{name}: {words}")


def definitions(question: Question) -> list[tuple[str, str]]:
    """(name, formula in words) of each figure; of the service level with T and S."""
    return [(KPIS[name].name, _words(question, name)) for name in question.figures]


def as_csv(question: Question, rows: list[dict[str, Any]]) -> str:
    """Plain values with each n in a column of its own; None is empty."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_head(question))
    writer.writerows(_values(question, row) for row in rows)
    return out.getvalue()


def as_sheet(question: Question, rows: list[dict[str, Any]]) -> bytes:
    """A workbook: the values with each n, and the definitions on a second sheet."""
    from io import BytesIO

    from openpyxl import Workbook

    book = Workbook()
    sheet = book.active
    sheet.title = "KPIs"
    sheet.append(list(_head(question)))
    for row in rows:
        sheet.append(_values(question, row))
    sheet.freeze_panes = "D2"
    said = book.create_sheet("Definitions")
    for line in (("figure", "what it is"), *definitions(question), ("Zone", question.zone.key)):
        said.append(list(line))
    out = BytesIO()
    book.save(out)
    return out.getvalue()


def as_people_read(name: str, value: Any) -> str:
    """A figure as in a table: 3:25 for seconds, 56.1 % for shares, empty for none."""
    if value is None:
        return ""
    unit = KPIS[name].unit
    if unit == "share":
        return f"{value * 100:.1f} %"
    if unit in {"points", "per_hour", "ratio"}:
        return f"{value:,.2f}"
    if unit != "s":
        return f"{value:,}"
    seconds = round(value)
    hours, rest = divmod(seconds, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"


def _words(question: Question, name: str) -> str:
    if name != "service_level":
        return KPIS[name].words
    limits = question.limits
    return f"{service_level(question.variant).words} T = {limits.threshold_s} s, S = {limits.short_s} s."


def _head(question: Question) -> tuple[str, ...]:
    return (question.by, "from", "to", *question.figures, *(f"n_{name}" for name in question.ratios))


def _values(question: Question, row: dict[str, Any]) -> list[Any]:
    own = [as_text(row[question.by]), row["from"], row["to"], *(row[name] for name in question.figures)]
    return own + [row["n"][name] for name in question.ratios]


def _print_table(question: Question, rows: Sequence[dict[str, Any]]) -> None:
    names = question.figures
    shown = [
        [row[question.by], row["from"][:16], row["to"][:16], *(as_people_read(name, row[name]) for name in names)]
        for row in rows
    ]
    titles = [KPIS[name].name for name in names]
    print_table((question.by, "from", "to", *titles), shown, titles)
