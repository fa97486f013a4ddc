"""The rows of `windows`: how the windows of a subject stand now."""

from __future__ import annotations

from schemas.times import MINUTE_MS
from streams.core.log import WindowRow
from streams.core.panes import STANDARD_WINDOWS
from streams.core.subject import Subject


def window_rows(subject: Subject, now: int, day: str, day_opened: int) -> list[WindowRow]:
    """One row per standard window, for the site day, and for an agent's shift."""
    last = subject.last
    closed = max(now, last * MINUTE_MS)
    rows = [
        WindowRow(subject.key, f"{length}m", (last - length + 1) * MINUTE_MS, closed, sums)
        for length, sums in subject.panes.windows(last, STANDARD_WINDOWS).items()
    ]
    rows.append(WindowRow(subject.key, "day", day_opened, closed, dict(subject.days.get(day, {}))))
    if subject.kind == "agent":
        rows.append(WindowRow(subject.key, "shift", subject.shift_start, closed, dict(subject.shift_sums)))
    return rows
