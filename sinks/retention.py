"""How long ClickHouse keeps what is counted: all by the time at which it was stored."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Retention:
    """Days and months after which rows expire."""

    events_days: int = 35
    minutes_days: int = 35
    quarters_months: int = 13


DEFAULT_RETENTION = Retention()
