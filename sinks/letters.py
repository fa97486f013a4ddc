"""Dead letters in ClickHouse: finding them, and marking those that were sent again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from schemas.times import from_ms

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

FILE = "file"
"""Stands for the topic of a row of a file, or of an event of a request."""


@dataclass(frozen=True, slots=True)
class StoredLetter:
    """A dead letter; `value` are its bytes as they came."""

    place: str
    topic: str
    partition: int
    offset: int
    reason: str
    source: str
    detail: str
    origin: str
    key: str
    value: bytes
    ingest: int
    content: int
    """The hash by which the fact is known when it comes again; 0 where there is none."""
    made_anew: int
    at_ms: int
    redriven_ms: int | None


@dataclass(frozen=True, slots=True)
class LetterQuery:
    """Which letters; empty texts and None ask for all. `since_ms` and `until_ms` (exclusive) are of the letter."""

    reason: str = ""
    topic: str = ""
    source: str = ""
    since_ms: int | None = None
    until_ms: int | None = None
    place: str = ""
    only_open: bool = False
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Redriven:
    """A letter that was sent again, and where it is now."""

    letter: StoredLetter
    sent: tuple[int, int, int]
    """Partition, offset and time (ms) of the message."""


_WRITTEN = {
    "topic": "LowCardinality(String)", "partition": "Int32", "offset": "Int64", "origin": "String",
    "reason": "LowCardinality(String)", "detail": "String", "key": "String", "value": "String", "ingest": "UInt64",
    "content": "UInt64", "made_anew": "UInt16", "at": "DateTime64(3, 'UTC')",
}  # fmt: skip
"""Column -> type, in the order of `streams.worker.letters.letter_row`."""
_COLUMNS = (
    "place, topic, partition, offset, reason, source, detail, origin, key, value, ingest, content, made_anew,"
    " toUnixTimestamp64Milli(at), toUnixTimestamp64Milli(redriven_at)"
)
_BYTES: dict[str, str | dict[str, str]] = {"value": "bytes"}


def insert_letters(client: Client, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert dead letters: in ClickHouse's own format, as their bytes may be anything."""
    client.insert(
        "dead_letters",
        [list(column) for column in zip(*rows, strict=True)],
        column_names=list(_WRITTEN),
        column_type_names=list(_WRITTEN.values()),
        column_oriented=True,
    )


def find_letters(client: Client, query: LetterQuery) -> list[StoredLetter]:
    """The letters that fit, newest first."""
    where, parameters = _where(query)
    limit = "" if query.limit is None else " LIMIT {limit:UInt32}"
    sql = f"SELECT {_COLUMNS} FROM letters WHERE {where} ORDER BY at DESC, topic, partition, offset DESC{limit}"
    rows = client.query(sql, parameters=parameters | {"limit": query.limit or 0}, column_formats=_BYTES).result_rows
    return [StoredLetter(*row) for row in rows]


def count_letters(client: Client, query: LetterQuery) -> list[tuple[str, str, str, int, int, int]]:
    """(reason, topic, source, letters, of them not sent again, ms of the newest) of those that fit, most first."""
    where, parameters = _where(query)
    sql = (
        "SELECT toString(reason), toString(topic), source, count(), countIf(redriven_at IS NULL),"
        " toUnixTimestamp64Milli(max(at))"
        f" FROM letters WHERE {where} GROUP BY reason, topic, source ORDER BY count() DESC, reason, topic, source"
    )
    return [(r, t, s, int(n), int(left), int(ms)) for r, t, s, n, left, ms in client.query(sql, parameters).result_rows]


def mark_redriven(client: Client, sent: Sequence[Redriven]) -> None:
    """Remember that letters were sent again."""
    columns = ["topic", "partition", "offset", "made_anew", "reason", "sent_partition", "sent_offset", "redriven_at"]
    rows = [_row(one.letter, *one.sent) for one in sent]
    if rows:
        client.insert("redrives", rows, column_names=columns)


def _row(letter: StoredLetter, partition: int, offset: int, at_ms: int) -> list[Any]:
    came_from = (letter.topic, letter.partition, letter.offset, letter.made_anew)
    return [*came_from, letter.reason, partition, offset, from_ms(at_ms)]


def _where(query: LetterQuery) -> tuple[str, dict[str, Any]]:
    parts = ["1"]
    parameters: dict[str, Any] = {}
    for name in ("reason", "topic", "source", "place"):
        if value := getattr(query, name):
            parts.append(f"{name} = {{{name}:String}}")
            parameters[name] = value
    for name, bound, sign in (("since", query.since_ms, ">="), ("until", query.until_ms, "<")):
        if bound is not None:
            parts.append(f"at {sign} {{{name}:DateTime64(3, 'UTC')}}")
            parameters[name] = from_ms(bound)
    if query.only_open:
        parts.append("redriven_at IS NULL")
    return " AND ".join(parts), parameters
