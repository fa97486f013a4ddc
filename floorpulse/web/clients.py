"""ClickHouse clients for page requests: each is used by one request at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from clickhouse_connect.driver.exceptions import ClickHouseError

from schemas.errors import Unavailable

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client


class Clients:
    """A pool that grows with the requests at the same time; a client that failed is not used again."""

    def __init__(self, factory: Callable[[], Client]) -> None:
        self._factory = factory
        self._free: SimpleQueue[Client] = SimpleQueue()

    @contextmanager
    def borrow(self) -> Iterator[Client]:
        """A client for the body of the `with`; Unavailable when ClickHouse does not answer."""
        try:
            client = self._free.get_nowait()
        except Empty:
            client = self._factory()
        try:
            yield client
        except (ClickHouseError, OSError) as error:
            client.close()
            raise Unavailable(f"ClickHouse does not answer: {' '.join(str(error).split())[:300]}") from error
        self._free.put(client)

    def close(self) -> None:
        """Close those that nobody uses."""
        while not self._free.empty():
            self._free.get_nowait().close()
