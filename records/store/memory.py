"""Entries of the ledger in memory, for tests and trials."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from records.store.base import hashes_beside, refuse_overtaken
from schemas.records import RecordEvent


class MemoryLedgerStore:
    """A `LedgerStore` that ends with its process."""

    def __init__(self) -> None:
        self._streams: dict[str, dict[int, RecordEvent]] = {}

    def streams(self) -> list[str]:
        """See `LedgerStore`."""
        return sorted(self._streams)

    def load(self, streams: Collection[str]) -> dict[str, list[RecordEvent]]:
        """See `LedgerStore`."""
        return {stream: [entry for _, entry in sorted(self._streams.get(stream, {}).items())] for stream in streams}

    def append(self, events: Sequence[RecordEvent]) -> None:
        """See `LedgerStore`."""
        beside = hashes_beside(events)
        entries = ((place, self._streams.get(place[0], {}).get(place[1])) for place in beside)
        refuse_overtaken(beside, {place: entry.hash for place, entry in entries if entry})
        for event in events:
            self._streams.setdefault(event.stream, {})[event.sequence] = event
