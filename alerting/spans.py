"""The spans of time that a rule is written in: durations (`90s`), windows (`30m`, `14d`, `day`) and hours of a day."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, cast
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from schemas.alerts import Window
from schemas.times import from_ms, to_ms

_UNITS_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000}
_DURATION = re.compile(r"([0-9]{1,6})([smh])")
_WINDOW = re.compile(r"([1-9][0-9]?)([md])")
_HOUR = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
_LONGEST_MS = 24 * 3_600_000
_MINUTES = range(5, 91)
_DAYS = range(1, 36)


def parse_duration(text: Any) -> int:
    """Milliseconds of `90s`, `5m` or `2h`, up to a day; ValueError for anything else."""
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    ms = int(match[1]) * _UNITS_MS[match[2]] if match else _LONGEST_MS + 1
    if ms > _LONGEST_MS:
        raise ValueError("expected a duration up to 24h, such as 90s, 5m or 2h")
    return ms


def parse_window(text: Any) -> Window:
    """The window of `5m` to `90m`, `1d` to `35d`, `day`, `shift` or `now`; ValueError for anything else."""
    if isinstance(text, Window):
        return text
    if text in {"day", "shift", "now"}:
        return Window(cast(Literal["day", "shift", "now"], text))
    match = _WINDOW.fullmatch(text) if isinstance(text, str) else None
    if match and match[2] == "m" and int(match[1]) in _MINUTES:
        return Window("rolling", minutes=int(match[1]))
    if match and match[2] == "d" and int(match[1]) in _DAYS:
        return Window("days", days=int(match[1]))
    raise ValueError("expected 5m to 90m, 1d to 35d, day, shift or now")


def _parse_hour(text: Any) -> int:
    match = _HOUR.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError("expected a local time such as 08:30")
    return int(match[1]) * 60 + int(match[2])


def _hour_text(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


DurationMs = Annotated[int, BeforeValidator(parse_duration), PlainSerializer(lambda ms: f"{ms // 1000}s")]
WindowSpan = Annotated[Window, BeforeValidator(parse_window), PlainSerializer(str)]
MinuteOfDay = Annotated[int, BeforeValidator(_parse_hour), PlainSerializer(_hour_text)]


class ShiftHours(BaseModel):
    """The local hours of a site in which a rule may start, `from` inclusive, `to` exclusive; may run over midnight."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    from_minute: MinuteOfDay = Field(alias="from")
    to_minute: MinuteOfDay = Field(alias="to")

    def opens_ms(self, now_ms: int, zone: ZoneInfo) -> int:
        """The next instant after now at which the hours begin."""
        day = from_ms(now_ms).astimezone(zone).date()
        starts = (
            to_ms(datetime(one.year, one.month, one.day, *divmod(self.from_minute, 60), tzinfo=zone))
            for one in (day + timedelta(days=ahead) for ahead in range(3))
        )
        return next(start for start in starts if start > now_ms)

    def opened_ms(self, now_ms: int, zone: ZoneInfo) -> int | None:
        """The instant at which the hours that hold now began; None outside of them."""
        local = from_ms(now_ms).astimezone(zone)
        minute = local.hour * 60 + local.minute
        after_start, before_end = minute >= self.from_minute, minute < self.to_minute
        overnight = self.from_minute >= self.to_minute
        if not (after_start or before_end if overnight else after_start and before_end):
            return None
        day = local.date() if after_start else local.date() - timedelta(days=1)
        start = datetime(day.year, day.month, day.day, *divmod(self.from_minute, 60), tzinfo=zone)
        return min(to_ms(start), now_ms)
