"""Instants as ClickHouse gives and takes them."""

from __future__ import annotations

from datetime import UTC, datetime

from schemas.times import iso, to_ms


def in_ms(column: str) -> str:
    """SQL of an instant as a number: making ten thousand `datetime` and taking them apart again takes a second."""
    return f"toUnixTimestamp64Milli({column})"


def ms_of(instant: datetime) -> int:
    """Epoch ms of what clickhouse-connect gives, which is naive for columns in UTC, depending on its settings."""
    return to_ms(instant if instant.tzinfo else instant.replace(tzinfo=UTC))


def sql_instant(ms: int) -> str:
    """An instant as a parameter of a query has it."""
    return iso(ms).replace("T", " ").rstrip("Z")
