"""What was measured: parts with rows of figures, kept as JSON, each part as it was measured last."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any


@dataclass(frozen=True, slots=True)
class Column:
    """A figure of a table."""

    key: str
    head: str
    digits: int = 0


@dataclass(slots=True)
class Row:
    """A line of a table; each figure was had once in every round."""

    name: str
    words: str = ""
    figures: dict[str, list[float]] = field(default_factory=dict)
    fault: str = ""
    """Why there is no figure."""

    def add(self, **figures: float) -> None:
        """The figures of one round."""
        for key, value in figures.items():
            self.figures.setdefault(key, []).append(round(value, 4))

    def middle(self, key: str) -> float | None:
        """The median of a figure over the rounds; None where there is none."""
        values = self.figures.get(key)
        return median(values) if values else None


@dataclass(slots=True)
class Result:
    """One part as it was measured."""

    part: str
    title: str
    method: str
    columns: list[Column]
    rows: list[Row] = field(default_factory=list)
    ratio_of: str = ""
    """Figure by which floorpulse's first row is compared with each other row; empty: no ratios."""
    notes: list[str] = field(default_factory=list)
    size: dict[str, Any] = field(default_factory=dict)
    """How large it was: events, agents, seconds."""
    taken_at: str = ""
    pace_us: list[float] = field(default_factory=list)
    """The machine's pace before the part and after it."""

    def row(self, name: str, words: str = "") -> Row:
        """The row of a name, made when it is asked for first."""
        found = next((row for row in self.rows if row.name == name), None)
        if found is None:
            found = Row(name, words)
            self.rows.append(found)
        return found


@dataclass(slots=True)
class Book:
    """All results with the machine they were had on."""

    machine: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    results: dict[str, Result] = field(default_factory=dict)


def read_book(file: Path) -> Book:
    """The results of a file; an empty book when there is none."""
    if not file.exists():
        return Book()
    data = json.loads(file.read_text(encoding="utf-8"))
    results = {name: _result(body) for name, body in data["results"].items()}
    return Book(data["machine"], data["versions"], results)


def write_book(file: Path, book: Book) -> None:
    """Keep the results."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(asdict(book), indent=1) + "\n", encoding="utf-8")


def quantile(values: Iterable[float], share: float) -> float:
    """The value that a share of the values does not exceed; 0 for none."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else 0.0


def _result(body: dict[str, Any]) -> Result:
    rows = [Row(**row) for row in body["rows"]]
    return Result(**body | {"columns": [Column(**column) for column in body["columns"]], "rows": rows})
