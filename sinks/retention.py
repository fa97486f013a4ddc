"""How long ClickHouse keeps what is counted: all by the time at which it was stored."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.times import DAY_MS


@dataclass(frozen=True, slots=True)
class Retention:
    """Days and months after which rows expire."""

    events_days: int = 35
    minutes_days: int = 35
    quarters_months: int = 13

    @property
    def events_ms(self) -> int:
        """How long raw events are kept."""
        return self.events_days * DAY_MS


DEFAULT_RETENTION = Retention()
