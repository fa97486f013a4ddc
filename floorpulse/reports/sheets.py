"""A client's report as CSV and as a workbook: plain values, so that they can be counted with."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

from floorpulse.plain_text import as_text
from floorpulse.reports.client import FIGURES, ClientReport, Figures
from floorpulse.reports.words import contract, definitions, instant, local, names, notes, oddities
from schemas.kpis import KPIS

ALL_QUEUES = "all queues"
_HEAD = ("queue", "from", "to", *FIGURES)
_WIDTHS = (24, 18, 18, 12)


def as_csv(report: ClientReport) -> bytes:
    """Lines that begin with `#` say what the figures are; then a head line, intervals, and totals without times."""
    out = io.StringIO()
    for what, words in _said(report):
        out.write(f"# {_one_cell(what)}: {_one_cell(words)}\n")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_HEAD)
    for queue, from_ms, to_ms, figures in _rows(report):
        bounds = (local(ms, report.asked.zone) if ms else "" for ms in (from_ms, to_ms))
        writer.writerow([as_text(queue), *bounds, *(_cell(figures[name]) for name in FIGURES)])
    return out.getvalue().encode("utf-8")


def as_xlsx(report: ClientReport) -> bytes:
    """A workbook with the sheets Intervals, Totals and Definitions; times are local, with their offset beside them."""
    from openpyxl import Workbook

    book = Workbook()
    intervals, totals, said = book.active, book.create_sheet("Totals"), book.create_sheet("Definitions")
    intervals.title = "Intervals"
    named = names()
    _append_head(intervals, ["Queue", "From", "To", "Offset", *named.values()])
    _append_head(totals, ["Queue", *named.values()])
    for queue, from_ms, to_ms, figures in _rows(report):
        cells = [figures[name] for name in FIGURES]
        if from_ms is None or to_ms is None:
            totals.append([as_text(queue), *cells])
            continue
        bounds = [instant(ms, report.asked.zone) for ms in (from_ms, to_ms)]
        plain = [bound.replace(tzinfo=None) for bound in bounds]
        intervals.append([as_text(queue), *plain, f"{bounds[0]:%z}", *cells])
    for what, words in _said(report):
        said.append([as_text(what), as_text(words)])
    _dress(intervals, 4)
    _dress(totals, 1)
    said.column_dimensions["A"].width, said.column_dimensions["B"].width = 28, 120
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _rows(report: ClientReport) -> Iterator[tuple[str, int | None, int | None, Figures]]:
    """(queue, from, to, figures) of every interval, then of every queue and of all, which have no times."""
    for queue in report.queues:
        for interval in queue.intervals:
            yield queue.queue.id, interval.from_ms, interval.to_ms, queue.figures(interval)
    for queue in report.queues:
        yield queue.queue.id, None, None, queue.figures(queue.total)
    yield ALL_QUEUES, None, None, report.total()


def _said(report: ClientReport) -> Iterator[tuple[str, str]]:
    yield from notes(report)
    yield from definitions()
    for queue in report.queues:
        yield f"Service level of {queue.queue.id}", contract(queue)
        if odd := oddities(queue):
            yield queue.queue.id, odd


def _one_cell(words: str) -> str:
    """On one line; what follows a comma would be a cell of its own, and is kept as text too."""
    return ",".join(as_text(part) for part in " ".join(words.split()).split(","))


def _cell(figure: float | None) -> str:
    return "" if figure is None else str(figure)


def _append_head(sheet: Any, head: list[str]) -> None:
    from openpyxl.styles import Font

    sheet.append(head)
    for cell in sheet[1]:
        cell.font = Font(bold=True)
    sheet.freeze_panes = "A2"


def _dress(sheet: Any, before: int) -> None:
    """Formats of the figures, which stand after some other columns."""
    formats = {"share": "0.0%", "s": "0.0", "count": "0"}
    units = ["count" if name not in KPIS else KPIS[name].unit for name in FIGURES]
    for row in sheet.iter_rows(min_row=2):
        for cell, unit in zip(row[before:], units, strict=True):
            cell.number_format = formats[unit]
        for cell in row[1 : min(before, 3)]:
            cell.number_format = "yyyy-mm-dd hh:mm"
    for number in range(before + len(FIGURES)):
        sheet.column_dimensions[sheet.cell(1, number + 1).column_letter].width = _WIDTHS[min(number, len(_WIDTHS) - 1)]
