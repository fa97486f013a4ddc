"""`floorpulse ingest`: the calls of a finished file, or of a growing log, go in as events."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from enum import StrEnum
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from floorpulse.cli.exits import guarded
from schemas.errors import ConfigError, InputError

if TYPE_CHECKING:
    from rich.progress import Progress

    from floorpulse.settings import Settings
    from schemas.registry import Registry
    from sources.core.mapping import Mapping
    from sources.core.parsed import Resolve
    from sources.readers.files import Advance, Reading
    from sources.readers.formats import Format
    from sources.readers.ingests import Ingests

_FOLLOW_EVERY_S = 0.5
_SHOW_EVERY = 2_000


class FormatName(StrEnum):
    """What a file is."""

    TECHNION = "technion"
    QUEUE_LOG = "queue_log"
    CSV = "csv"
    JSONL = "jsonl"


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(guarded(ingest))


def ingest(  # noqa: PLR0913, PLR0917  one argument is one option of the command line
    form: Annotated[FormatName, typer.Argument(metavar="FORMAT", help="technion, queue_log, csv or jsonl.")],
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Files; several go in as one input.")],
    timezone: Annotated[str | None, typer.Option(help="Zone of local times; default: that of the floor.")] = None,
    speed: Annotated[float, typer.Option(min=0, help="Times as fast as it happened; 0: as fast as possible.")] = 0.0,
    again: Annotated[bool, typer.Option("--again", help="Send a file that was sent before.")] = False,
    mapping: Annotated[Path | None, typer.Option(help="csv: which column is which field, YAML.")] = None,
    follow: Annotated[bool, typer.Option("--follow", help="queue_log: go on as the file grows.")] = False,
    state: Annotated[Path | None, typer.Option(help="--follow: where the position is kept.")] = None,
    wrap: Annotated[int, typer.Option(min=0, max=120, help="queue_log: seconds of wrap after each call.")] = 0,
    source: Annotated[str | None, typer.Option(help="Name of the system; default: the format's name.")] = None,
    data: Annotated[Path, typer.Option("--data", help="Data folder of the floor.")] = Path(".floorpulse"),
) -> None:
    """Read files into floor.events. The same file twice changes nothing; rows that cannot be read are reported."""
    from floorpulse.settings import load_settings, zone
    from schemas.registry import DEFAULT_SITE
    from sources.readers.formats import Format

    gc.disable()  # a file is held in memory while it is sorted: looking for cycles in it takes a tenth of the time
    settings = load_settings(data=data)
    given = zone(timezone) if timezone is not None else None
    columns = _mapping(form, mapping)
    if columns is not None and given is not None:
        columns = columns.model_copy(update={"timezone": timezone})
    name = _source(form, source, columns)
    _check_files(files)
    if follow and (form is not FormatName.QUEUE_LOG or len(files) != 1):
        raise ConfigError("--follow: expected the format queue_log and one file")
    registry = _registry(settings)
    chosen = Format(form.value, name, given or registry.zone(DEFAULT_SITE), columns, wrap)
    if follow:
        _follow(settings, chosen, files, state)
    else:
        _ingest_files(settings, chosen, files, registry.resolve, again=again, speed=speed)


def _mapping(form: FormatName, file: Path | None) -> Mapping | None:
    from sources.core.mapping import read_mapping

    if form is not FormatName.CSV:
        return None
    if file is None:
        raise ConfigError("csv needs a mapping of its columns: --mapping FILE")
    try:
        return read_mapping(file.read_text(encoding="utf-8"), str(file))
    except UnicodeDecodeError:
        raise ConfigError(f"{file}: not a text in UTF-8: expected a mapping") from None
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from None


def _source(form: FormatName, given: str | None, mapping: Mapping | None) -> str:
    if given and form is FormatName.JSONL:
        raise ConfigError("--source: each event of a jsonl file names its own source")
    return given or (mapping.source if mapping else form.value)


def _check_files(files: list[Path]) -> None:
    for file in files:
        if not file.is_file():
            raise InputError(f"{file}: expected a file, found {'a folder' if file.is_dir() else 'nothing'}")


def _registry(settings: Settings) -> Registry:
    from floorpulse.wiring import clickhouse_client
    from sinks.registry import load_registry

    with closing(clickhouse_client(settings)) as client:
        return load_registry(client)


def _ingest_files(
    settings: Settings, form: Format, files: list[Path], resolve: Resolve, *, again: bool, speed: float
) -> None:
    from floorpulse.clock import now_ms, utc_now
    from floorpulse.wiring import clickhouse_client, producer
    from sources.readers.files import Pace, produce
    from sources.readers.ingests import Ingests
    from sources.readers.producing import EventProducer

    began = time.monotonic()
    with closing(clickhouse_client(settings)) as client, _progress() as progress:
        ingests = Ingests(client, utc_now)
        readings = _read(settings, form, _fresh(ingests, form, files, again=again), ingests, progress, resolve)
        if not readings:
            return
        runs = [ingests.start(r.ingest, r.file, r.file_hash, form.name, form.source) for r in readings]
        with closing(producer(settings)) as sender:
            task = progress.add_task("sending events", total=sum(len(r.messages) for r in readings))
            is_event_clock = settings.clock == "event"
            advance = _every(lambda n: progress.advance(task, n))
            out, pace = EventProducer(sender), Pace(speed)
            produce(readings, out, event_clock=is_event_clock, pace=pace, now_ms=now_ms, advance=advance)
            progress.update(task, completed=sum(len(r.messages) for r in readings))
        for run, reading in zip(runs, readings, strict=True):
            counts = {"rows": reading.rows, "events": len(reading.messages), "rejected": len(reading.rejected)}
            ingests.finish(run, **counts)
    _report(readings, time.monotonic() - began)


def _fresh(ingests: Ingests, form: Format, files: list[Path], *, again: bool) -> dict[Path, str]:
    """The files that are to be sent, with their hashes; of the others it says that they were sent."""
    from sources.readers.ingests import hash_of

    fresh: dict[Path, str] = {}
    for file in files:
        file_hash = hash_of(file)
        earlier = None if again else ingests.finished(file_hash, form.source)
        if earlier is None:
            fresh[file] = file_hash
            continue
        when = f"{earlier.finished_at:%Y-%m-%d %H:%M}" if earlier.finished_at else ""
        _say(f"{file}: nothing sent, it went in on {when} as ingest {earlier.number} (--again sends it again)")
    return fresh


def _read(
    settings: Settings, form: Format, files: dict[Path, str], ingests: Ingests, progress: Progress, resolve: Resolve
) -> list[Reading]:
    from sources.core.raised import RaisedParser
    from sources.readers.files import read_file
    from sources.readers.formats import new_parsers

    if not files:
        return []
    numbers = _numbers(ingests, form, files)
    task = progress.add_task("reading", total=sum(file.stat().st_size for file in files))
    again = ingests.revisions_again()
    readings = []
    for file, parser in new_parsers(form, resolve, list(files)):
        advance = _every(lambda n: progress.advance(task, n), 256 * 1024)
        raised = RaisedParser(parser, again)
        readings.append(read_file(file, files[file], raised, numbers[file], advance, settings.letter_limit()))
    progress.update(task, completed=sum(file.stat().st_size for file in files))
    return readings


def _numbers(ingests: Ingests, form: Format, files: dict[Path, str]) -> dict[Path, int]:
    """The number of each file's run: that of one that was broken off, as all its facts are taken back as one."""
    runs = {file: ingests.broken_off(file_hash, form.source) for file, file_hash in files.items()}
    known = {file: run.number for file, run in runs.items() if run}
    new = [file for file in files if file not in known]
    first = ingests.take_numbers(len(new)) if new else 0
    return known | {file: number for number, file in enumerate(new, start=first)}


