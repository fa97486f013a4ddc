"""A pane comes back from ClickHouse as it was in memory."""

from __future__ import annotations

from clickhouse_connect.driver.client import Client

from schemas.panes import ABANDONED_WITHIN, AGENT_COLUMNS, ANSWERED_WITHIN, MAPS, QUEUE_COLUMNS
from schemas.topics import EVENTS
from sinks.clickhouse import ClickHouseSink
from sinks.stored_panes import KINDS, PaneOf, packed_minutes, stored_panes
from streams.core.log import Checkpoint, Frozen
from streams.core.panes import Pane, unpacked
from streams.core.versions import OFFSET_BITS

MINUTE = 29_924_370
NEWEST = (3 << OFFSET_BITS) + 2**40
"""A version that a float would round."""


def written(client: Client, *panes: PaneOf) -> None:
    """Flush some panes."""
    checkpoint = Checkpoint(0, 0, 0, 0, 0, 0, {})
    ClickHouseSink(client).write([Frozen(EVENTS, 0, 1, [], list(panes), {}, [], [], [], checkpoint)])


def told(found: list[PaneOf]) -> dict[tuple[str, int, tuple[str, str]], tuple[dict[str, int], list[int], int]]:
    """What panes hold, by place."""
    return {(key, minute, cell): (pane.sums, pane.handle_times, pane.version) for key, minute, cell, pane in found}


def test_every_column_map_and_bucket_comes_back(client: Client) -> None:
    """Each with its own value, so that no two can be taken for each other; an agent's name may be anything."""
    name = """O'Brien "Ö" \\ 7"""
    of_agent = [*AGENT_COLUMNS, *(prefix + key for prefix, _ in MAPS.values() for key in ("lunch", 'it"s', "W/work"))]
    of_queue = [*QUEUE_COLUMNS, *ANSWERED_WITHIN, *ABANDONED_WITHIN]
    expected: list[PaneOf] = [
        (f"agent:{name}", MINUTE, ("sales", "chat"), Pane(_numbered(of_agent), [7, 7, 4_000_000_000], NEWEST + 1)),
        ("queue:sales", MINUTE + 1, ("sales", "voice"), Pane(_numbered(of_queue), [60_000], NEWEST)),
    ]
    written(client, *expected)

    found = stored_panes(client, "agent", "1", {}) + stored_panes(client, "queue", "1", {})

    assert told(found) == told(expected)


def test_the_panes_of_a_minute_come_packed_as_memory_packs_them(client: Client) -> None:
    """Two cells of a minute of an agent are one value, whatever their names; it tells the higher of their versions."""
    name = """O'Brien "Ö" \\ 7"""
    columns = [*AGENT_COLUMNS, *(prefix + 'it"s' for prefix, _ in MAPS.values())]
    panes: list[PaneOf] = [
        (f"agent:{name}", MINUTE, ('s"a\\l/és\t', "chat"), Pane(_numbered(columns), [7, 4_000_000_000], NEWEST + 1)),
        (f"agent:{name}", MINUTE, ("", ""), Pane({"ready_ms": 60_000}, [], NEWEST)),
    ]
    written(client, *panes)

    ((_, key, minute, version, data),) = packed_minutes(client, "agent", "1", {})

    assert (key, minute, version) == (f"agent:{name}", MINUTE, NEWEST + 1)
    assert told([(key, minute, cell, pane) for cell, pane in unpacked(data).items()]) == told(panes)


def test_what_came_to_nothing_comes_back_empty(client: Client) -> None:
    """A sum of zero is no sum."""
    for kind in KINDS:
        written(client, (f"{kind}:x", MINUTE, ("x", "voice"), Pane({}, [], 5)))
        assert told(stored_panes(client, kind, f"{kind} = {{name:String}}", {"name": "x"})) == {
            (f"{kind}:x", MINUTE, ("x", "voice")): ({}, [], 5)
        }


def _numbered(columns: list[str]) -> dict[str, int]:
    return {column: number for number, column in enumerate(columns, 1)}
