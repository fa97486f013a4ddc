"""`floorpulse registry`: apply a `floor.yaml`, show what holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from floorpulse.cli.exits import guarded
from floorpulse.cli.output import NO_DATA, Data, Format, FormatOption, print_csv, print_json, print_table

_COLUMNS = ("kind", "id", "entry")


def register(app: typer.Typer) -> None:
    """Add `registry apply` and `registry show` to the program."""
    registry = typer.Typer(help="People, teams, sites, clients, queues: apply a file, show.", no_args_is_help=True)
    registry.command("apply")(guarded(apply))
    registry.command("show")(guarded(show))
    app.add_typer(registry, name="registry")


def apply(
    file: Annotated[Path, typer.Argument(help="The whole floor, YAML.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")] = False,
    allow_shrink: Annotated[
        bool, typer.Option("--allow-shrink", help="Take a file without more than a tenth of the known people.")
    ] = False,
    by: Annotated[str, typer.Option(help="Work id of who applies it.")] = "cli",
    data: Data = NO_DATA,
) -> None:
    """
    Make a file the registry from now on; prints what it adds (+), changes (~) and ends (-).

    A file that holds already is told once more to partitions that have not come to it: an apply may have broken off.
    """
    from floorpulse.publish import publish_registry, tell_again
    from floorpulse.registry_file import difference, read_floor, with_main
    from floorpulse.settings import load_settings
    from floorpulse.wiring import clickhouse_client
    from sinks.registry import load_registry

    read_floor(file)  # before anything is asked of the floor
    settings = load_settings(data)
    client = clickhouse_client(settings)
    known = load_registry(client)
    floor = read_floor(file, known.floor)
    floor = with_main(floor, known.floor)
    changes = difference(known.floor, floor)
    for line in changes.lines:
        typer.echo(line)
    if not allow_shrink:
        changes.refuse_shrink()
    if not changes.lines and not dry_run:
        say_told_again(tell_again(settings, client, "registry"))
    if not changes.lines or dry_run:
        said = "not applied" if changes.lines else "nothing changes"
        typer.echo(f"{said}: revision {known.revision} holds", err=True)
        return
    typer.echo(f"revision {publish_registry(settings, floor, by)} holds", err=True)


def say_told_again(partitions: list[str]) -> None:
    """Say which partitions had not come to what holds."""
    if partitions:
        typer.echo(f"told once more, as {', '.join(partitions)} had not come to it yet", err=True)


def show(output: FormatOption = Format.TABLE, data: Data = NO_DATA) -> None:
    """Show the registry that holds."""
    from floorpulse.settings import load_settings
    from floorpulse.wiring import clickhouse_client
    from sinks.registry import load_registry

    registry = load_registry(clickhouse_client(load_settings(data)))
    if output is Format.JSON:
        print_json({"revision": registry.revision, **registry.floor.model_dump(mode="json")})
        return
    rows = [
        (kind, key, json.dumps({name: value for name, value in body.items() if name != "id"}, ensure_ascii=False))
        for kind, key, body in registry.floor.entries()
    ]
    if output is Format.CSV:
        print_csv(_COLUMNS, rows)
        return
    typer.echo(f"revision {registry.revision}", err=True)
    print_table(_COLUMNS, rows)
