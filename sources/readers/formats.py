"""The formats of `floorpulse ingest`, and the parser of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from schemas.errors import ConfigError, InputError
from sources.core.csv_events import CsvParser
from sources.core.mapping import Mapping
from sources.core.own import JsonLinesParser
from sources.core.parsed import Parser, Resolve
from sources.core.queue_log import QueueLogParser
from sources.core.queue_log_line import check_first
from sources.core.technion import TechnionParser
from sources.readers.files import LONGEST_LINE


@dataclass(frozen=True, slots=True)
class Format:
    """What a file is to be read as. `source` names the system whose events it holds."""

    name: str
    source: str
    zone: ZoneInfo
    mapping: Mapping | None = None
    wrap_s: int = 0


def new_parsers(form: Format, resolve: Resolve, files: Sequence[Path]) -> Iterator[tuple[Path, Parser]]:
    """
    Each file with its parser, to be parsed before the next one is asked for.

    Those of a `queue_log` in the order of time: each goes on with what was open at the end of the one before.
    """
    if form.name != "queue_log":
        yield from ((file, _new_parser(form, resolve)) for file in files)
        return
    parser = QueueLogParser(resolve, form.source, form.wrap_s)
    ordered = sorted((_begin(file), file) for file in files)
    begins = [begin for begin, _ in ordered[1:]]
    for (_, file), parser.next_from in zip(ordered, [*begins, None], strict=True):
        yield file, parser


def _begin(file: Path) -> int:
    """The second of the first line of a log; 0 where it has none, which is said when it is read."""
    try:
        with file.open("rb") as stream:
            return check_first(stream.readline(LONGEST_LINE)).second
    except (OSError, InputError):
        return 0


def _new_parser(form: Format, resolve: Resolve) -> Parser:
    """A parser for one file on its own; ConfigError where the format needs a mapping and has none."""
    if form.name == "technion":
        return TechnionParser(form.zone, resolve, form.source)
    if form.name == "jsonl":
        return JsonLinesParser(resolve)
    if form.mapping is None:
        raise ConfigError(f"the format {form.name} needs a mapping: --mapping FILE")
    return CsvParser(form.mapping, form.zone, resolve, form.source)
