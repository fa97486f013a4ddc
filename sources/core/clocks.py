"""Two clocks never agree to the second: which negative gaps between them are taken as none, and said so."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

TOLERATED_S = 2
"""A negative gap of up to this comes from two clocks; a longer one is a fault of the row."""
START_IN_TIME = f"a time at most {TOLERATED_S} s after that of the end"
"""What is expected of the start of a contact."""


def clamped(gap_s: float) -> float:
    """By how many seconds a gap is lifted to 0: 0.0 where it is not negative, or beyond what two clocks explain."""
    return -gap_s if -TOLERATED_S <= gap_s < 0 else 0.0


def starts_late(started: datetime, ended: datetime) -> bool:
    """Whether a start lies behind the end by more than two clocks explain; both aware."""
    return (started.astimezone(UTC) - ended.astimezone(UTC)).total_seconds() > TOLERATED_S


def clamp_durations(values: dict[str, Any]) -> dict[str, Any]:
    """
    The fields of an event with small negative durations, and a start shortly after the end, set to 0.

    `clamped_s` is the largest of them. A longer duration stays as it is, for the validation to refuse.
    """
    lifted = {name: clamped(value) for name, value in values.items() if _is_duration(name, value)}
    started, ended = values.get("started_at"), values.get("at")
    if isinstance(started, datetime) and isinstance(ended, datetime):
        lifted["started_at"] = clamped((ended - started).total_seconds())
    found = {name: by for name, by in lifted.items() if by}
    if not found:
        return values
    changed = {name: ended if name == "started_at" else 0.0 for name in found}
    return values | changed | {"clamped_s": max(found.values())}


def _is_duration(name: str, value: Any) -> bool:
    return isinstance(value, float) and (name == "seconds" or (name.endswith("_s") and name != "clamped_s"))
