"""`floorpulse reconcile`: prove the numbers from the raw events."""

from __future__ import annotations

import json
from typing import Annotated, Literal

import typer

from floorpulse.cli.exits import guarded
from floorpulse.cli.output import NO_DATA, Data


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(guarded(reconcile))


def reconcile(
    form: Annotated[Literal["table", "json"], typer.Option("--format", help="How to print the differences.")] = "table",
    data: Data = NO_DATA,
) -> None:
    """
    Compare every stored pane with a fold of the raw events, and every offset with a row.

    Prints the differences; exit code 1 when there is any. Run `floorpulse drain` first to compare everything sent.

    Example: floorpulse reconcile --data .floorpulse
    """
    from dataclasses import asdict

    from rich.console import Console
    from rich.progress import Progress
    from rich.table import Table

    from floorpulse.settings import load_settings
    from floorpulse.wiring import clickhouse_client
    from sinks.reconcile import reconcile as compare

    errors = Console(stderr=True)
    with Progress(console=errors, transient=True) as bar:
        task = bar.add_task("subjects", total=None)
        result = compare(
            clickhouse_client(load_settings(data)), lambda done, total: bar.update(task, completed=done, total=total)
        )
    if form == "json":
        typer.echo(json.dumps([asdict(difference) for difference in result.differences], indent=2))
    elif result.differences:
        table = Table("what", "where", "expected", "found")
        for difference in result.differences:
            table.add_row(difference.what, difference.where, difference.expected, difference.found)
        Console().print(table)
    compared = f"{result.subjects} subjects, {result.panes} panes, {result.events} events compared"
    errors.print(f"{compared}: {len(result.differences)} differences")
    if result.differences:
        raise typer.Exit(1)
