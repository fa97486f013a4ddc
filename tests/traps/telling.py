"""A small floor told by its events: folded by the engine, kept in memory or in a real ClickHouse, asked for KPIs."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from schemas.controls import Ticked
from schemas.events import FloorEvent, encode
from schemas.kpis import KPIS, value
from schemas.registry import Floor, Registry
from schemas.times import MINUTE_MS, to_ms
from sinks.kpi_rows import Question, read_kpis
from sources.core.parsed import content_hash
from streams.core.log import Item
from streams.core.subject import Subject
from tests.streams.judges import Notes
from tests.streams.runs import Run, new_engine, restarted
from tests.streams.sql_shelf import SqlShelf

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client


def at(text: str, zone: str = "UTC") -> datetime:
    """The instant of a local time, e.g. `2026-03-02T07:28`."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


@dataclass
class Telling:
    """One partition, fed by hand under the wall clock: events come when they happen, or late."""

    floor: Floor = field(default_factory=Floor)
    client: Client | None = None
    run: Run = field(init=False)
    offset: int = 0

    def __post_init__(self) -> None:
        """Nothing has happened."""
        engine = new_engine(event_clock=False, registry=Registry(self.floor), judge=Notes())
        self.run = Run(engine, SqlShelf(client=self.client))

    def tell(self, *events: FloorEvent, later: datetime | None = None) -> None:
        """What happens; each event comes at its own time or, where it is late, at another."""
        for event in events:
            self._apply(event, to_ms(later or event.at))

    def pass_time(self, until: datetime) -> None:
        """Nothing happens up to an instant."""
        self._apply(Ticked(at=until), to_ms(until))

    def restart(self) -> None:
        """The worker stops and comes back with what is stored."""
        self.run.finish()
        self.run = restarted(self.run)

    def subject(self, key: str) -> Subject:
        """The state of an agent or a queue."""
        return self.run.engine.subjects[key]

    def sums(self, first: str, last: str, *keys: str, zone: str = "UTC") -> dict[str, int]:
        """Sums of some subjects (none named: of all) over [first, last), local times."""
        self.run.finish()
        start, end = (to_ms(at(text, zone)) // MINUTE_MS for text in (first, last))
        totals: dict[str, int] = {}
        for (key, minute, _, _), pane in self.run.panes().items():
            if start <= minute < end and (not keys or key in keys):
                for column, amount in pane.sums.items():
                    totals[column] = totals.get(column, 0) + amount
        return totals

    def kpi(self, kpi: str, first: str, last: str, *keys: str, zone: str = "UTC") -> float | None:
        """A KPI by the catalogue over [first, last), local times."""
        return value(KPIS[kpi], self.sums(first, last, *keys, zone=zone), codes=Registry(self.floor).codes)

    def ask(self, by: Any, first: str, last: str, zone: str = "UTC", **more: Any) -> list[dict[str, Any]]:
        """Rows of a KPI view over [first, last), local times of the zone."""
        assert self.client is not None
        self.run.finish()
        span = (to_ms(at(first, zone)), to_ms(at(last, zone)))
        return read_kpis(self.client, Question(by, *span, ZoneInfo(zone), **more))

    def _apply(self, record: FloorEvent | Ticked, broker_ms: int) -> None:
        payload = encode(record)
        self.run.fold([Item(self.offset, broker_ms, payload, b"", record, content=int(content_hash(payload), 16))])
        self.offset += 1
