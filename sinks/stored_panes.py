"""
Panes as ClickHouse has them, read as JSON that ClickHouse writes.

It is put together as text: with maps and `toJSONString` it took half as much CPU again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, cast

from schemas.panes import ABANDONED_WITHIN, AGENT_COLUMNS, ANSWERED_WITHIN, MAPS, QUEUE_COLUMNS
from sinks.raw import ROWS_AT_ONCE
from streams.core.facts import CellKey
from streams.core.panes import Cells, Pane, packed, unpacked

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

PaneOf = tuple[str, int, CellKey, Pane]
"""(subject, minute, cell, pane)."""
Kind = Literal["agent", "queue"]
KINDS: tuple[Kind, Kind] = ("agent", "queue")
PackedMinute = tuple[int, str, int, int, bytes]
"""(partition, subject, minute, highest version, its panes as `streams.core.panes.packed` has them)."""


def packed_minutes(client: Client, kind: Kind, where: str, parameters: Mapping[str, Any]) -> Iterator[PackedMinute]:
    """
    The minutes that a condition over `agent_minutes` or `queue_minutes` chooses, as they come.

    The client takes no other question before the end.
    """
    with client.query_rows_stream(
        f"SELECT partition, concat('{kind}:', {kind}), intDiv(toUnixTimestamp(minute), 60), max(version),"
        f" concat('[', arrayStringConcat(groupArray({_PANES[kind]}), ','), ']') AS packed"
        f" FROM {kind}_minutes FINAL WHERE {where} GROUP BY partition, {kind}, minute",
        parameters=dict(parameters),
        settings={"max_block_size": ROWS_AT_ONCE},
        column_formats={"packed": "bytes"},
    ) as rows:
        yield from cast("Iterable[PackedMinute]", rows)


def stored_panes(client: Client, kind: Kind, where: str, parameters: Mapping[str, Any]) -> list[PaneOf]:
    """The panes of agents or of queues that a condition over `agent_minutes` or `queue_minutes` chooses."""
    return [
        (subject, minute, cell, pane)
        for _, subject, minute, _, cells in packed_minutes(client, kind, where, parameters)
        for cell, pane in unpacked(cells).items()
    ]


def packed_by_minute(panes: Iterable[PaneOf]) -> list[tuple[str, int, bytes]]:
    """(subject, minute, its panes as `streams.core.panes.packed` has them) of some panes."""
    minutes: dict[tuple[str, int], Cells] = {}
    for key, minute, cell, pane in panes:
        minutes.setdefault((key, minute), {})[cell] = pane
    return [(key, minute, packed(cells)) for (key, minute), cells in minutes.items()]


def panes_of(client: Client, key: str) -> list[PaneOf]:
    """All panes of a subject."""
    kind, _, name = key.partition(":")
    return stored_panes(client, "agent" if kind == "agent" else "queue", f"{kind} = {{name:String}}", {"name": name})


def _pane(sums: list[str]) -> str:
    """The SQL of a pane as a row of JSON; `sums`: that of its sums but zeros, each after a comma."""
    return (
        "concat('[', toJSONString(queue), ',\"', toString(channel), '\",{',"
        f" substring(concat({', '.join(sums)}), 2), '}},', toString(handle_times_ms), ',', toString(version), ']')"
    )


def _each(columns: tuple[str, ...]) -> list[str]:
    """Columns by their names."""
    return [f"if({column} = 0, '', concat(',\"{column}\":', toString({column})))" for column in columns]


def _listed(names: str, values: str) -> str:
    """An array of names with one of values."""
    named = "if(value = 0, '', concat(',', toJSONString(name), ':', toString(value)))"
    return f"arrayStringConcat(arrayMap((name, value) -> {named}, {names}, {values}))"


def _prefixed(column: str, prefix: str) -> str:
    """A map with its keys as they are in memory."""
    return _listed(f"arrayMap(key -> concat('{prefix}', key), mapKeys({column}))", f"mapValues({column})")


def _buckets(names: tuple[str, ...], column: str) -> str:
    """The wait buckets."""
    return _listed(f"[{', '.join(repr(name) for name in names)}]", column)


_PANES: Mapping[Kind, str] = {
    "agent": _pane([*_each(AGENT_COLUMNS), *(_prefixed(column, key) for column, (key, _) in MAPS.items())]),
    "queue": _pane(
        [
            *_each(QUEUE_COLUMNS),
            _buckets(ANSWERED_WITHIN, "answered_waits"),
            _buckets(ABANDONED_WITHIN, "abandoned_waits"),
        ]
    ),
}
