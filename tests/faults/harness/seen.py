"""What runs have seen: kept for the page of the long runs."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from typing import Any, Protocol


class Note(Protocol):
    """Keeps what a run saw for a row of the table of faults, or several (`F4 F5`)."""

    def __call__(self, row: str, **figures: Any) -> None:
        """`figures`: numbers, pairs of numbers and words."""


class Seen:
    """All notes and outcomes of a session."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.notes: dict[str, list[dict[str, Any]]] = {}
        self.outcomes: dict[str, str] = {}

    def __call__(self, row: str, **figures: Any) -> None:
        """Keep a note."""
        self.notes.setdefault(row, []).append(figures)

    def add(self, notes: dict[str, list[dict[str, Any]]], outcomes: dict[str, str]) -> None:
        """What another session has seen."""
        for row, figures in notes.items():
            self.notes.setdefault(row, []).extend(figures)
        self.outcomes |= outcomes

    def summary(self, seeds: int) -> dict[str, Any]:
        """What the page is made of."""
        return {
            "on": datetime.now(UTC).date().isoformat(),
            "machine": f"{os.cpu_count()} cores, Python {platform.python_version()}",
            "seeds": seeds,
            "passed": sum(outcome == "passed" for outcome in self.outcomes.values()),
            "failed": sorted(name for name, outcome in self.outcomes.items() if outcome == "failed"),
            "notes": self.notes,
        }
