"""While a flush of a partition is in the making, the partition takes no record; everything else goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from streams.worker.inbox import Inbox


class Gate:
    """Closed for one partition at a time."""

    def __init__(self) -> None:
        """Open for all."""
        self._closed: int | None = None
        self._opened = asyncio.Event()

    @contextmanager
    def closed(self, partition: int) -> Iterator[None]:
        """Closed for a partition inside."""
        self._closed = partition
        self._opened.clear()
        try:
            yield
        finally:
            self._closed = None
            self._opened.set()

    async def waited_for(self, partition: int) -> bool:
        """Wait until it is open for a partition; False: it was."""
        if self._closed != partition:
            return False
        while self._closed == partition:
            await self._opened.wait()
        return True

    def open_ones(self, inboxes: dict[int, Inbox]) -> dict[int, Inbox]:
        """The inboxes that it is open for; all of them while no other has a record."""
        if self._closed is None:
            return inboxes
        others = {partition: inbox for partition, inbox in inboxes.items() if partition != self._closed}
        return others if any(map(len, others.values())) else inboxes
