"""`floorpulse docs generate`: the pages of `docs/reference`, for those who work on floorpulse."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from floorpulse.cli.exits import guarded

OUT_OF_DATE = 1


def register(app: typer.Typer) -> None:
    """Add the hidden command `docs generate`."""
    docs = typer.Typer(help="Generated pages of the documentation.", no_args_is_help=True)
    docs.callback()(_docs)
    docs.command("generate")(guarded(generate))
    app.add_typer(docs, name="docs", hidden=True)


def _docs() -> None:
    """Pages that are made from the code."""


def generate(
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit code 1 when a page is stale.")] = False,
    out: Annotated[Path, typer.Option("--out", help="Folder of the pages.")] = Path("docs/reference"),
) -> None:
    """Write the pages that are made from the code."""
    from floorpulse.docs.pages import stale_pages, write_pages

    names = stale_pages(out) if check else write_pages(out)
    for name in names:
        typer.echo(str(out / name))
    if check and names:
        typer.echo("stale: run `floorpulse docs generate`", err=True)
        raise typer.Exit(OUT_OF_DATE)
