"""Rows of a CSV file as events, by a mapping."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from types import NoneType
from typing import Any, get_args
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from schemas.errors import InputError
from schemas.events import Event, FloorEvent
from schemas.times import to_ms
from sources.core.clocks import START_IN_TIME, clamp_durations, starts_late
from sources.core.csv_rows import CsvRow, CsvRows
from sources.core.mapping import MODELS, EventMapping, Mapping
from sources.core.own import fault_of
from sources.core.parsed import Accepted, FieldFault, Parsed, Resolve, Skipped, content_hash, rejected, shown

_TRUE = {"true", "yes", "y", "1"}
_FALSE = {"false", "no", "n", "0"}
_UNIT_S = {"s": 1.0, "ms": 0.001, "min": 60.0}
_WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
_POINT = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_COMMA = re.compile(r"[+-]?((\d+|\d{1,3}(\.\d{3})+)(,\d*)?|,\d+)", re.ASCII)
"""With a decimal comma a point parts thousands: `12.5` is no number then, and least of all 125."""
_HMS = re.compile(r"(-?)(\d+):(\d+):(\d+(?:[.,]\d*)?)", re.ASCII)


class CsvParser:
    """Reads a file with a header line; times without offset are of the mapping's zone, else of `zone`."""

    def __init__(self, mapping: Mapping, zone: ZoneInfo, resolve: Resolve, source: str | None = None) -> None:
        """`source` None: that of the mapping."""
        self._mapping = mapping
        self._source = source or mapping.source
        self._zone = ZoneInfo(mapping.timezone) if mapping.timezone else zone
        self._resolve = resolve

    def parse(self, lines: Iterable[bytes]) -> Iterator[Parsed]:
        """What each row holds. InputError where the header lacks a column of the mapping."""
        rows = iter(CsvRows(lines, self._mapping.delimiter))
        header = next(rows, None)
        columns = header.fields if header else []
        self._check_header(columns)
        for row in rows:
            if row.fault:
                yield rejected(row.line, row.fault, row.raw)
            else:
                yield from self._row(row, dict(zip(columns, row.fields, strict=True)))

    def _check_header(self, columns: list[str]) -> None:
        for column in self._mapping.columns:
            times = columns.count(column)
            if times != 1:
                once = " once" if times else ""
                found = shown(", ".join(columns))
                raise InputError(
                    f"line 1: expected the column {column!r} of the mapping{once} in the header; found {found}"
                )

    def _row(self, row: CsvRow, cells: dict[str, str]) -> list[Parsed]:
        if not any(cell.strip() for cell in cells.values()):
            return [Skipped(row.line, "empty row")]
        wanted = [part for part in self._mapping.events if all(cells[c].strip() in v for c, v in part.when.items())]
        if not wanted:
            return [Skipped(row.line, "no event of the mapping")]
        content = content_hash(row.raw.rstrip(b"\r\n"))
        try:
            events = [self._event(part, cells) for part in wanted]
            _check_identities(events, wanted)
            return [Accepted(event, content, row.line) for event in events]
        except FieldFault as fault:
            return [rejected(row.line, fault, row.raw)]
        except ValidationError as error:
            return [rejected(row.line, self._column_fault(error, wanted), row.raw)]

    def _event(self, part: EventMapping, cells: dict[str, str]) -> FloorEvent:
        model = MODELS[part.type]
        values: dict[str, Any] = {"source": self._source, **part.constants}
        for name, column in part.fields.items():
            if cells[column].strip():
                values[name] = self._value(model, part, name, column, cells[column].strip())
        if part.id_suffix and "id" in values:
            values["id"] += part.id_suffix
        event: Any = model.model_validate(clamp_durations(_in_order(part, values)))
        agent = getattr(event, "agent", None)
        if agent is None:
            return event  # type: ignore[no-any-return]
        known = self._resolve(event.source, agent, to_ms(event.at))
        return event.model_copy(update={"agent": known})  # type: ignore[no-any-return]

    def _value(self, model: type[Event], part: EventMapping, name: str, column: str, cell: str) -> Any:
        kind = _kind(model, name)
        try:
            if kind is datetime:
                return self._instant(cell)
            if kind is bool:
                return _truth(cell)
            if kind is int:
                return _whole(cell)
            if kind is float:
                return self._number(cell, part.units.get(name, "s"))
        except (ValueError, OverflowError):
            raise FieldFault(column, self._expected(kind, part.units.get(name)), cell) from None
        return cell

    def _instant(self, cell: str) -> datetime:
        form = self._mapping.time_format
        instant = datetime.strptime(cell, form) if form else datetime.fromisoformat(cell)  # noqa: DTZ007
        known = instant if instant.tzinfo else instant.replace(tzinfo=self._zone)
        known.astimezone(UTC)  # OverflowError where it is no instant there
        return known

    def _number(self, cell: str, unit: str) -> float:
        if unit == "hms":
            sign, hours, minutes, seconds = _matched(_HMS, cell)
            length = int(hours) * 3600 + int(minutes) * 60 + float(seconds.replace(",", "."))
            return -length if sign else length
        if self._mapping.decimal_comma:
            _matched(_COMMA, cell)
            cell = cell.replace(".", "").replace(",", ".")
        else:
            _matched(_POINT, cell)
        return round(float(cell) * _UNIT_S[unit], 3)

    def _expected(self, kind: type, unit: str | None) -> str:
        if kind is datetime:
            return f"a time like {self._mapping.time_format}" if self._mapping.time_format else "a time in ISO 8601"
        if kind is bool:
            return "yes or no"
        if kind is int:
            return "a whole number"
        if unit == "hms":
            return "a time H:MM:SS"
        return "a number with a decimal comma" if self._mapping.decimal_comma else "a number"

    def _column_fault(self, error: ValidationError, parts: list[EventMapping]) -> FieldFault:
        """The fault by the name of the column, which is what the person who made the file knows."""
        fault = fault_of(error)
        columns = [part.fields[fault.field] for part in parts if fault.field in part.fields]
        return FieldFault(columns[0] if columns else fault.field, fault.expected, fault.found)


