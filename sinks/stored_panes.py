"""Panes as ClickHouse has them, read as JSON: ClickHouse makes the map of what is not zero, and pydantic reads it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, cast

from pydantic_core import from_json

from schemas.panes import ABANDONED_WITHIN, AGENT_COLUMNS, ANSWERED_WITHIN, MAPS, QUEUE_COLUMNS
from streams.core.facts import CellKey
from streams.core.panes import Cells, Pane, packed

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

PaneOf = tuple[str, int, CellKey, Pane]
"""(subject, minute, cell, pane)."""
Kind = Literal["agent", "queue"]
KINDS: tuple[Kind, Kind] = ("agent", "queue")


def stored_panes(client: Client, kind: Kind, where: str, parameters: Mapping[str, Any]) -> list[PaneOf]:
    """The panes of agents or of queues that a condition over `agent_minutes` or `queue_minutes` chooses."""
    said = client.raw_query(
        _QUERIES[kind] + where,
        parameters=dict(parameters),
        settings={"output_format_json_quote_64bit_integers": 0},
        fmt="JSONCompact",
    )
    return [
        (subject, minute, (queue, channel), Pane(sums, times, version))
        for _, subject, minute, queue, channel, version, times, sums in from_json(said)["data"]
    ]


PackedMinute = tuple[int, str, int, int, bytes]
"""(partition, subject, minute, highest version, its panes as `streams.core.panes.packed` has them)."""


def packed_minutes(client: Client, kind: Kind, where: str, parameters: Mapping[str, Any]) -> list[PackedMinute]:
    """The minutes that a condition over `agent_minutes` or `queue_minutes` chooses."""
    said = client.query(
        "SELECT partition, subject, of_minute, max(version), toJSONString(groupArray((queue, channel, sums,"
        f" handle_times_ms, version))) AS packed FROM ({_QUERIES[kind]}{where})"
        " GROUP BY partition, subject, of_minute",
        parameters=dict(parameters),
        settings={"output_format_json_quote_64bit_integers": 0, "output_format_json_named_tuples_as_objects": 0},
        column_formats={"packed": "bytes"},
    )
    return cast("list[PackedMinute]", said.result_rows)


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


def _query(kind: str, maps: list[str]) -> str:
    """The SELECT of one table; `maps`: the maps that its sums are made of."""
    found = f"mapFilter((column, value) -> value != 0, mapConcat({', '.join(maps)}))"
    return (
        f"SELECT partition, concat('{kind}:', {kind}) AS subject, intDiv(toUnixTimestamp(minute), 60) AS of_minute,"
        f" queue, toString(channel) AS channel, version, handle_times_ms, {found} AS sums"
        f" FROM {kind}_minutes FINAL WHERE "
    )


def _columns(names: tuple[str, ...], values: str) -> str:
    """The map of some names to an array of as many values."""
    return f"mapFromArrays([{', '.join(repr(name) for name in names)}], {values})"


def _each(columns: tuple[str, ...]) -> str:
    """The map of columns by their names."""
    return _columns(columns, f"[{', '.join(f'toInt64({column})' for column in columns)}]")


def _prefixed(column: str, prefix: str) -> str:
    """A map with its keys as they are in memory."""
    return f"mapApply((key, value) -> (concat('{prefix}', key), toInt64(value)), {column})"


def _buckets(names: tuple[str, ...], column: str) -> str:
    """The map of wait buckets."""
    return _columns(names, f"arrayMap(count -> toInt64(count), {column})")


_QUERIES: Mapping[Kind, str] = {
    "agent": _query("agent", [_each(AGENT_COLUMNS), *(_prefixed(column, key) for column, (key, _) in MAPS.items())]),
    "queue": _query(
        "queue",
        [
            _each(QUEUE_COLUMNS),
            _buckets(ANSWERED_WITHIN, "answered_waits"),
            _buckets(ABANDONED_WITHIN, "abandoned_waits"),
        ],
    ),
}
