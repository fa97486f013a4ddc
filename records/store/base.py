"""What the ledger needs of the place where its entries are kept."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

import structlog

from schemas.alerts import Transition
from schemas.errors import Unavailable
from schemas.records import RecordEvent

Place = tuple[str, int]
"""(stream, sequence)."""


class LedgerStore(Protocol):
    """Keeps the entries of streams; only the owner of a stream writes to it."""

    def streams(self) -> list[str]:
        """The names of all streams, in order. Unavailable: the store is away."""

    def load(self, streams: Collection[str]) -> dict[str, list[RecordEvent]]:
        """The entries of each stream in order; an unknown stream has none. Unavailable: the store is away."""

    def append(self, events: Sequence[RecordEvent]) -> None:
        """
        Keep new entries, all or none of them; they are durable when it returns.

        The same entries again change nothing. Unavailable: the store is away, or somebody else has written to a
        stream since it was read: what is stored has to be read again.
        """


class FiredAlerts(Protocol):
    """Which alerts there are."""

    def subjects(self, alerts: Collection[str], seen_ms: int) -> Mapping[str, str]:
        """
        Alert -> whom it is about; those that do not exist are left out.

        Unavailable: the store is away, or does not have everything yet that people could see at an instant.
        """

    def fired(self, alerts: Collection[str]) -> Mapping[str, Transition]:
        """Alert -> how it fired, without its evidence, of those that exist. Unavailable: the store is away."""


def hashes_beside(events: Iterable[RecordEvent]) -> dict[Place, set[str]]:
    """
    The places of new entries and of the entries that they follow, each with the hashes that may be stored there.

    `''` stands for nothing.
    """
    beside: dict[Place, set[str]] = {}
    for event in events:
        beside.setdefault((event.stream, event.sequence - 1), {event.previous})
        beside[event.stream, event.sequence] = {"", event.hash}
    return beside


def refuse_overtaken(beside: Mapping[Place, Collection[str]], stored: Mapping[Place, str]) -> None:
    """
    Unavailable when the store holds something else than `hashes_beside` allows; `stored`: what it has in these places.

    The entry was decided by what had been true before. Its command is a good one and loses nothing by being decided
    again, so this is no case for a refusal or for a dead letter; and reading the stream again is all that a new start
    of the worker would do, so it is none for StopWorker either.
    """
    for place, hashes in beside.items():
        if stored.get(place, "") not in hashes:
            structlog.get_logger(__name__).warning("stream_overtaken", sequence=place[1])
            raise Unavailable("somebody else has written to a stream since it was read")
