"""What takes an ingest back: for each fact of it, the next revision, which is void or what stood before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from schemas.controls import is_control
from schemas.events import FloorEvent, decode
from schemas.times import HOUR_MS, to_ms
from sinks.retention import Retention, gone_under_another_ms
from streams.core.lateness import oldest_taken_ms
from streams.core.spans import EVER

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_OURS = "ingest = {number:UInt64} AND superseded_by = 0"


_ON_ITS_WAY_MS = HOUR_MS
"""What takes a fact back is sent and folded within this, while time goes on."""


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
    The replacements of everything that an ingest says, in order of time; empty when nothing of it holds any more.

    Where the ingest itself had replaced or taken back a revision of another source of facts (a live feed, another
    ingest that was not taken back), that one comes back. What is void and stands on nothing stays as it is.
    """
    before = _before(client, number)
    rows = client.query(
        "SELECT source, id, toString(type), revision, payload, content, void FROM events FINAL"
        f" WHERE {_OURS} ORDER BY at, offset",
        parameters={"number": number},
    ).result_rows
    found = ((row, before.get(tuple(row[:3]))) for row in rows)
    return [_replacement(row, number, earlier) for row, earlier in found if not row[6] or _counted(earlier)]


def taken_back_from(client: Client, retention: Retention, now_ms: int, *, event_clock: bool) -> int:
    """Facts from this instant on can be taken back: the engines find older ones too late. `EVER` while all can be."""
    rows = client.query(
        "SELECT toUnixTimestamp64Milli(clock), JSONExtractInt(body, 'first_broker') AS first FROM subjects FINAL"
        " WHERE kind = 'partition' AND hop = 1 AND first >= 0"
    ).result_rows
    gone_ms = gone_under_another_ms(client, event_clock=event_clock)
    bounds = (
        oldest_taken_ms(int(clock) if event_clock else now_ms, now_ms, int(first), retention.events_ms, gone_ms)
        for clock, first in rows
    )
    oldest = max(bounds, default=EVER)
    return oldest if oldest == EVER else oldest + _ON_ITS_WAY_MS


def oldest_fact_ms(client: Client, number: int, replacements: Sequence[Replacement]) -> int | None:
    """The time of the oldest fact that taking an ingest back would change; None for none."""
    if not replacements:
        return None
    (row,) = client.query(
        f"SELECT toUnixTimestamp64Milli(min(at)) FROM events FINAL WHERE {_OURS}", parameters={"number": number}
    ).result_rows
    return min(int(row[0]), *(to_ms(replacement.event.at) for replacement in replacements))


def _before(client: Client, number: int) -> dict[tuple[str, ...], Sequence[Any]]:
    """Fact -> (payload, content, ingest, void) of the revision that stood before the ingest replaced it."""
    rows = client.query(
        "SELECT source, id, toString(type), argMax((payload, content, ingest, void), revision) FROM events FINAL"
        " WHERE (source, id, type) IN ("
        f" SELECT source, id, type FROM events FINAL WHERE {_OURS} AND revision > 0)"
        " AND ingest != {number:UInt64}"
        " AND ingest NOT IN (SELECT number FROM ingests FINAL WHERE state = 'retracted')"
        " GROUP BY source, id, type",
        parameters={"number": number},
    ).result_rows
    return {tuple(row[:3]): row[3] for row in rows}


def _counted(before: Sequence[Any] | None) -> bool:
    return before is not None and not before[3]


def _replacement(row: Sequence[Any], number: int, before: Sequence[Any] | None) -> Replacement:
    revision, payload, content, ingest = int(row[3]) + 1, row[4], row[5], number
    if before is not None:
        payload, content, ingest, _ = before
    event = decode(payload.encode())
    if is_control(event):
        raise TypeError(f"{event.type} is no event, and stands in events")
    is_void = event.void if before is not None else True
    again = event.model_copy(update={"revision": revision, "void": is_void})
    return Replacement(again, int(content), int(ingest))
