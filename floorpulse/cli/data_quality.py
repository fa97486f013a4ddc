"""`floorpulse data-quality`: trouble with clocks and data, counted, with its rule and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from floorpulse.cli.exits import guarded
from floorpulse.cli.kpi import read_instant
from floorpulse.cli.output import NO_DATA, Data, Format, FormatOption, print_csv, print_json, print_table
from floorpulse.cli.query import refusals_in_one_line
from schemas.errors import InputError

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

    from sinks.quality import Finding

COLUMNS = ("what", "where", "count", "example", "rule", "what to do")


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(guarded(data_quality))


def data_quality(
    since: Annotated[str | None, typer.Option("--from", help="First day or instant; default: the first event.")] = None,
    until: Annotated[str | None, typer.Option("--to", help="Up to and without this; default: now.")] = None,
    timezone: Annotated[str | None, typer.Option(help="Zone of --from and --to; default: that of site main.")] = None,
    output: FormatOption = Format.TABLE,
    data: Data = NO_DATA,
) -> None:
    """
    Show what is wrong with the data: each rule, how often it struck, an example, and what to do.

    Nothing of it is lost: what is not counted stands in dead_letters, what was cut or set to 0 says so.

    Example: floorpulse data-quality --from 2026-03-01 --to 2026-03-02
    """
    from floorpulse.settings import load_settings
    from floorpulse.wiring import clickhouse_client
    from sinks.quality import read_quality

    client = clickhouse_client(load_settings(data))
    with refusals_in_one_line():
        _print(read_quality(client, *_span(client, since, until, timezone)), output)


def _span(client: Client, since: str | None, until: str | None, timezone: str | None) -> tuple[int, int]:
    from sinks.quality import all_time

    first, last = all_time(client)
    zone = _zone(client, timezone)
    from_ms = first if since is None else read_instant("--from", since, zone)
    to_ms = last if until is None else read_instant("--to", until, zone)
    if to_ms <= from_ms:
        raise InputError("--to: expected an instant after --from")
    return from_ms, to_ms


def _zone(client: Client, timezone: str | None) -> ZoneInfo:
    from floorpulse.settings import zone
    from schemas.registry import DEFAULT_SITE
    from sinks.registry import load_registry

    return zone(timezone) if timezone is not None else load_registry(client).zone(DEFAULT_SITE)


def _print(findings: list[Finding], output: Format) -> None:
    if output is Format.JSON:
        print_json([as_json(finding) for finding in findings])
    elif output is Format.CSV:
        print_csv(COLUMNS, (_cells(finding, str(finding.n)) for finding in findings))
    else:
        print_table(COLUMNS, (_cells(finding, finding.shown) for finding in findings), ["count"])


def as_json(finding: Finding) -> dict[str, object]:
    """A finding as JSON values."""
    check = finding.check
    return {
        "id": check.id, "what": check.name, "where": finding.part, "n": finding.n, "unit": check.unit,
        "example": finding.example, "rule": check.rule, "what_to_do": check.advice,
    }  # fmt: skip


def _cells(finding: Finding, count: str) -> tuple[str, ...]:
    check = finding.check
    return check.name, finding.part, count, finding.example, check.rule, check.advice
