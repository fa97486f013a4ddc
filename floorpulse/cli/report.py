"""`floorpulse report`: the interval report of a client, to be shared."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from floorpulse.cli.exits import guarded
from floorpulse.cli.kpi import read_span, read_step
from floorpulse.cli.output import NO_DATA, Data, write_output
from floorpulse.cli.query import refusals_in_one_line

if TYPE_CHECKING:
    from floorpulse.reports.client import ClientReport


class ReportFormat(StrEnum):
    """What the file is."""

    HTML = "html"
    XLSX = "xlsx"
    CSV = "csv"


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(guarded(report))


def report(  # noqa: PLR0913, PLR0917  one argument is one option of the command line
    client: Annotated[str, typer.Option(help="Client whose queues are reported.")],
    since: Annotated[str, typer.Option("--from", help="First day or instant, e.g. 2026-03-01 or 2026-03-01T09:30.")],
    until: Annotated[str, typer.Option("--to", help="Day or instant up to and without which.")],
    file: Annotated[Path, typer.Option("--output", "-o", help="File to write; an existing one is replaced.")],
    step: Annotated[str, typer.Option(help="An interval: 1800 (seconds), 30m, 1h or 1d.")] = "30m",
    zone_name: Annotated[str | None, typer.Option("--zone", help="Zone of the client; default: its site's.")] = None,
    form: Annotated[ReportFormat, typer.Option("--format", help="html, xlsx or csv.")] = ReportFormat.HTML,
    data: Data = NO_DATA,
) -> None:
    """
    Write the interval report of a client: its queues by the contract of each, with every definition printed in it.

    It holds figures of this client only, and nothing of agents.

    Example: floorpulse report --client acme --from 2026-03-01 --to 2026-03-08 -o acme.html
    """
    from floorpulse.clock import now_ms
    from floorpulse.reports.client import Asked, read_client_report, zone_of
    from floorpulse.settings import load_settings, zone
    from floorpulse.wiring import clickhouse_client
    from sinks.registry import load_registry

    given = zone(zone_name) if zone_name is not None else None
    step_s = report_step(step)
    settings = load_settings(data)
    store = clickhouse_client(settings)
    with refusals_in_one_line():
        registry = load_registry(store)
        local = given or zone_of(registry, client)
        asked = Asked(client, *read_span(since, until, local), local, step_s)
        found = read_client_report(store, registry, asked, now_ms(), settings.retention())
    write_report(file, form, found)
    typer.echo(f"{file}: {len(found.queues)} queues of {found.name}")


def report_step(text: str) -> int:
    """Seconds of a step such as 1800, 30m or 1d. InputError when it does not divide the day into minutes."""
    if text.isdecimal() and int(text) % 60 == 0:
        return read_step(f"{int(text) // 60}m")
    return read_step(text)


def write_report(file: Path, form: ReportFormat, found: ClientReport) -> None:
    """Write a report in a format. InputError: the file cannot be written."""
    from floorpulse.reports.page import as_html
    from floorpulse.reports.sheets import as_csv, as_xlsx

    content = {ReportFormat.HTML: as_html, ReportFormat.XLSX: as_xlsx, ReportFormat.CSV: as_csv}[form](found)
    write_output(file, content)
