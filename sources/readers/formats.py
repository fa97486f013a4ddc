"""The formats of `floorpulse ingest`, and the parser of each."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from schemas.errors import ConfigError
from sources.core.csv_events import CsvParser
from sources.core.mapping import Mapping
from sources.core.own import JsonLinesParser
from sources.core.parsed import Parser, Resolve
from sources.core.queue_log import QueueLogParser
from sources.core.technion import TechnionParser


@dataclass(frozen=True, slots=True)
class Format:
    """What a file is to be read as. `source` names the system whose events it holds."""

    name: str
    source: str
    zone: ZoneInfo
    mapping: Mapping | None = None
    wrap_s: int = 0


def new_parser(form: Format, resolve: Resolve) -> Parser:
    """A parser for one file; ConfigError where the format needs a mapping and has none."""
    if form.name == "technion":
        return TechnionParser(form.zone, resolve, form.source)
    if form.name == "queue_log":
        return QueueLogParser(resolve, form.source, form.wrap_s)
    if form.name == "jsonl":
        return JsonLinesParser(resolve)
    if form.mapping is None:
        raise ConfigError(f"the format {form.name} needs a mapping: --mapping FILE")
    return CsvParser(form.mapping, form.zone, resolve, form.source)
