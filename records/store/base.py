"""What the ledger needs of the place where its entries are kept."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from schemas.records import RecordEvent


class LedgerStore(Protocol):
    """Keeps the entries of streams; only the owner of a stream writes to it."""

    def load(self, streams: Collection[str]) -> dict[str, list[RecordEvent]]:
        """The entries of each stream in order; an unknown stream has none. Unavailable: the store is away."""

    def append(self, events: Sequence[RecordEvent]) -> None:
        """
        Keep new entries, all or none of them; they are durable when it returns.

        The same entries again change nothing. Unavailable: the store is away.
        """
