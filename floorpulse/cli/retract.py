"""`floorpulse retract`: take a wrong import back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from floorpulse.cli.exits import guarded
from floorpulse.cli.output import NO_DATA, Data
from schemas.errors import InputError
from schemas.times import to_ms, utc_minute

if TYPE_CHECKING:
    from floorpulse.settings import Settings
    from sinks.retraction import Replacement
    from sources.readers.ingests import Ingest

STORED_WITHIN_S = 600.0


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(guarded(retract))


def retract(
    ingest: Annotated[int, typer.Option(min=1, help="Number of the ingest: see the table ingests.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be taken back.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data: Data = NO_DATA,
) -> None:
    """
    Take back every fact of an ingest that counts: the figures are then as if it had never come.

    The facts stay on record, with the revision that took them back. What an ingest had replaced or taken back comes
    back. The same file may be sent again afterwards, and counts again. An ingest with facts that are too old for it is
    refused as a whole.

    Example: floorpulse retract --ingest 7
    """
    from contextlib import closing

    from floorpulse.clock import now_ms, utc_now
    from floorpulse.drain import drain
    from floorpulse.settings import load_settings
    from floorpulse.wiring import clickhouse_client
    from sinks.retention import events_gone_before_ms
    from sinks.retraction import oldest_fact_ms, read_replacements, taken_back_from
    from sources.readers.ingests import Ingests

    settings = load_settings(data)
    with closing(clickhouse_client(settings)) as client:
        ingests = Ingests(client, utc_now)
        run = ingests.numbered(ingest)
        if run is None:
            raise InputError(f"--ingest {ingest}: no such ingest; the last one is {ingests.last_number()}")
        if not dry_run:
            drain(settings, STORED_WITHIN_S, lambda _topic, _left: None)
        replacements = read_replacements(client, ingest)
        since = taken_back_from(client, settings.retention(), now_ms(), event_clock=settings.clock == "event")
        gone_ms = events_gone_before_ms(client, settings.retention(), now_ms())
        refuse_expired(run, oldest_fact_ms(client, ingest, replacements), since, gone_ms)
        typer.echo(told(run, replacements), err=True)
        if dry_run or (run.is_retracted and not replacements):
            return
        if not yes:
            typer.confirm("Take it back?", abort=True, err=True)
        _send(settings, replacements)
        ingests.retract(run)
    typer.echo(f"ingest {ingest} is taken back: floorpulse drain waits until the figures say so", err=True)


def refuse_expired(run: Ingest, oldest_ms: int | None, since_ms: int, kept_ms: int) -> None:
    """
    InputError where not all of an ingest can be taken back: half of it would be neither its figures nor those without.

    `oldest_ms`: its oldest fact; `since_ms`: facts from then on can be taken back; `kept_ms`: what was stored before
    may have expired, and with it facts of which nothing is known any more.
    """
    name = f"ingest {run.number} ({run.file})"
    if oldest_ms is not None and oldest_ms < since_ms:
        raise InputError(
            f"{name}: has facts of {utc_minute(oldest_ms)}, but facts can be taken back from {utc_minute(since_ms)} on"
        )
    came_ms = to_ms(run.started_at)
    if not run.is_retracted and came_ms < kept_ms:
        came = f"came at {utc_minute(came_ms)}, but raw events are kept from {utc_minute(kept_ms)} on"
        raise InputError(f"{name}: {came}: what came before can no longer be taken back")


def told(run: Ingest, replacements: list[Replacement]) -> str:
    """What is to be taken back, in one line."""
    if not replacements:
        return f"ingest {run.number} ({run.file}, {run.state}): nothing of it counts"
    kinds = Counter(replacement.event.type for replacement in replacements)
    restored = sum(replacement.restores for replacement in replacements)
    first, last = (to_ms(replacement.event.at) for replacement in (replacements[0], replacements[-1]))
    parts = ", ".join(f"{kind} {count:,}" for kind, count in sorted(kinds.items()))
    back = f"; {restored:,} of them go back to an earlier revision" if restored else ""
    span = f"{utc_minute(first).removesuffix(' UTC')} to {utc_minute(last)}"
    return f"ingest {run.number} ({run.file}, {run.state}): {len(replacements):,} facts, {span}: {parts}{back}"


def _send(settings: Settings, replacements: list[Replacement]) -> None:
    """Send and wait for the broker; under the event clock with the end of this input."""
    from contextlib import closing

    from floorpulse.wiring import producer
    from sources.readers.producing import EventProducer, end_of, message

    with closing(producer(settings)) as sender, _progress(len(replacements)) as advance:
        out = EventProducer(sender)
        messages = [message(one.event, f"{one.content:016x}", one.ingest) for one in replacements]
        for outgoing in messages:
            out.send(outgoing)
            advance()
        if settings.clock == "event" and messages:
            out.control(end_of(messages))
        out.flush()


@contextmanager
def _progress(total: int) -> Iterator[Callable[[], None]]:
    """A bar on stderr, on a terminal only; what it gives is called after each fact."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("taking back", total=total)
        yield lambda: bar.advance(task)
