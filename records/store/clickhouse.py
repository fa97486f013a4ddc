"""Entries of the ledger in ClickHouse, table `record_events`."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from records.core.chain import canonical
from records.store.base import Place, hashes_beside, refuse_overtaken
from schemas.errors import Unavailable
from schemas.records import RecordEvent
from schemas.times import from_ms, to_ms

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

COLUMNS = ("stream", "sequence", "id", "kind", "at", "by", "command", "record", "version", "body", "previous", "hash")
STREAMS_PER_QUERY = 1_000
_PASSING = frozenset({159, 202, 209, 210, 241, 242, 243, 252})
"""Codes that pass: out of time, queries, network, memory, disk or parts; read-only for now."""

ENTRIES = f"""
SELECT {", ".join("toUnixTimestamp64Milli(at)" if name == "at" else name for name in COLUMNS)}
FROM record_events FINAL
"""
"""The head of a query for entries, read by `entry_of`."""


class ClickHouseLedgerStore:
    """A `LedgerStore` on one ClickHouse client, used by one thread."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def streams(self) -> list[str]:
        """See `LedgerStore`."""
        with unavailable():
            rows = self._client.query("SELECT DISTINCT stream FROM record_events ORDER BY stream").result_rows
        return [str(stream) for (stream,) in rows]

    def load(self, streams: Collection[str]) -> dict[str, list[RecordEvent]]:
        """See `LedgerStore`."""
        found: dict[str, list[RecordEvent]] = {stream: [] for stream in streams}
        wanted = list(found)
        for start in range(0, len(wanted), STREAMS_PER_QUERY):
            part = tuple(wanted[start : start + STREAMS_PER_QUERY])
            with unavailable():
                sql = f"{ENTRIES} WHERE stream IN %(streams)s ORDER BY stream, sequence"
                rows = self._client.query(sql, parameters={"streams": part}).result_rows
            for entry in map(entry_of, rows):
                found[entry.stream].append(entry)
        return found

    def append(self, events: Sequence[RecordEvent]) -> None:
        """See `LedgerStore`: one insert of one block, behind one look at what it would stand beside."""
        if events:
            beside = hashes_beside(events)
            with unavailable():
                refuse_overtaken(beside, self._hashes(list(beside)))
                self._client.insert("record_events", [row_of(event) for event in events], column_names=COLUMNS)

    def _hashes(self, places: Sequence[Place]) -> dict[Place, str]:
        found: dict[Place, str] = {}
        for start in range(0, len(places), STREAMS_PER_QUERY):
            part = tuple(places[start : start + STREAMS_PER_QUERY])
            sql = "SELECT stream, sequence, hash FROM record_events FINAL WHERE (stream, sequence) IN %(places)s"
            rows = self._client.query(sql, parameters={"places": part}).result_rows
            found |= {(stream, sequence): hash_ for stream, sequence, hash_ in rows}
        return found


def row_of(event: RecordEvent) -> list[Any]:
    """The row of an entry, in the order of `COLUMNS`."""
    return [
        to_ms(event.at) if name == "at" else canonical(event.body) if name == "body" else getattr(event, name)
        for name in COLUMNS
    ]


def entry_of(row: Sequence[Any]) -> RecordEvent:
    """The entry of a row of `ENTRIES`."""
    values = dict(zip(COLUMNS, row, strict=True))
    return RecordEvent(**{**values, "at": from_ms(values["at"]), "body": json.loads(values["body"])})


@contextmanager
def unavailable() -> Iterator[None]:
    """Say `Unavailable` where nobody answered, or where the answer mends by itself."""
    from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError

    try:
        yield
    except DatabaseError as error:
        if not isinstance(error, OperationalError) and error.code not in _PASSING:
            raise
        raise Unavailable(f"ClickHouse does not answer: {' '.join(str(error).split())[:300]}") from error
