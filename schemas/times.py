"""Instants and durations: epoch milliseconds inside, ISO 8601 and seconds at the edges."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY = _EPOCH.toordinal()
_MICROSECOND = timedelta(microseconds=1)


def to_ms(instant: datetime) -> int:
    """Epoch milliseconds of an aware instant, rounded down; TypeError without a zone."""
    offset = instant.utcoffset()
    if offset is None:
        raise TypeError(f"{instant.isoformat()} has no zone")
    # Subtracting instants takes four times as long, and every event is asked for its time.
    minutes = ((instant.toordinal() - _EPOCH_DAY) * 24 + instant.hour) * 60 + instant.minute
    local_ms = (minutes * 60 + instant.second) * 1000
    if not offset:
        return local_ms + instant.microsecond // 1000
    return local_ms + (instant.microsecond - offset // _MICROSECOND) // 1000


def from_ms(ms: int) -> datetime:
    """The aware UTC instant of epoch milliseconds."""
    return _EPOCH + timedelta(milliseconds=ms)


def iso(ms: int) -> str:
    """ISO 8601 in UTC with milliseconds and `Z`."""
    return from_ms(ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def utc_minute(ms: int) -> str:
    """An instant as people read it: UTC, to the minute."""
    return f"{from_ms(ms):%Y-%m-%d %H:%M} UTC"


def seconds_to_ms(seconds: float) -> int:
    """Milliseconds of a duration in seconds; exact for up to three decimals."""
    return round(seconds * 1000)


def minute_of(ms: int) -> int:
    """Number of the minute (since the epoch) that holds an instant."""
    return ms // MINUTE_MS


def minute_from(ms: int) -> int:
    """Number of the first minute that begins at an instant or after it."""
    return -(-ms // MINUTE_MS)


def day_of(ms: int, zone: ZoneInfo) -> date:
    """The site day (its local date) that holds an instant."""
    return from_ms(ms).astimezone(zone).date()


def day_start(day: date, zone: ZoneInfo) -> int:
    """Epoch milliseconds at which a local day begins; days of 23 and 25 hours come out right."""
    return to_ms(datetime(day.year, day.month, day.day, tzinfo=zone))


def minutes_of_day(minute: int, zone: ZoneInfo) -> tuple[int, int, str]:
    """(first minute, first minute after, ISO date) of the local day that holds a minute."""
    day = day_of(minute * MINUTE_MS, zone)
    return minute_from(day_start(day, zone)), minute_from(day_end(day, zone)), day.isoformat()


def day_end(day: date, zone: ZoneInfo) -> int:
    """Epoch milliseconds at which a local day ends (exclusive)."""
    return day_start(day + timedelta(days=1), zone)
