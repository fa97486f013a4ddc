"""How far each partition of `floor.events` is stored, and as of when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client


@dataclass(frozen=True, slots=True)
class Mark:
    """The checkpoint of one partition: what ClickHouse holds is compared as of it."""

    partition: int
    limit: int
    """Version of the boundary: what stands above it belongs to a later flush."""
    boundary: int
    clock_ms: int
    rows: int
    duplicates: int
    dead: int
    counted: int
    """Offsets of this epoch that are an event, a duplicate, a dead letter or a control record."""


def read_marks(client: Client) -> dict[int, Mark]:
    """Partition -> its checkpoint."""
    rows = client.query(
        "SELECT partition, version, boundary, toUnixTimestamp64Milli(clock), rows, duplicates, dead, controls,"
        " JSONExtractInt(body, 'base')"
        " FROM subjects FINAL WHERE kind = 'partition' AND hop = 1 ORDER BY partition"
    ).result_rows
    return {int(row[0]): _mark([int(value) for value in row]) for row in rows}


def _mark(values: list[int]) -> Mark:
    partition, version, boundary, clock, rows, duplicates, dead, controls, base = values
    return Mark(partition, version, boundary, clock, rows, duplicates, dead, rows + duplicates + dead + controls - base)
