"""`floorpulse backup` and `floorpulse restore`: what ClickHouse holds, into a folder and back."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from floorpulse.cli.exits import guarded
from floorpulse.cli.output import NO_DATA, Data
from floorpulse.cli.query import refusals_in_one_line
from schemas.errors import ConfigError, InputError

if TYPE_CHECKING:
    from floorpulse.backup import Progress, Restored
    from floorpulse.settings import Settings
    from sinks.backup_files import Manifest


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command()(guarded(backup))
    app.command()(guarded(restore))


def backup(
    target: Annotated[Path, typer.Argument(metavar="FOLDER", help="A new folder for the backup.")],
    data: Data = NO_DATA,
) -> None:
    """
    Write everything that ClickHouse holds into a new folder, as of the checkpoints; the floor may run.

    Example: floorpulse backup /backups/2026-03-02 --data .floorpulse
    """
    from floorpulse.backup import back_up

    began = time.monotonic()
    made: list[Manifest] = []

    def work(settings: Settings) -> None:
        with _shown("backup") as progress, refusals_in_one_line():
            made.append(back_up(settings, target, progress))

    _on_servers(data, work, is_new_allowed=False)
    size = sum(file.stat().st_size for file in target.iterdir())
    took = f"{size / 1e6:,.1f} MB, {time.monotonic() - began:.1f} s"
    typer.echo(f"{target}: {made[0].rows():,} rows of {len(made[0].tables)} tables, {took}", err=True)


def restore(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The folder of a backup.")],
    replace: Annotated[bool, typer.Option("--replace", help="Drop what the database holds now.")] = False,
    data: Data = NO_DATA,
) -> None:
    """
    Load a backup; every worker must be stopped, and an embedded floor be down.

    The worker then goes on after the checkpoints of the backup, and reads what came since from Kafka again.

    Example: floorpulse restore /backups/2026-03-02 --data .floorpulse
    """
    from floorpulse.backup import restore as bring_back
    from sinks.backup_files import read_manifest

    read_manifest(folder)  # before anything is started for it
    came_back: list[Restored] = []

    def work(settings: Settings) -> None:
        with _shown("restore") as progress, refusals_in_one_line():
            came_back.append(bring_back(settings, folder, replace=replace, progress=progress))

    _on_servers(data, work, is_new_allowed=True)
    done = came_back[0]
    typer.echo(f"{done.manifest.rows():,} rows of {len(done.manifest.tables)} tables came back", err=True)
    for note in done.notes:
        typer.echo(note, err=True)


def _on_servers(data: Path, work: Callable[[Settings], None], *, is_new_allowed: bool) -> None:
    """Work with the servers that run; those of an embedded floor that is down are started for as long as it takes."""
    from floorpulse.cli.up import fetched_jars
    from floorpulse.embedded.floor import is_running, run_base
    from floorpulse.embedded.run_file import remove_run_file
    from floorpulse.settings import data_folder, load_settings

    data = data_folder(data)
    if is_running(data):
        if is_new_allowed:
            raise InputError(f"{data}: the floor runs: `floorpulse down --data {data}` first")
        work(load_settings(data))
        return
    remove_run_file(data)  # of a supervisor that was killed
    settings = load_settings(data)
    if settings.clickhouse_url:
        work(settings)
        return
    if not is_new_allowed and not (data / "store").is_dir():
        raise ConfigError(f"no floor found in {data}: name its folder with --data, or set clickhouse_url")
    run_base(data, fetched_jars(), work)


@contextmanager
def _shown(what: str) -> Iterator[Progress]:
    """A line on stderr, on a terminal only, that says what is done how far."""
    from rich.console import Console

    if not sys.stderr.isatty():
        yield lambda part, done: None
        return
    with Console(stderr=True).status(what) as status:
        yield lambda part, done: status.update(f"{what}: {part} {done:,}")
