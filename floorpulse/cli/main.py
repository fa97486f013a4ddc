"""The program `floorpulse`: every command of every noun."""

from __future__ import annotations

import sys
from importlib import import_module

import typer

from floorpulse.cli.exits import refuse_bytes
from floorpulse.heap import set_up_heap
from floorpulse.logs import set_up_logs

NOUNS = {
    "up": ("up", "down", "status", "install"),
    "demo": ("demo",),
    "ingest": ("ingest",),
    "drain": ("drain",),
    "kpi": ("kpi",),
    "report": ("report",),
    "explain": ("explain",),
    "query": ("query",),
    "reconcile": ("reconcile",),
    "retract": ("retract",),
    "erase": ("erase",),
    "roll_up": ("roll-up",),
    "data_quality": ("data-quality",),
    "dead_letters": ("dead-letters",),
    "backup": ("backup", "restore"),
    "registry": ("registry",),
    "rules": ("rules",),
    "rules_apply": ("rules",),
    "rules_backtest": ("rules",),
    "records": ("cases", "alerts"),
    "audit": ("audit",),
    "topics": ("topics",),
    "schema": ("schema",),
    "worker": ("worker", "topology"),
    "delivery": ("delivery",),
    "gateway": ("gateway",),
    "web": ("web",),
    "prepare": ("prepare",),
    "docs": ("docs",),
}
"""Module of this package -> the first words of its commands, in the order of the help."""


def make_app(word: str = "") -> typer.Typer:
    """
    The Typer app with all commands; for the first word of one, with those of its modules only.

    To import all of them takes a third of a second, which each part of a floor would pay at its start.
    """
    app = typer.Typer(
        name="floorpulse",
        help="Live agent KPIs for contact-center floors: events in, windows, alerts and coaching records out.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.callback()(_floorpulse)
    for noun in [noun for noun, words in NOUNS.items() if word in words] or NOUNS:
        import_module(f"floorpulse.cli.{noun}").register(app)
    return app


def _floorpulse() -> None:
    """Keeps a program of one command from taking its name for an argument."""


def run() -> None:
    """Entry of the console script."""
    try:
        refuse_bytes(sys.argv[1:])
    except typer.Exit as end:
        sys.exit(end.exit_code)
    set_up_heap()
    set_up_logs("auto", for_command=True)
    make_app(sys.argv[1] if len(sys.argv) > 1 else "")()


if __name__ == "__main__":
    run()