def _report(readings: list[Reading], took_s: float) -> None:
    from sources.readers.files import rejected_lines, summary

    for reading in readings:
        _say(summary(reading, took_s))
        for line in rejected_lines(reading):
            _say(line)


def _follow(settings: Settings, form: Format, files: list[Path], state: Path | None) -> None:
    from floorpulse.roster import Roster
    from floorpulse.wiring import producer
    from sources.core.queue_log import QueueLogParser
    from sources.readers.producing import EventProducer
    from sources.readers.tail import Tail

    keeps = state or settings.data / _position_name(files[0])
    parser = QueueLogParser(Roster(settings).resolve, form.source, form.wrap_s)
    _say(f"{files[0]}: following, the position is kept in {keeps}; Ctrl-C ends it")
    with closing(producer(settings)) as sender:
        Tail(files[0], keeps, parser, EventProducer(sender), settings.letter_limit()).run(_wait)


def _position_name(log: Path) -> str:
    """Of one log alone: those of two telephone systems have the same name in two folders."""
    place = blake2b(str(log.resolve()).encode(), digest_size=4).hexdigest()
    return f"{log.name}.{place}.position.json"


def _wait() -> bool:
    time.sleep(_FOLLOW_EVERY_S)
    return True


@contextmanager
def _progress() -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield progress


def _every(advance: Advance, step: int = _SHOW_EVERY) -> Advance:
    """Drawing the bar costs more than sending a message: only every so many."""
    pending = 0

    def count(done: int) -> None:
        nonlocal pending
        pending += done
        if pending >= step:
            advance(pending)
            pending = 0

    return count


def _say(text: str) -> None:
    typer.echo(text, err=True)
