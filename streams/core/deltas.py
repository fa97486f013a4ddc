"""What an event changes: deltas of panes, and minutes that only the raw events can tell."""

from __future__ import annotations

from collections.abc import Iterable

from schemas.times import MINUTE_MS
from streams.core.facts import AGENT_TIME, CellKey
from streams.core.panes import add_to
from streams.core.spans import Span


class Delta:
    """What a pane gains or loses."""

    __slots__ = ("cell", "handle_ms", "minute", "sign", "sums")

    def __init__(
        self, minute: int, cell: CellKey, sums: dict[str, int], sign: int = 1, handle_ms: int | None = None
    ) -> None:
        """Gains with a sign of +1, loses with -1."""
        self.minute = minute
        self.cell = cell
        self.sums = sums
        self.sign = sign
        self.handle_ms = handle_ms


def merged(deltas: list[Delta]) -> list[Delta]:
    """The same, with one delta for each pane: what an event says of a minute is counted in one go."""
    if len(deltas) < 2:
        return deltas
    found: dict[tuple[int, CellKey], Delta] = {}
    for delta in deltas:
        known = found.get((delta.minute, delta.cell))
        if known is None:
            found[delta.minute, delta.cell] = delta
            continue
        sums = dict(known.sums) if known.sign > 0 else {column: -value for column, value in known.sums.items()}
        add_to(sums, delta.sums, delta.sign)
        handle_ms = known.handle_ms if known.handle_ms is not None else delta.handle_ms
        found[delta.minute, delta.cell] = Delta(delta.minute, delta.cell, sums, 1, handle_ms)
    return list(found.values())


class Changed:
    """What an event changed: deltas, and minutes that only the raw events can tell."""

    __slots__ = ("deltas", "unknown")

    def __init__(self, deltas: list[Delta], unknown: set[int] | None = None) -> None:
        """Nothing is unknown unless it is said."""
        self.deltas = deltas
        self.unknown = unknown if unknown is not None else set()

    def __iadd__(self, other: Changed) -> Changed:
        """Both changes."""
        self.deltas += other.deltas
        self.unknown |= other.unknown
        return self


def split(spans: Iterable[Span]) -> list[Delta]:
    """What spans give to the minutes that they cover, one delta a minute."""
    found: dict[int, dict[str, int]] = {}
    for span in spans:
        column, start, end, sign = span.column, span.start, span.end, span.sign
        if start >= end:
            continue
        for minute in range(start // MINUTE_MS, -(-end // MINUTE_MS)):
            sums = found.get(minute)
            if sums is None:
                sums = found[minute] = {}
            within = min(end, (minute + 1) * MINUTE_MS) - max(start, minute * MINUTE_MS)
            sums[column] = sums.get(column, 0) + sign * within
    return [Delta(minute, AGENT_TIME, sums) for minute, sums in found.items()]
