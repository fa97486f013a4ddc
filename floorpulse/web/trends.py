"""The short histories beside the figures: sums by step of the last hour, bars of the last two. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from floorpulse.web.figures import total
from floorpulse.web.queries import MinuteRow
from floorpulse.web.sparkline import line
from schemas.kpis import Kpi, value
from schemas.panes import Sums
from schemas.times import MINUTE_MS

TREND_MIN = 60
"""Minutes of a tile's sparkline."""
STEP_MIN = 5
"""Minutes of one point of it: single minutes are mostly chance."""
BARS_MIN = 120
"""Minutes of an agent's bars."""
BAR_MIN = 10
STEPS = TREND_MIN // STEP_MIN


def trend_start(clock_ms: int) -> int:
    """From when on the minutes of the sparklines are needed."""
    return _first_step(clock_ms, TREND_MIN, STEP_MIN)


def bars_start(clock_ms: int) -> int:
    """From when on the ten-minute steps of the agents' bars are needed."""
    return _first_step(clock_ms, BARS_MIN, BAR_MIN)


def _first_step(clock_ms: int, length_min: int, step_min: int) -> int:
    step = step_min * MINUTE_MS
    return (clock_ms // step + 1) * step - length_min * MINUTE_MS


def steps_of(minutes: Sequence[MinuteRow], clock_ms: int) -> list[dict[str, int]]:
    """The sums of each step of the trend, the oldest first; the last one is still running."""
    steps: list[list[Sums]] = [[] for _ in range(STEPS)]
    for row in minutes:
        index = (row.at_ms - trend_start(clock_ms)) // (STEP_MIN * MINUTE_MS)
        if 0 <= index < STEPS:
            steps[index].append(row.sums)
    return [total(step) for step in steps]


def trend(kpi: Kpi, steps: Sequence[Sums]) -> str:
    """The sparkline of a KPI; a step without a denominator is a gap."""
    return line([value(kpi, sums) for sums in steps])


def bar_values(rows: Sequence[MinuteRow], clock_ms: int) -> list[float]:
    """Contacts handled in each ten minutes, the oldest first."""
    values = [0.0] * (BARS_MIN // BAR_MIN)
    for row in rows:
        index = (row.at_ms - bars_start(clock_ms)) // (BAR_MIN * MINUTE_MS)
        if 0 <= index < len(values):
            values[index] += row.sums.get("handled", 0)
    return values


def by_subject(rows: Sequence[MinuteRow]) -> dict[str, list[MinuteRow]]:
    """The rows of each subject."""
    found: dict[str, list[MinuteRow]] = {}
    for row in rows:
        found.setdefault(row.subject, []).append(row)
    return found


def waiting_trend(now: int, steps: Sequence[Sums]) -> list[int]:
    """How many waited at the end of each step: from those of now back over who came and who left."""
    trend = [now]
    for sums in reversed(steps[1:]):
        left = sums.get("answered", 0) + sums.get("abandoned", 0) + sums.get("flowed_out", 0)
        trend.append(max(0, trend[-1] - sums.get("offered", 0) + left))
    return trend[::-1]
