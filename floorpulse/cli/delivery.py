"""The command `delivery`: the process that brings alerts and new cases to people."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from floorpulse.cli.exits import guarded


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(guarded(delivery))


def delivery(
    data: Annotated[Path, typer.Option("--data", help="Data folder of the floor.")] = Path(".floorpulse"),
) -> None:
    """Bring alerts and new cases to people by webhook, Slack or email, as DIR/receivers.yaml says, until stopped."""
    import asyncio

    from floorpulse.delivery.process import run_delivery
    from floorpulse.logs import set_up_logs
    from floorpulse.settings import load_settings

    settings = load_settings(data)
    set_up_logs(settings.log_format)
    asyncio.run(run_delivery(settings))
