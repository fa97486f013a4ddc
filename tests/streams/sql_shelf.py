"""A store for runs that keeps everything in memory and in a real ClickHouse alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sinks.clickhouse import ClickHouseSink
from streams.core.log import Frozen
from tests.streams.shelf import Shelf

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client


@dataclass
class SqlShelf(Shelf):
    """What is stored of one partition of events, so that views can be asked for it."""

    client: Client | None = None

    def write(self, frozen: Frozen, *, subjects: bool = True) -> None:
        """Write a flush to both."""
        super().write(frozen, subjects=subjects)
        if self.client is not None:
            ClickHouseSink(self.client).write([frozen])
