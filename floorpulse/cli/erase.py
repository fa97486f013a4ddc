"""`floorpulse erase`: erase a person, for ever, and say what of them there was."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from floorpulse.cli.exits import guarded
from floorpulse.cli.output import NO_DATA, Data, Format, FormatOption, print_csv, print_json, print_table

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

    from floorpulse.erasure import Found
    from floorpulse.settings import Settings
    from schemas.registry import Erased

_COLUMNS = ("where", "rows", "what becomes of them")


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(guarded(erase))


def erase(
    agent: Annotated[str, typer.Argument(metavar="AGENT", help="Work id of the person.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be erased.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    by: Annotated[str, typer.Option(help="Work id of who erases.")] = "cli",
    output: FormatOption = Format.TABLE,
    data: Data = NO_DATA,
) -> None:
    """
    Erase a person: name, events, minutes, windows, alerts and the content of their records. It cannot be taken back.

    The work id is refused from then on; whoever comes back gets a new one. A worker must run. Done again, it looks once
    more for what came back. What Kafka and backups keep, and for how long: docs/erasure.md.

    Example: floorpulse erase a0412
    """
    from floorpulse.clock import utc_now
    from floorpulse.erasure import count, who
    from floorpulse.settings import load_settings
    from floorpulse.wiring import clickhouse_client
    from sinks.registry import load_registry

    settings = load_settings(data)
    with closing(clickhouse_client(settings)) as client:
        registry = load_registry(client)
        gone = who(client, registry, agent, utc_now())
        is_new = gone not in registry.floor.erased
        ids = frozenset((gone.id, *gone.vendor_ids()))
        ids = ids if is_new else ids & registry.erased
        before = count(settings, client, ids)
        if dry_run:
            _tell(before, output)
            typer.echo(f"nothing was erased: {_ids(ids)}", err=True)
            return
        if is_new and not yes:
            _ask_about(before)
            typer.confirm(f"Erase {_ids(ids)}, for ever?", abort=True, err=True)
        if not is_new:
            typer.echo(f"{agent} was erased on {gone.at:%Y-%m-%d %H:%M} UTC: looking for what came back", err=True)
        revision = _announce(settings, client, gone, by, is_new=is_new)
        _sweep(settings, client, ids, revision)
        _receipt(gone, revision, before, count(settings, client, ids), output)


def _announce(settings: Settings, client: Client, gone: Erased, by: str, *, is_new: bool) -> int:
    """Say it to every partition, again where one has not heard of it; returns the revision that says so."""
    from floorpulse.erasure import without
    from floorpulse.publish import publish_registry, tell_again
    from sinks.registry import load_registry

    registry = load_registry(client)
    if is_new:
        return publish_registry(settings, without(registry.floor, gone), by)
    tell_again(settings, client, "registry")
    return registry.revision


def _sweep(settings: Settings, client: Client, ids: frozenset[str], revision: int) -> None:
    from floorpulse.erasure import forget_deliveries, sweep, wait_until_heard

    with _shown() as say:
        say("telling every partition")
        wait_until_heard(client, revision, lambda left: say(f"waiting for {left} partitions to come to it"))
        say("looking through every table")
        sweep(client, ids)
        forget_deliveries(settings, ids)


def _receipt(gone: Erased, revision: int, before: list[Found], after: list[Found], output: Format) -> None:
    left = sum(one.rows for one in after)
    if output is Format.JSON:
        rows: list[dict[str, Any]] = [{"where": one.table, "rows": one.rows, "what": one.what} for one in before]
        told = {"agent": gone.id, "erased_at": gone.at.isoformat(), "revision": revision, "found": rows, "left": left}
        print_json(told)
        return
    _tell(before, output)
    when = f"{gone.at:%Y-%m-%d %H:%M:%S} UTC"
    typer.echo(f"{gone.id} is erased as of {when}, registry revision {revision}; rows left: {left}", err=True)


def _ask_about(found: list[Found]) -> None:
    """What would go, before the question."""
    for one in found:
        if one.rows:
            typer.echo(f"{one.table} {one.rows:,}: {one.what}", err=True)


def _tell(found: list[Found], output: Format) -> None:
    """What there is, table by table; nothing of tables that hold nothing."""
    rows: Sequence[tuple[str, str, str]] = [(one.table, f"{one.rows}", one.what) for one in found if one.rows]
    if output is Format.JSON:
        print_json([dict(zip(("where", "rows", "what"), row, strict=True)) for row in rows])
    elif output is Format.CSV:
        print_csv(_COLUMNS, rows)
    elif rows:
        print_table(_COLUMNS, rows, right=("rows",))


def _ids(ids: frozenset[str]) -> str:
    return ", ".join(sorted(ids))


@contextmanager
def _shown() -> Iterator[Callable[[str], None]]:
    """A line on stderr, on a terminal only, that says what is being done."""
    from rich.console import Console

    if not sys.stderr.isatty():
        yield lambda _what: None
        return
    with Console(stderr=True).status("") as status:
        yield status.update
