"""Text of other people in files that a spreadsheet opens."""

from __future__ import annotations

from typing import Any

_BEGIN_FORMULAS = ("=", "+", "-", "@")


def as_text(value: Any) -> Any:
    """A value of a cell: a text that a spreadsheet would take for a formula is kept as text, all else is as it was."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_BEGIN_FORMULAS) else value
