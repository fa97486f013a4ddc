"""
The proof that the numbers are right: every stored pane against a fold of the raw events, every offset against a row,
and the quarter hours that stand for minutes against these.

A running floor is compared as of its checkpoints: a pane that a later flush has touched meanwhile is left out, and so
is one of a minute that may have lost raw events. Once any may have expired, counts of rows prove nothing either.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from schemas.times import MINUTE_MS, iso
from schemas.topics import DEAD_LETTERS, EVENTS
from sinks.horizon import Horizon, read_horizon
from sinks.marks import Mark, read_marks
from sinks.raw import current_events
from sinks.retention import DEFAULT_RETENTION, Retention
from sinks.rollups import wrong_quarters
from sinks.stored_panes import KINDS, panes_of
from streams.core.facts import CellKey
from streams.core.minutes import Minutes
from streams.core.panes import Cells, Pane
from streams.core.subject import fold_all
from streams.core.versions import OFFSET_BITS

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

ALL_TIME = (-(2**40), 2**45)
_EXPIRING = frozenset({"rows", "dead_letters"})
"""What is counted against rows that expire."""


@dataclass(frozen=True, slots=True)
class Place:
    """Whose minute it is, and which partition owns it."""

    partition: int
    subject: str
    minute: int


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is not as it must be."""

    what: str
    """`pane`, `quarter`, `offsets`, `rows` or `dead_letters`."""
    where: str
    expected: str
    found: str
    place: Place | None = None
    """Of a pane."""
    day: date | None = None
    """Of a quarter hour: the UTC day that is to be rolled up again."""


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What was compared, and what differed."""

    subjects: int
    panes: int
    events: int
    differences: list[Difference]
    left_out: int = 0
    """Stored panes that were not compared, as raw events of their minutes may have expired."""
    kept_from_ms: int = 0
    """From then on raw events are there; 0 where that holds of all time."""


def reconcile(
    client: Client,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
    choose: Callable[[list[str]], Collection[str]] = lambda keys: keys,
    retention: Retention = DEFAULT_RETENTION,
) -> Reconciled:
    """Compare everything; `progress` is told (subjects done, all), `choose` may leave subjects out."""
    marks = read_marks(client)
    horizon = read_horizon(client, retention)
    counted = (difference for mark in marks.values() for difference in _count_differences(client, mark))
    differences = [difference for difference in counted if horizon.is_whole or difference.what not in _EXPIRING]
    found = _subjects(client)
    chosen = set(choose([key for key, _ in found]))
    subjects = [(key, partition) for key, partition in found if key in chosen]
    panes = events = left_out = 0
    for done, (key, partition) in enumerate(subjects):
        mark = marks.get(partition)
        if mark is None:
            differences.append(Difference("offsets", f"{EVENTS}:{partition}", "a checkpoint", "none"))
            continue
        current = current_events(client, key, *ALL_TIME, mark.limit)
        stored = _stored(client, key)
        old = sum(horizon.has_lost(minute) for minute, _ in stored)
        panes += len(stored) - old
        left_out += old
        events += len(current)
        folded = fold_all(current, mark.clock_ms).minutes
        differences += _pane_differences(key, folded, stored, mark, horizon)
        progress(done + 1, len(subjects))
    differences += _quarter_differences(client, None if len(subjects) == len(found) else chosen)
    return Reconciled(len(subjects), panes, events, differences, left_out, horizon.kept_from_ms)


def _count_differences(client: Client, mark: Mark) -> Iterator[Difference]:
    """Every offset up to the boundary is an event, a duplicate, a dead letter, a control record or an accepted gap."""
    where = f"{EVENTS}:{mark.partition}"
    gaps = _one(
        client,
        "SELECT sum(to_offset - from_offset + 1) FROM gaps FINAL"
        " WHERE topic = {topic:String} AND partition = {p:UInt16} AND accepted_at >= (SELECT min(seen_at)"
        " FROM topics FINAL WHERE topic = {topic:String} AND epoch = {epoch:UInt16})",  # of an older topic, as below
        {"topic": EVENTS, "p": mark.partition, "epoch": mark.limit >> OFFSET_BITS},
    )
    if mark.counted + gaps != mark.boundary + 1:
        yield Difference("offsets", where, f"{mark.boundary + 1} accounted for", f"{mark.counted} + {gaps} in gaps")
    stored = _one(
        client,
        "SELECT count() FROM events FINAL WHERE partition = {p:UInt16} AND version > 0"
        " AND bitShiftLeft(toUInt64(epoch), 48) + offset <= {limit:UInt64}",
        {"p": mark.partition, "limit": mark.limit},
    )
    erased = _one(
        client,
        "SELECT count() FROM erased_events FINAL WHERE topic = {topic:String} AND partition = {p:UInt16}"
        " AND bitShiftLeft(toUInt64(epoch), 48) + offset <= {limit:UInt64}",
        {"topic": EVENTS, "p": mark.partition, "limit": mark.limit},
    )
    if stored + erased != mark.rows:
        told = f"{stored} in events" + (f", {erased} in erased_events" if erased else "")
        yield Difference("rows", where, f"{mark.rows} events", told)
    buried = _one(
        client,
        "SELECT count() FROM dead_letters FINAL WHERE topic = {topic:String} AND partition = {p:Int32}"
        " AND (offset <= {boundary:Int64} OR at < (SELECT min(seen_at) FROM topics FINAL"
        " WHERE topic = {topic:String} AND epoch = {epoch:UInt16}))",  # offsets of an older topic begin at 0 again
        {"topic": EVENTS, "p": mark.partition, "boundary": mark.boundary, "epoch": mark.limit >> OFFSET_BITS},
    )
    if buried != mark.dead:
        yield Difference("dead_letters", where, f"{mark.dead} letters", f"{buried} from {DEAD_LETTERS}")


def _one(client: Client, sql: str, parameters: dict[str, Any]) -> int:
    return int(client.query(sql, parameters=parameters).result_rows[0][0] or 0)


def _subjects(client: Client) -> list[tuple[str, int]]:
    """(subject, partition) of everybody with events or panes; the partition of the events where there are any."""
    rows = client.query(
        "SELECT subject, argMin(partition, source) FROM ("
        "SELECT subject, any(partition) AS partition, 0 AS source FROM events GROUP BY subject UNION ALL "
        + " UNION ALL ".join(
            f"SELECT concat('{kind}:', {kind}) AS subject, any(partition) AS partition, 1 AS source"
            f" FROM {kind}_minutes GROUP BY subject"
            for kind in KINDS
        )
        + ") GROUP BY subject ORDER BY subject"
    ).result_rows
    return [(str(subject), int(partition)) for subject, partition in rows]


def _stored(client: Client, key: str) -> dict[tuple[int, CellKey], Pane]:
    return {(minute, cell): pane for _, minute, cell, pane in panes_of(client, key)}


def _pane_differences(
    key: str, folded: Minutes[Cells, Any], stored: dict[tuple[int, CellKey], Pane], mark: Mark, horizon: Horizon
) -> Iterator[Difference]:
    wanted = {(minute, cell): pane for minute, cells in folded.items() for cell, pane in cells.items()}
    for at in sorted(wanted.keys() | stored.keys()):
        expected, found = wanted.get(at, Pane()), stored.get(at, Pane())
        if found.version > mark.limit or horizon.has_lost(at[0]):
            continue
        if _plain(expected) != _plain(found):
            minute, cell = at
            where = f"{key} {iso(minute * MINUTE_MS)} {cell[0] or '-'}/{cell[1] or '-'}"
            place = Place(mark.partition, key, minute)
            yield Difference("pane", where, str(_plain(expected)), str(_plain(found)), place)


def _quarter_differences(client: Client, chosen: Collection[str] | None) -> Iterator[Difference]:
    for wrong in wrong_quarters(client, chosen):
        where = f"{wrong.subject} {iso(wrong.start_s * 1000)} {wrong.queue or '-'}/{wrong.channel or '-'}"
        expected, found = (str(side) if side else "none" for side in (wrong.expected, wrong.found))
        yield Difference("quarter", where, expected, found, day=wrong.day)


def _plain(pane: Pane) -> tuple[dict[str, int], list[int]]:
    """Sums without zeros, and the handle times in order of size."""
    return {column: value for column, value in sorted(pane.sums.items()) if value}, sorted(pane.handle_times)
