"""The numbered runs of `floorpulse ingest`, remembered in ClickHouse, so that a file goes in once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

from schemas.errors import InputError

COLUMNS = (
    "number", "file_hash", "file", "format", "source", "rows", "events", "rejected", "started_at", "finished_at",
    "state", "updated_at",
)  # fmt: skip
_SAME = "file_hash = {file_hash:String} AND source = {source:String}"
_CHUNK = 1024 * 1024


class Client(Protocol):
    """The part of the ClickHouse client that is used here."""

    def query(self, query: str, parameters: dict[str, Any] | None = None) -> Any:
        """Rows in `result_rows`."""

    def insert(self, table: str, data: Sequence[Sequence[Any]], column_names: Sequence[str]) -> Any:
        """Insert rows."""


@dataclass(frozen=True, slots=True)
class Ingest:
    """One run over one file."""

    number: int
    file_hash: str
    file: str
    format: str
    source: str
    started_at: datetime
    rows: int = 0
    events: int = 0
    rejected: int = 0
    finished_at: datetime | None = None
    is_retracted: bool = False

    @property
    def state(self) -> str:
        """`finished` only when the broker has acknowledged all of it; `retracted` when it was taken back since."""
        return "retracted" if self.is_retracted else "finished" if self.finished_at else "running"


class Ingests:
    """The table `ingests`; `now` gives the instant of each row written."""

    def __init__(self, client: Client, now: Callable[[], datetime]) -> None:
        self._client = client
        self._now = now

    def finished(self, file_hash: str, source: str) -> Ingest | None:
        """The finished run of the same bytes for the same source; None when there is none."""
        return self._newest(_SAME + " AND state = 'finished'", {"file_hash": file_hash, "source": source})

    def broken_off(self, file_hash: str, source: str) -> Ingest | None:
        """The run of the same bytes for the same source that has not come to its end; None when there is none."""
        return self._newest(_SAME + " AND state = 'running'", {"file_hash": file_hash, "source": source})

    def numbered(self, number: int) -> Ingest | None:
        """The run of a number; None when there is none."""
        return self._newest("number = {number:UInt64}", {"number": number})

    def revisions_again(self) -> dict[tuple[str, str, str], int]:
        """(source, id, type) of every fact of a retracted run -> the least revision in which it counts again."""
        rows = self._client.query(
            "SELECT source, id, toString(type), max(revision + 1 + (void = 0)) FROM events"
            " WHERE ingest IN (SELECT number FROM ingests FINAL WHERE state = 'retracted') GROUP BY source, id, type"
        ).result_rows
        return {(source, id_, type_): int(least) for source, id_, type_, least in rows}

    def last_number(self) -> int:
        """The number of the run that began last; 0 before the first."""
        return int(self._client.query("SELECT max(number) FROM ingests").result_rows[0][0])

    def take_numbers(self, count: int) -> int:
        """
        The first of so many numbers that no other run has, though it begins at the same time.

        Each says what it wants before it looks: of two that want the same the later one sees it, or both do, and ask
        for higher ones.
        """
        while True:
            first, claim = self._untaken(), uuid4().hex
            rows = [[number, claim] for number in range(first, first + count)]
            self._client.insert("ingest_numbers", rows, column_names=("number", "claim"))
            ((others,),) = self._client.query(
                "SELECT count() FROM ingest_numbers WHERE number >= {first:UInt64} AND claim != {claim:String}",
                parameters={"first": first, "claim": claim},
            ).result_rows
            if not others:
                return first

    def _untaken(self) -> int:
        sql = "SELECT greatest((SELECT max(number) FROM ingests), (SELECT max(number) FROM ingest_numbers))"
        return int(self._client.query(sql).result_rows[0][0]) + 1

    def start(self, number: int, file: Path, file_hash: str, kind: str, source: str) -> Ingest:
        """Remember that a run began; one that goes on under its number began when it first did."""
        known = self.numbered(number)
        ingest = Ingest(number, file_hash, file.name, kind, source, known.started_at if known else self._now())
        self._write(ingest)
        return ingest

    def finish(self, ingest: Ingest, *, rows: int, events: int, rejected: int) -> Ingest:
        """Remember that everything of a run was acknowledged."""
        done = replace(ingest, rows=rows, events=events, rejected=rejected, finished_at=self._now())
        self._write(done)
        return done

    def retract(self, ingest: Ingest) -> Ingest:
        """Remember that a run was taken back."""
        done = replace(ingest, is_retracted=True)
        self._write(done)
        return done

    def _newest(self, where: str, parameters: dict[str, Any]) -> Ingest | None:
        found = self._client.query(
            "SELECT number, file_hash, file, format, source, started_at, rows, events, rejected, finished_at,"
            f" toBool(state = 'retracted') FROM ingests FINAL WHERE {where} ORDER BY number DESC LIMIT 1",
            parameters=parameters,
        ).result_rows
        if not found:
            return None
        run = Ingest(*found[0])
        ended = run.finished_at and run.finished_at.replace(tzinfo=UTC)
        return replace(run, started_at=run.started_at.replace(tzinfo=UTC), finished_at=ended)

    def _write(self, ingest: Ingest) -> None:
        values = [getattr(ingest, name) for name in COLUMNS[:-1]]
        self._client.insert("ingests", [[*values, self._now()]], column_names=COLUMNS)


def hash_of(file: Path) -> str:
    """sha256 of a file, hex; InputError where it cannot be read."""
    digest = sha256()
    try:
        with file.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from None
    return digest.hexdigest()
