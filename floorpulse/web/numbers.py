"""Numbers that come with a request."""

from __future__ import annotations

_MOST_DIGITS = 15


def number_of(text: str) -> int | None:
    """A whole number as the pages write it; None for all else, also for what int() would fail at or take besides."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS else None
