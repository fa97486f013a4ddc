"""`python -m benchmarks`: measure, keep the results, write their page."""

from __future__ import annotations

import logging
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import structlog
import typer

from benchmarks.machine import machine, pace_us, versions
from benchmarks.page import page
from benchmarks.parts import PARTS, Part
from benchmarks.results import read_book, write_book
from benchmarks.scale import EVENTS, Scale
from floorpulse.logs import set_up_logs
from schemas.errors import FloorpulseError

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks/results.json"
PAGE = ROOT / "docs/run/benchmarks.md"


def main(  # noqa: PLR0913, PLR0917  one argument is one option of the command line
    parts: Annotated[list[str] | None, typer.Argument(help="Which parts; all when none is named.")] = None,
    show: Annotated[bool, typer.Option("--list", help="Name the parts.")] = False,
    events: Annotated[int, typer.Option(help="Events of the comparison; everything else shrinks with it.")] = EVENTS,
    agents: Annotated[int, typer.Option(help="Agents of the simulated floor.")] = 1_000,
    rounds: Annotated[int, typer.Option(help="How often each row is measured.")] = 2,
    seconds: Annotated[float, typer.Option(help="The longest that one process is measured.")] = 30.0,
    only: Annotated[list[str] | None, typer.Option(help="Rows whose name holds this; may be said again.")] = None,
    results: Annotated[Path, typer.Option(help="File of the results.")] = RESULTS,
    to: Annotated[Path, typer.Option(help="The page that is written from them.")] = PAGE,
) -> None:
    """Measure parts, one after the other; each part that is done is kept at once."""
    if show:
        for part in PARTS.values():
            typer.echo(f"{part.name:12} {part.words}")
        return
    wanted = parts or list(PARTS)
    unknown = [name for name in wanted if name not in PARTS]
    if unknown:
        typer.echo(f"no part {unknown[0]!r}: expected one of {', '.join(PARTS)}", err=True)
        raise typer.Exit(2)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers are stopped, too
    _quiet()
    scale = Scale(events, agents, rounds, seconds, tuple(only or ()), say=_say)
    for name in wanted:
        _measure(PARTS[name], scale, results, to)


def _measure(part: Part, scale: Scale, results: Path, to: Path) -> None:
    _say(f"== {part.name}: {part.words}")
    before = pace_us()
    try:
        result = part.run(scale)
    except FloorpulseError as error:
        typer.echo(f"{part.name}: {error}", err=True)
        raise typer.Exit(1) from None
    result.pace_us = [round(before, 2), round(pace_us(), 2)]
    result.taken_at = datetime.now(UTC).isoformat(timespec="minutes")
    book = read_book(results)
    book.machine, book.versions, book.results[part.name] = machine(), versions(), result
    write_book(results, book)
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_text(page(book, PARTS), encoding="utf-8")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _quiet() -> None:
    """What the parts log is of no interest while they are measured; warnings are."""
    set_up_logs("console")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    logging.getLogger("kafka").setLevel(logging.CRITICAL)


if __name__ == "__main__":
    typer.run(main)
