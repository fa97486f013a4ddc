"""Minutes that are no longer in memory, folded again from the raw events: for late facts, corrections and the start."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from schemas.times import MINUTE_MS
from sinks.horizon import Horizon
from sinks.raw import current_events
from sinks.stored_panes import PaneOf
from streams.core.facts import CellKey
from streams.core.log import Frozen
from streams.core.panes import Pane
from streams.core.spans import TTL_MS
from streams.core.subject import REACH_MS, fold_all
from streams.core.versions import version_of

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client


def late_panes(client: Client, frozen: Frozen, horizon: Horizon) -> list[PaneOf]:
    """
    The panes of all late minutes of a flush as of its boundary; one that came to nothing is all zero.

    Without the minutes that may have lost raw events: what stands of them is right, and a fold of the rest is not.
    """
    mark = frozen.checkpoint
    found: list[PaneOf] = []
    for key in sorted(frozen.late):
        minutes = {minute for minute in frozen.late[key] if not horizon.has_lost(minute)}
        found += refolded(client, key, minutes, version_of(frozen.epoch, mark.boundary), mark.clock_ms)
    return found


def refolded(client: Client, key: str, minutes: set[int], version: int, clock_ms: int) -> list[PaneOf]:
    """The panes of some minutes of a subject, folded from its raw events up to a version."""
    panes: list[PaneOf] = []
    for first, last in _runs(sorted(minutes)):
        start, stop = first * MINUTE_MS - REACH_MS, (last + 1) * MINUTE_MS + TTL_MS
        folded = fold_all(current_events(client, key, start, stop, version), clock_ms)
        cells = {(m, c) for m, cs in folded.minutes.items() for c in cs if m in minutes and first <= m <= last}
        for minute, cell in sorted(cells | _stored_cells(client, key, first, last, minutes)):
            pane = (folded.minutes.get(minute) or {}).get(cell, Pane())
            panes.append((key, minute, cell, Pane(pane.sums, pane.handle_times, version)))
    return panes


def _stored_cells(client: Client, key: str, first: int, last: int, minutes: set[int]) -> set[tuple[int, CellKey]]:
    kind, _, name = key.partition(":")
    table, column = ("agent_minutes", "agent") if kind == "agent" else ("queue_minutes", "queue")
    rows = client.query(
        f"SELECT DISTINCT intDiv(toUnixTimestamp(minute), 60), queue, toString(channel) FROM {table}"
        f" WHERE {column} = {{name:String}}"
        " AND minute BETWEEN toDateTime({first:UInt32}) AND toDateTime({last:UInt32})",
        parameters={"name": name, "first": first * 60, "last": last * 60},
    ).result_rows
    return {(int(minute), (str(q), str(channel))) for minute, q, channel in rows if int(minute) in minutes}


def _runs(minutes: list[int]) -> Iterable[tuple[int, int]]:
    """Runs of minutes with gaps of at most an hour, as (first, last): one read each."""
    start = previous = None
    for minute in minutes:
        if start is None or previous is None:
            start = minute
        elif minute - previous > 60:
            yield start, previous
            start = minute
        previous = minute
    if start is not None and previous is not None:
        yield start, previous
