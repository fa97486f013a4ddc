"""The events that everything is measured with: a simulated floor, as its feed sends it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from schemas.events import FloorEvent
from sources.readers.producing import EventProducer
from sources.readers.simulator.engine import Simulator
from sources.readers.simulator.feed import Feed
from sources.readers.simulator.spec import FloorSpec

SEED = 20
START_MS = 1_772_438_400_000
"""2026-03-02 08:00 UTC: the simulated floor opens."""
AGENTS = 1_000
TEAM_SIZE = 10
PARTITIONS = 4
FEED_STRIDE_MS = 60_000


@dataclass(slots=True)
class LoggedRecord:
    """A record as the Kafka client hands it out."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Iterable[tuple[str, bytes]]


class _Acknowledged:
    """What a send to a list returns."""

    def get(self, timeout: float | None = None) -> object:
        """There at once."""
        return None


_DONE = _Acknowledged()


@dataclass
class LogOfLists:
    """The log in memory: takes what a feed sends (`sources.readers.producing.Sender`)."""

    partitions: int
    broker_ms: int
    records: list[list[LoggedRecord]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Empty partitions."""
        self.records = [[] for _ in range(self.partitions)]

    def send(
        self,
        topic: str,
        value: bytes | None = None,
        key: bytes | None = None,
        headers: list[tuple[str, bytes]] | None = None,
        partition: int | None = None,
    ) -> Any:
        """Append to a partition."""
        log = self.records[partition or 0]
        log.append(LoggedRecord(len(log), self.broker_ms, key, value, headers or []))
        return _DONE

    def partitions_for(self, topic: str) -> set[int]:
        """All of them."""
        return set(range(self.partitions))

    def flush(self, timeout: float | None = None) -> None:
        """Nothing waits."""


def spec_of(agents: int) -> FloorSpec:
    """A floor of so many agents, in teams of ten."""
    return FloorSpec(teams=max(agents // TEAM_SIZE, 1), team_size=min(TEAM_SIZE, agents))


def simulator_of(agents: int, seed: int = SEED) -> Simulator:
    """The floor that is measured."""
    return Simulator(spec_of(agents), seed)


def events_of(
    agents: int, count: int | None = None, hours: float | None = None, seed: int = SEED
) -> Iterator[FloorEvent]:
    """The first `count` events of the floor, or those of its first hours."""
    return islice(simulator_of(agents, seed).events(START_MS, hours), count)


def log_of(
    agents: int, count: int | None = None, hours: float | None = None, partitions: int = PARTITIONS
) -> LogOfLists:
    """The log in memory, ticks included, not ended, as if it had been sent long after it happened (event clock)."""
    log = LogOfLists(partitions, START_MS + 400 * 86_400_000)
    feed = Feed(events_of(agents, count, hours), EventProducer(log))
    feed.up_to(2**62)
    return log
