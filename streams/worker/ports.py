"""What the worker needs from outside; wiring hands it in. All calls block and run in threads of their own."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from schemas.letter_limit import USUAL_LIMIT, LetterLimit
from streams.core.identity import Known
from streams.core.lateness import KEPT_MS
from streams.core.log import Checkpoint, Frozen, Revision, Stored
from streams.core.spans import EVER, Identity


class Storage(Protocol):
    """ClickHouse, as the worker sees it. `Unavailable`: try again; `StopWorker`: never mends."""

    def stored(self, partitions: Collection[int], epoch: int) -> dict[int, Stored]:
        """What is stored of partitions of events; without those that were never flushed."""

    def stored_groups(self, epoch: int) -> tuple[Checkpoint, dict[str, bytes]] | None:
        """The checkpoint of the contributions and the groups' bodies."""

    def look_up(self, identities: Sequence[Identity]) -> dict[Identity, list[Known]]:
        """All rows that are stored of some identities."""

    def revision(self, registry: int, rules: int) -> Revision:
        """A revision of the registry with one of the rules; 0 is the empty one."""

    def write(self, flush: Sequence[Frozen]) -> None:
        """Write a flush; the same flush again changes nothing."""

    def write_letters(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Write dead letters, in the columns of `sinks.dead_letters`."""

    def letters_between(self, topic: str, partition: int, after: int, until: int) -> int:
        """
        How many dead letters are stored of the offsets after one and up to another.

        Those of people who were erased do not count: their source is not bad.
        """

    def accept_gap(self, topic: str, partition: int, first: int, last: int) -> None:
        """Record that a person accepted that these offsets are missing."""


@dataclass(frozen=True, slots=True)
class WorkerConfig:
    """The settings of a worker."""

    bootstrap: str
    instance: str
    """Name of this worker in its group: the same after a restart."""
    partitions: int
    epochs: dict[str, int]
    event_clock: bool
    flush_interval_s: float
    buffer_rows: int
    accept_gap: bool = False
    letter_limit: LetterLimit = USUAL_LIMIT
    kept_ms: int = KEPT_MS
    """How long raw events are kept."""
    gone_before_ms: int = EVER
    """What was stored before is gone already, under a shorter retention."""
    step: Callable[[str], None] = lambda _name: None
    """Told the name of each point between two steps: the fault tests crash there."""
