"""`floorpulse drain`: wait until everything accepted so far is through all hops and in ClickHouse."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from floorpulse.cli.exits import guarded
from floorpulse.cli.output import NO_DATA, Data

if TYPE_CHECKING:
    from floorpulse.drain import Progress

NOT_DRAINED = 1


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(guarded(drain))


def drain(
    timeout: Annotated[float, typer.Option(min=0, help="Longest wait, s.")] = 600.0,
    data: Data = NO_DATA,
) -> None:
    """Wait until everything accepted before the call is in ClickHouse; exit code 1 when it is not."""
    from floorpulse.drain import NotDrained
    from floorpulse.drain import drain as wait_for_all
    from floorpulse.settings import load_settings

    settings = load_settings(data)
    try:
        with _shown() as progress:
            waited = wait_for_all(settings, timeout, progress)
    except NotDrained as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(NOT_DRAINED) from None
    typer.echo(f"drained: {', '.join(f'{topic} {count}' for topic, count in waited.items())}", err=True)


@contextmanager
def _shown() -> Iterator[Progress]:
    """A line on stderr, on a terminal only, that says what is waited for and how much is left."""
    from rich.console import Console

    console = Console(stderr=True)
    if not sys.stderr.isatty():
        yield lambda topic, left: None
        return
    with console.status("asking Kafka") as status:
        yield lambda topic, left: status.update(f"{topic}: {left:,} records to go")
