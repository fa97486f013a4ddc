"""What takes an ingest back: for each fact of it that counts, the next revision, which is void or what stood before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from schemas.controls import is_control
from schemas.events import FloorEvent, decode

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_OURS = "ingest = {number:UInt64} AND superseded_by = 0 AND void = 0"


@dataclass(frozen=True, slots=True)
class Replacement:
    """The revision that replaces a fact of the ingest."""

    event: FloorEvent
    content: int
    """Hash of the vendor's own fields, as it came with what stands in the event."""
    ingest: int

    @property
    def restores(self) -> bool:
        """True when an earlier revision counts again."""
        return not self.event.void


def read_replacements(client: Client, number: int) -> list[Replacement]:
    """
    The replacements of everything of an ingest that counts, in order of time; empty when nothing of it does.

    Where the ingest itself had replaced a revision of another source of facts (a live feed, another ingest that was
    not taken back), that one comes back.
    """
    before = _before(client, number)
    rows = client.query(
        f"SELECT source, id, toString(type), revision, payload, content FROM events FINAL WHERE {_OURS}"
        " ORDER BY at, offset",
        parameters={"number": number},
    ).result_rows
    return [_replacement(row, number, before.get(tuple(row[:3]))) for row in rows]


def _before(client: Client, number: int) -> dict[tuple[str, ...], Sequence[Any]]:
    """Fact -> (payload, content, ingest) of the revision that counted before the ingest replaced it."""
    rows = client.query(
        "SELECT source, id, toString(type), argMax((payload, content, ingest), revision) FROM events FINAL"
        " WHERE (source, id, type) IN ("
        f" SELECT source, id, type FROM events FINAL WHERE {_OURS} AND revision > 0)"
        " AND ingest != {number:UInt64}"
        " AND ingest NOT IN (SELECT number FROM ingests FINAL WHERE state = 'retracted')"
        " GROUP BY source, id, type",
        parameters={"number": number},
    ).result_rows
    return {tuple(row[:3]): row[3] for row in rows}


def _replacement(row: Sequence[Any], number: int, before: Sequence[Any] | None) -> Replacement:
    revision, payload, content, ingest = int(row[3]) + 1, row[4], row[5], number
    if before is not None:
        payload, content, ingest = before
    event = decode(payload.encode())
    if is_control(event):
        raise TypeError(f"{event.type} is no event, and stands in events")
    is_void = event.void if before is not None else True
    again = event.model_copy(update={"revision": revision, "void": is_void})
    return Replacement(again, int(content), int(ingest))
