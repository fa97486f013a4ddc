"""
How old a fact may be, and how far ahead: its minutes are folded again from raw events, as long as these are certainly
kept.
"""

from __future__ import annotations

from schemas.times import DAY_MS, MINUTE_MS
from streams.core.spans import EVER, TTL_MS
from streams.core.subject import REACH_MS

FUTURE_MS = 2 * MINUTE_MS
"""An event further ahead of its broker time is dead-lettered; a plan may be further ahead."""
KEPT_MS = 35 * DAY_MS
"""Raw events are kept this long after they were stored, unless the settings say otherwise."""
SPARE_MS = REACH_MS + 2 * TTL_MS
"""A fact changes minutes up to `TTL_MS` before it, these need what came `REACH_MS` before them, and a flush may be
written `TTL_MS` after its records came."""


def oldest_taken_ms(clock: int, broker_ms: int, first_broker_ms: int, kept_ms: int, gone_before_ms: int = EVER) -> int:
    """
    Facts from before this instant are too late for a partition; `EVER` where none is.

    While its log is young nothing that was stored can have expired, so history of any age is taken. What was stored
    before `gone_before_ms` expired under a shorter retention than that of now.
    """
    if first_broker_ms >= max(broker_ms - kept_ms, gone_before_ms) + SPARE_MS:
        return EVER
    return max(clock - kept_ms, gone_before_ms) + SPARE_MS
