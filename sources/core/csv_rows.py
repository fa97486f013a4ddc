"""Rows of a CSV file (RFC 4180), each with its first line and its bytes; a stray quote costs one line only."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sources.core.parsed import FieldFault

_LONGEST_RECORD = 50
"""Lines that a quoted field may span."""


@dataclass(frozen=True, slots=True)
class CsvRow:
    """One record; `fault` where it cannot be read as one."""

    line: int
    raw: bytes
    fields: list[str]
    fault: FieldFault | None = None


class CsvRows:
    """The records of lines; a record of several lines that does not fit is taken back but for its first line."""

    def __init__(self, lines: Iterable[bytes], delimiter: str) -> None:
        self._lines = iter(lines)
        self._back: deque[bytes] = deque()
        self._delimiter = delimiter
        self._line = 0

    def __iter__(self) -> Iterator[CsvRow]:
        """The header first; every record after it has as many fields, or a fault."""
        width = 0
        while row := self._next(width):
            width = width or len(row.fields)
            if row.raw.strip():
                yield row

    def _next(self, width: int) -> CsvRow | None:
        taken: list[bytes] = []
        try:
            fields = next(csv.reader(self._take(taken), delimiter=self._delimiter, strict=True), None)
            fault = _misfit(fields or [], width)
        except csv.Error as error:
            fields, fault = [], FieldFault("row", "a CSV record", str(error))
        except UnicodeDecodeError:
            fields, fault = [], FieldFault("row", "text in UTF-8", taken[-1].decode("utf-8", "replace"))
        if not taken:
            return None
        if fault and len(taken) > 1:
            self._back.extendleft(reversed(taken[1:]))
            del taken[1:]
        first = self._line + 1
        self._line += len(taken)
        return CsvRow(first, b"".join(taken), fields or [], fault)

    def _take(self, taken: list[bytes]) -> Iterator[str]:
        while len(taken) < _LONGEST_RECORD:
            raw = self._back.popleft() if self._back else next(self._lines, None)
            if raw is None:
                return
            taken.append(raw)
            yield raw.decode("utf-8-sig" if self._line == 0 and len(taken) == 1 else "utf-8")


def _misfit(fields: list[str], width: int) -> FieldFault | None:
    if width and len(fields) != width:
        return FieldFault("row", f"{width} columns", f"{len(fields)} columns")
    return None