def _in_order(part: EventMapping, values: dict[str, Any]) -> dict[str, Any]:
    """
    The values with instants in UTC; FieldFault where a contact starts after its end by more than two clocks explain.

    An end in an hour that comes twice is in the second one where only that is after the start.
    """
    if _starts_late(values):
        values = values | {"at": values["at"].replace(fold=1)}
    if _starts_late(values):
        raise FieldFault(part.fields["started_at"], START_IN_TIME, values["started_at"].isoformat())
    return {name: value.astimezone(UTC) if isinstance(value, datetime) else value for name, value in values.items()}


def _starts_late(values: dict[str, Any]) -> bool:
    started, ended = values.get("started_at"), values.get("at")
    return isinstance(started, datetime) and isinstance(ended, datetime) and starts_late(started, ended)


def _check_identities(events: list[FloorEvent], parts: list[EventMapping]) -> None:
    """FieldFault where two events of one row would be the same fact: one of them would be a duplicate."""
    seen: set[str] = set()
    for event, part in zip(events, parts, strict=True):
        if event.identity in seen:
            expected = f"an id of its own for each {event.type} of a row (id_suffix of the mapping)"
            raise FieldFault(part.fields.get("id", "id"), expected, event.id)
        seen.add(event.identity)


def _kind(model: type[Event], name: str) -> type:
    """The plain type of a field: the first of bool, datetime, int and float that it is made of, else str."""
    pending: list[Any] = [model.model_fields[name].annotation]
    while pending:
        annotation = pending.pop()
        if annotation in {bool, int, float, str}:
            return annotation  # type: ignore[no-any-return]
        if annotation is not NoneType and "AwareDatetime" in repr(annotation):
            return datetime
        pending.extend(get_args(annotation))
    return str


def _matched(form: re.Pattern[str], cell: str) -> tuple[str, ...]:
    """The groups of a form; ValueError where the cell is not of it: Python reads more as a number than people do."""
    found = form.fullmatch(cell)
    if found is None:
        raise ValueError(cell)
    return found.groups()


def _whole(cell: str) -> int:
    _matched(_WHOLE, cell)
    return int(cell)


def _truth(cell: str) -> bool:
    word = cell.lower()
    if word not in _TRUE | _FALSE:
        raise ValueError(cell)
    return word in _TRUE
