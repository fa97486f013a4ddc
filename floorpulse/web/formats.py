"""How figures, durations and instants are written for people: 3:25, 78 %, 14:02."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from schemas.kpis import KPIS, LIVE_KPIS, Unit
from schemas.times import DAY_MS, HOUR_MS, MINUTE_MS, from_ms

NOTHING = "\u2013"
"""What stands where there is no value: a blank is never a zero."""

STATE_WORDS: dict[str, str] = {
    "ready": "ready",
    "ringing": "ringing",
    "on_contact": "on contact",
    "hold": "hold",
    "wrap": "wrap",
    "away": "away",
    "offline": "signed off",
    "": "state unknown",
}
LIVE_NAMES = {"time_in_state_s": "Time in state", "longest_wait_s": "Waiting longest"}


def duration(seconds: float | None) -> str:
    """Minutes and seconds, hours where there are any: 0:07, 3:25, 1:02:03."""
    if seconds is None:
        return NOTHING
    whole = max(0, int(seconds + 0.5))
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"


def percent(share: float | None) -> str:
    """A share of 1 as per cent: whole from 10 % on, with one decimal below."""
    if share is None:
        return NOTHING
    value = share * 100
    return f"{value:.0f} %" if value >= 9.95 or value == 0 else f"{value:.1f} %"


def figure(value: float | None, unit: Unit) -> str:
    """A value in the way of its unit."""
    if value is None:
        return NOTHING
    if unit == "share":
        return percent(value)
    if unit == "s":
        return duration(value)
    if unit in {"per_hour", "ratio"}:
        return f"{value:,.2f}"
    return f"{value:.0f} %" if unit == "points" else f"{value:,.0f}"


def kpi_figure(kpi: str, value: float | None) -> str:
    """A value in the way of its KPI; a KPI of the present instant is a duration."""
    return figure(value, unit_of(kpi))


def unit_of(kpi: str) -> Unit:
    """The unit of a KPI by its id; `count` for one nobody knows."""
    if kpi in LIVE_KPIS:
        return "s"
    return KPIS[kpi].unit if kpi in KPIS else "count"


def kpi_name(kpi: str) -> str:
    """The name of a KPI by its id; the id itself for one nobody knows."""
    if kpi in LIVE_NAMES:
        return LIVE_NAMES[kpi]
    return KPIS[kpi].name if kpi in KPIS else kpi


def kpi_words(kpi: str) -> str:
    """The definition of a KPI in plain words; `''` for one nobody knows."""
    if kpi in LIVE_KPIS:
        return LIVE_KPIS[kpi]
    return KPIS[kpi].words if kpi in KPIS else ""


def ago(ms: int) -> str:
    """How long ago, in the largest unit that says enough: 2 s, 6 min, 3 h, 4 d."""
    seconds = max(0, ms) // 1000
    if seconds < 60:
        return f"{seconds} s"
    if ms < HOUR_MS:
        return f"{ms // MINUTE_MS} min"
    if ms < 2 * DAY_MS:
        return f"{ms // HOUR_MS} h"
    return f"{ms // DAY_MS} d"


def clock_time(ms: int, zone: ZoneInfo, now_ms: int) -> str:
    """The local time: 14:02 today, else with its day, `3 Feb 14:02`; with the year where it is another one."""
    local, today = from_ms(ms).astimezone(zone), from_ms(now_ms).astimezone(zone)
    if local.date() == today.date():
        return f"{local:%H:%M}"
    return f"{local.day} {local:%b %H:%M}" if local.year == today.year else f"{local.day} {local:%b %Y %H:%M}"


def full_time(ms: int, zone: ZoneInfo) -> str:
    """The whole local time with its zone, for the hover."""
    return f"{from_ms(ms).astimezone(zone):%Y-%m-%d %H:%M:%S} {zone.key}"


def day_words(day: datetime) -> str:
    """A day as people say it: 3 Feb 1999."""
    return f"{day.day} {day:%b %Y}"


def count(number: int, one: str, many: str) -> str:
    """A number with its noun: 1 agent, 13 agents."""
    return f"{number:,} {one if number == 1 else many}"


def subject_words(subject: str) -> str:
    """`queue:sales` as `Queue sales`."""
    kind, _, name = subject.partition(":")
    return f"{kind.capitalize()} {name}" if name else subject
