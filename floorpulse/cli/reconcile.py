"""`floorpulse reconcile`: prove the numbers from the raw events, and have the owners mend what differs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from floorpulse.cli.exits import guarded
from floorpulse.cli.output import NO_DATA, Data, print_json, print_table, progress_bar
from schemas.times import utc_minute

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

    from floorpulse.settings import Settings
    from sinks.reconcile import Difference, Reconciled

REPAIRED_WITHIN_S = 600.0


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(guarded(reconcile))


def reconcile(
    repair: Annotated[bool, typer.Option("--repair", help="Ask for a refold of what differs, then compare.")] = False,
    form: Annotated[Literal["table", "json"], typer.Option("--format", help="How to print the differences.")] = "table",
    data: Data = NO_DATA,
) -> None:
    """
    Compare every stored pane with a fold of the raw events, quarter hours with their minutes, every offset with a row.

    Prints the differences; exit code 1 when there is any. Run `floorpulse drain` first to compare everything sent.
    With --repair the workers fold minutes again and roll days up again; what is printed is then what still differs.
    Minutes whose raw events may have expired are not compared, and nobody folds them again.

    Example: floorpulse reconcile --data .floorpulse
    """
    from floorpulse.settings import load_settings
    from floorpulse.wiring import clickhouse_client

    settings = load_settings(data)
    client = clickhouse_client(settings)
    result = _compare(client, settings)
    if repair and _repair(settings, client, result.differences):
        result = _compare(client, settings)
    _print(result.differences, form)
    if result.differences:
        raise typer.Exit(1)


def _compare(client: Client, settings: Settings) -> Reconciled:
    from rich.console import Console

    from sinks.reconcile import reconcile as compare

    with progress_bar("subjects") as progress:
        result = compare(client, progress, retention=settings.retention())
    errors = Console(stderr=True)
    compared = f"{result.subjects} subjects, {result.panes} panes, {result.events} events compared"
    errors.print(f"{compared}: {len(result.differences)} differences")
    if result.left_out:
        since = utc_minute(result.kept_from_ms)
        errors.print(f"{result.left_out} panes left out: raw events are kept from {since} on", soft_wrap=True)
    return result


def _repair(settings: Settings, client: Client, differences: list[Difference]) -> bool:
    """Ask for what can be done again, and wait until the owners are through; False when nothing can."""
    from contextlib import closing

    from floorpulse.clock import utc_now
    from floorpulse.drain import drain
    from floorpulse.wiring import producer
    from sinks.repair import days_to_roll, refolds
    from sinks.rollups import roll_again
    from sources.readers.producing import EventProducer

    days, asked = days_to_roll(differences), refolds(differences, utc_now())
    roll_again(client, days)
    if days:
        typer.echo(f"{len(days)} days are rolled up again; until then their minutes are read", err=True)
    if not asked:
        return bool(days)
    with closing(producer(settings)) as sender:
        out = EventProducer(sender)
        for partition, record in asked:
            out.control_of(partition, record)
        out.flush()
    subjects = len({record.subject for _, record in asked})
    typer.echo(f"asked the owners to fold {subjects} subjects again, {len(asked)} ranges", err=True)
    drain(settings, REPAIRED_WITHIN_S, lambda _topic, _left: None)
    return True


def _print(differences: list[Difference], form: str) -> None:
    columns = ("what", "where", "expected", "found")
    if form == "json":
        print_json([{column: getattr(difference, column) for column in columns} for difference in differences])
    elif differences:
        print_table(columns, ([getattr(difference, column) for column in columns] for difference in differences))
