"""The program `floorpulse`: every command of every noun."""

from __future__ import annotations

import typer

from floorpulse.cli import (
    backup,
    data_quality,
    dead_letters,
    delivery,
    demo,
    docs,
    drain,
    erase,
    explain,
    gateway,
    ingest,
    kpi,
    prepare,
    query,
    reconcile,
    records,
    registry,
    report,
    retract,
    roll_up,
    rules,
    rules_apply,
    schema,
    topics,
    up,
    web,
    worker,
)
from floorpulse.heap import set_up_heap
from floorpulse.logs import set_up_logs

NOUNS = (
    up,
    demo,
    ingest,
    drain,
    kpi,
    report,
    explain,
    query,
    reconcile,
    retract,
    erase,
    roll_up,
    data_quality,
    dead_letters,
    backup,
    registry,
    rules,
    rules_apply,
    records,
    topics,
    schema,
    worker,
    delivery,
    gateway,
    web,
    prepare,
    docs,
)


def make_app() -> typer.Typer:
    """The Typer app with all commands."""
    app = typer.Typer(
        name="floorpulse",
        help="Live agent KPIs for contact-center floors: events in, windows, alerts and coaching records out.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    for noun in NOUNS:
        noun.register(app)
    return app


def run() -> None:
    """Entry of the console script."""
    set_up_heap()
    set_up_logs("auto")
    make_app()()


if __name__ == "__main__":
    run()
