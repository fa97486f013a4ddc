"""`floorpulse prepare`: what a floor on one's own Kafka and ClickHouse needs before its parts start."""

from __future__ import annotations

import typer

from floorpulse.cli.exits import guarded
from floorpulse.cli.output import NO_DATA, Data


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(guarded(prepare))


def prepare(data: Data = NO_DATA) -> None:
    """Create topics, tables, the site main and the starter rules where they are missing; `up` does it by itself."""
    from floorpulse.prepare import prepare as bring_into_being
    from floorpulse.settings import load_settings

    bring_into_being(load_settings(data))
    typer.echo("prepared: topics, tables, registry and rules are there", err=True)
