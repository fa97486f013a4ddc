"""`floorpulse roll-up`: quarter hours out of minutes, for every day that changed."""

from __future__ import annotations

import typer

from floorpulse.cli.exits import guarded
from floorpulse.cli.output import NO_DATA, Data


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command("roll-up")(guarded(roll_up_command))


def roll_up_command(data: Data = NO_DATA) -> None:
    """Roll up days that changed into quarter hours. The worker does so by itself; doing it again changes nothing."""
    from floorpulse.settings import load_settings
    from floorpulse.wiring import clickhouse_client
    from sinks.rollups import roll_up

    rolled = roll_up(clickhouse_client(load_settings(data)))
    for one in rolled:
        kept = f", {one.kept:,} quarter hours kept as their minutes have expired" if one.kept else ""
        typer.echo(f"{one.day}  rolled up{kept}")
    typer.echo(f"{len(rolled)} days rolled up")
