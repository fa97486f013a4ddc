"""Every topic: its name, what its key and value are, how long it is kept. `floorpulse topics apply` makes them so."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.times import DAY_MS

EVENTS = "floor.events"
CONTRIBUTIONS = "floor.contributions"
ALERTS = "floor.alerts"
COMMANDS = "floor.commands"
RECORD_EVENTS = "floor.record-events"
DELIVERIES = "floor.deliveries"
DEAD_LETTERS = "floor.dead-letters"
REGISTRY = "floor.registry"

HEADER_INGEST = "ingest"
"""Kafka header of an event: the number of the ingest run that sent it, decimal."""
HEADER_CONTENT = "content"
"""Kafka header of an event: hash of the vendor's own fields, before aliases and defaults, 16 hex digits."""


def content_header(content: int) -> bytes:
    """The header of a hash."""
    return b"%016x" % content


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic as it should be. `partitions` 0: as many as the settings say."""

    name: str
    key: str
    value: str
    partitions: int
    kept_ms: int | None
    """Retention; None: kept for ever."""
    is_compacted: bool = False
    """Only the newest value of a key is kept."""

    @property
    def kept(self) -> str:
        """How long, in words."""
        time = "for ever" if self.kept_ms is None else f"{self.kept_ms // DAY_MS} days"
        return f"{time}, compacted" if self.is_compacted else time


TOPICS: tuple[Topic, ...] = (
    Topic(EVENTS, "agent:ID or queue:ID", "event or control record, JSON", 0, 7 * DAY_MS),
    Topic(
        CONTRIBUTIONS,
        "group kind:ID",
        "sums of (group, minute, source partition); clock marks",
        1,
        3 * DAY_MS,
    ),
    Topic(ALERTS, "subject", "alert transition", 0, 30 * DAY_MS),
    Topic(COMMANDS, "stream of the record", "command, from a rule or a person", 0, 30 * DAY_MS),
    Topic(RECORD_EVENTS, "stream of the record", "what the ledger accepted", 0, 30 * DAY_MS),
    Topic(DELIVERIES, "message id", "sent mark", 1, 30 * DAY_MS, is_compacted=True),
    Topic(
        DEAD_LETTERS,
        "source topic and partition",
        "the bytes as they came; reason and origin in headers",
        1,
        30 * DAY_MS,
    ),
    Topic(REGISTRY, "kind:id", "validity history of people, teams, sites, queues, rules", 1, None, is_compacted=True),
)
WORKER_GROUP = "floorpulse-worker"
"""Consumer group of the workers."""
