"""The only reader of the wall clock."""

from __future__ import annotations

from datetime import UTC, datetime

from schemas.times import to_ms


def utc_now() -> datetime:
    """This instant, aware, in UTC."""
    return datetime.now(UTC)  # noqa: TID251  this module is the one place


def now_ms() -> int:
    """This instant in epoch milliseconds."""
    return to_ms(utc_now())
