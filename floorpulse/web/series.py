"""The line of a KPI around an alert: rolling over the alert's own window, so that it meets the threshold. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from floorpulse.web.figures import total
from floorpulse.web.formats import kpi_figure, kpi_name, unit_of
from floorpulse.web.places import zone_of
from floorpulse.web.queries import MinuteRow
from floorpulse.web.record_queries import AlertRow
from schemas.kpi_terms import DEFAULT_LIMITS, Codes, Limits
from schemas.kpis import DEFAULT_VARIANT, KPIS, Kpi, parts, ratio, service_level
from schemas.panes import Sums
from schemas.registry import Registry
from schemas.times import HOUR_MS, MINUTE_MS, day_of, day_start, minute_from

STANDS_FOR = {"longest_wait_s": ("asa_s", 15), "time_in_state_s": ("away_s", 60)}
"""A figure of the present instant has no history: the KPI nearest to it, over so many minutes, is shown."""
BEFORE_MS, AFTER_MS = 3 * HOUR_MS, HOUR_MS
DAYS_BEFORE, DAYS_AFTER = 56, 28


@dataclass(frozen=True, slots=True)
class Frame:
    """Which steps a plot shows and over how many of them each point looks back."""

    kpi: Kpi
    limits: Limits
    starts: tuple[int, ...]
    """Starts of the steps (minutes or site days), epoch ms."""
    shown_from: int
    """Index of the first step that is drawn; those before are only looked back at."""
    look_back: int | None
    """Steps of one point; None: all since the first."""
    by_day: bool
    over: str
    codes: Codes


def frame_of(row: AlertRow, rule: Mapping[str, Any], registry: Registry, clock_ms: int) -> Frame:
    """The frame for an alert: site days for a rule over days, else minutes."""
    kpi_id, minutes = STANDS_FOR.get(row.kpi, (row.kpi, 0))
    kpi, limits = contract(kpi_id, row.subject, rule, registry)
    if row.window.endswith("d"):
        return _by_day(row, kpi, limits, zone_of(row.subject, registry, clock_ms), clock_ms, registry.codes)
    end = min(row.to_ms + AFTER_MS, max(clock_ms, row.to_ms))
    if row.window in {"day", "shift"}:
        starts = tuple(range(minute_from(row.from_ms) * MINUTE_MS, end, MINUTE_MS))
        over = f"since the start of the {row.window}"
        return Frame(kpi, limits, starts, 0, None, by_day=False, over=over, codes=registry.codes)
    length = minutes or int(row.window.rstrip("m"))
    first = row.to_ms - max(BEFORE_MS, 2 * length * MINUTE_MS)
    first -= first % MINUTE_MS
    starts = tuple(range(first - length * MINUTE_MS, end, MINUTE_MS))
    return Frame(kpi, limits, starts, length, length, by_day=False, over=f"rolling {length} min", codes=registry.codes)


def _by_day(row: AlertRow, kpi: Kpi, limits: Limits, zone: ZoneInfo, clock_ms: int, codes: Codes) -> Frame:
    length = int(row.window.rstrip("d"))
    named = day_of(row.to_ms - 1, zone)
    last = min(named + timedelta(days=DAYS_AFTER), day_of(max(clock_ms, row.to_ms - 1), zone))
    first = named - timedelta(days=DAYS_BEFORE + length)
    days = [first + timedelta(days=index) for index in range((last - first).days + 1)]
    starts = tuple(day_start(day, zone) for day in days)
    return Frame(kpi, limits, starts, length, length, by_day=True, over=f"rolling {length} days", codes=codes)


def contract(kpi: str, subject: str, rule: Mapping[str, Any], registry: Registry) -> tuple[Kpi, Limits]:
    """The KPI and its limits: for a service level as the rule says, else as the queue's contract says."""
    if kpi != "service_level":
        return KPIS[kpi], DEFAULT_LIMITS
    kind, _, id_ = subject.partition(":")
    queue = registry.queues.get(id_) if kind == "queue" else None
    goal = queue.service_level if queue else None
    variant = rule.get("variant") or (goal.variant if goal else DEFAULT_VARIANT)
    limits = goal.limits if goal else DEFAULT_LIMITS
    return service_level(variant), replace(limits, threshold_s=int(rule.get("threshold_s") or limits.threshold_s))


def plot_data(frame: Frame, rows: Sequence[MinuteRow], row: AlertRow, rule: Mapping[str, Any]) -> dict[str, Any]:
    """What the page draws: seconds, values, n, the window and the limits; the values as text for a table."""
    points = _points(frame, rows)
    shifts = 0 if frame.by_day else MINUTE_MS
    return {
        "x": [(start + shifts) // 1000 for start in frame.starts[frame.shown_from :]],
        "y": [value for value, _ in points],
        "n": [n for _, n in points],
        "text": [kpi_figure(frame.kpi.id, value) for value, _ in points],
        "name": kpi_name(frame.kpi.id),
        "unit": unit_of(frame.kpi.id),
        "over": frame.over,
        "byDay": frame.by_day,
        "threshold": row.threshold if frame.kpi.id == row.kpi else None,
        "clear": rule.get("clear") if frame.kpi.id == row.kpi else None,
        "from": row.from_ms / 1000,
        "to": row.to_ms / 1000,
        "at": row.at_ms / 1000,
    }


def _points(frame: Frame, rows: Sequence[MinuteRow]) -> list[tuple[float | None, int]]:
    by_start: dict[int, list[Sums]] = {}
    for row in rows:
        by_start.setdefault(row.at_ms, []).append(row.sums)
    steps = [total(by_start.get(start, ())) for start in frame.starts]
    return [_point(frame, steps, index) for index in range(frame.shown_from, len(steps))]


def _point(frame: Frame, steps: Sequence[Sums], index: int) -> tuple[float | None, int]:
    first = 0 if frame.look_back is None else index - frame.look_back + 1
    top, bottom = parts(frame.kpi, total(steps[max(0, first) : index + 1]), frame.limits, frame.codes)
    return ratio(frame.kpi, top, bottom), bottom
