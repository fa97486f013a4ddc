"""`floorpulse worker`: folds, judges, records. `floorpulse topology`: its hops."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from floorpulse.cli.exits import guarded


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(worker)
    app.command()(topology)


@guarded
def worker(
    data: Annotated[Path | None, typer.Option(help="Data folder of the floor.")] = None,
    name: Annotated[str, typer.Option(help="Name of this worker: the same after a restart.")] = "worker-1",
    accept_gap: Annotated[
        bool, typer.Option("--accept-gap", help="Go on although records are gone from the log; the gap is recorded.")
    ] = False,
) -> None:
    """
    Fold events, judge rules, keep the ledger.

    Example: floorpulse worker --data .floorpulse
    """
    from floorpulse.logs import set_up_logs
    from floorpulse.settings import load_settings
    from floorpulse.worker import run_worker

    settings = load_settings(data)
    set_up_logs(settings.log_format)
    run_worker(settings, name, accept_gap=accept_gap)


def topology() -> None:
    """Print the hops of the worker: what each reads, does and writes."""
    from rich.console import Console
    from rich.table import Table

    from streams.worker.topology import HOPS

    table = Table("hop", "reads", "does", "writes")
    for hop in HOPS:
        table.add_row(hop.name, hop.reads, hop.does, "; ".join(hop.writes))
    Console().print(table)
