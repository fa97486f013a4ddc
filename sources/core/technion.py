"""
The call file of the Technion's "Anonymous Bank": tab-separated, one call a row, local times, 17 columns.

One row holds up to three facts, each at its own time: offered, answered or abandoned, handled.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from schemas.errors import InputError
from schemas.events import ContactAbandoned, ContactAnswered, ContactHandled, ContactOffered, FloorEvent
from schemas.times import to_ms
from sources.core.clocks import clamped
from sources.core.own import fault_of
from sources.core.parsed import Accepted, FieldFault, Parsed, Resolve, Skipped, content_hash, rejected, shown

COLUMNS = (
    "vru+line", "call_id", "customer_id", "priority", "type", "date", "vru_entry", "vru_exit", "vru_time",
    "q_start", "q_exit", "q_time", "outcome", "ser_start", "ser_exit", "ser_time", "server",
)  # fmt: skip
NO_SERVER = "NO_SERVER"
PHANTOM = "phantom row"
IVR_HANG_UP = "hung up before the queue"

_NEXT_DAY_AFTER = timedelta(hours=6)
_DAY = timedelta(days=1)
_TIME = re.compile(r"(2[0-3]|[01]?[0-9]):([0-5][0-9]):([0-5][0-9])")
_DATE = re.compile(r"(\d\d)(\d\d)(\d\d)")
_SERVER = len(COLUMNS) - 1


@dataclass(frozen=True, slots=True)
class _Call:
    """One row, understood. Times are instants; None where the file has `0:00:00`."""

    id: str
    queue: str
    priority: int
    outcome: str
    offered_at: datetime
    waited_s: int
    was_queued: bool
    queue_left_at: datetime
    served_from: datetime | None
    served_to: datetime | None
    talk_s: int
    server: str


class TechnionParser:
    """Reads the file as local times of `zone`; its events belong to `source`."""

    def __init__(self, zone: ZoneInfo, resolve: Resolve, source: str = "technion") -> None:
        self._zone = zone
        self._resolve = resolve
        self._source = source
        self._servers = {NO_SERVER}
        self._days: dict[str, _Day] = {}

    def parse(self, lines: Iterable[bytes]) -> Iterator[Parsed]:
        """What each row holds. InputError where the first line is not the format's header."""
        rows = iter(lines)
        _check_header(next(rows, b""))
        for number, raw in enumerate(rows, start=2):
            if raw.strip():
                yield from self._row(number, raw)

    def _row(self, number: int, raw: bytes) -> list[Parsed]:
        try:
            call = self._call(_fields(raw))
            self._check_whole(call, raw)
        except FieldFault as fault:
            return [rejected(number, fault, raw)]
        self._servers.add(call.server)
        if call.outcome == "PHANTOM":
            return [Skipped(number, PHANTOM)]
        if call.outcome == "HANG" and not call.was_queued:
            return [Skipped(number, IVR_HANG_UP)]
        content = content_hash(raw.rstrip(b"\r\n"))
        try:
            return [Accepted(event, content, number) for event in self._facts(call)]
        except ValidationError as error:
            return [rejected(number, fault_of(error), raw)]

    def _call(self, fields: Sequence[str]) -> _Call:
        row = dict(zip(COLUMNS, fields, strict=True))
        for name in ("vru+line", "call_id", "type", "server"):
            _text(row, name)
        day = self._day(row["date"])
        entry = day.at(_second_of_day(row, "vru_entry"))
        moments = {name: _moment(row, name, day, entry) for name in _MOMENTS}
        offered_at = moments["q_start"] or moments["vru_exit"] or entry
        _seconds(row, "vru_time", low=None)
        return _Call(
            id=f"{row['vru+line']}-{row['call_id']}-{row['date']}",
            queue=row["type"],
            priority=_seconds(row, "priority", low=None),
            outcome=_outcome(row["outcome"]),
            offered_at=offered_at,
            waited_s=_seconds(row, "q_time"),
            was_queued=moments["q_start"] is not None,
            queue_left_at=moments["q_exit"] or moments["vru_exit"] or entry,
            served_from=moments["ser_start"],
            served_to=moments["ser_exit"],
            talk_s=_seconds(row, "ser_time"),
            server=row["server"],
        )

    def _day(self, date: str) -> _Day:
        if date not in self._days:
            self._days[date] = _Day(_date(date, self._zone))
        return self._days[date]

    def _check_whole(self, call: _Call, raw: bytes) -> None:
        """A file cut off inside its last name shows only in that the line end is missing and the name is new."""
        if not raw.endswith(b"\n") and call.server not in self._servers:
            raise FieldFault("server", "a whole row with its line end", call.server)

    def _facts(self, call: _Call) -> list[FloorEvent]:
        source, queue = self._source, call.queue
        offered = ContactOffered(
            source=source, id=call.id, at=call.offered_at, contact=call.id, queue=queue, priority=call.priority
        )
        if call.outcome == "HANG":
            left = ContactAbandoned(
                source=source, id=call.id, at=call.queue_left_at, contact=call.id, queue=queue, waited_s=call.waited_s
            )
            return [offered, left]
        answered_at = call.offered_at + timedelta(seconds=call.waited_s)
        started_at = call.served_from or call.served_to or call.queue_left_at
        agent = None if call.server == NO_SERVER else self._resolve(source, call.server, to_ms(started_at))
        answered = ContactAnswered(
            source=source, id=call.id, at=answered_at, contact=call.id, queue=queue, agent=agent, waited_s=call.waited_s
        )
        gap_s = (started_at - answered_at).total_seconds()
        return [offered, answered, self._handled(call, agent, started_at, gap_s)]

    def _handled(self, call: _Call, agent: str | None, started_at: datetime, gap_s: float) -> ContactHandled:
        """
        Without service times the contact was handled in no time, at the end of its wait.

        `gap_s`: from leaving the queue to the service, by two clocks; the service itself is timed by one.
        """
        return ContactHandled(
            source=self._source,
            id=call.id,
            at=call.served_to or call.queue_left_at,
            contact=call.id,
            agent=agent,
            queue=call.queue,
            started_at=started_at,
            waited_s=call.waited_s,
            talk_s=call.talk_s if call.served_to else 0,
            clamped_s=clamped(gap_s),
        )


_MOMENTS = ("vru_exit", "q_start", "q_exit", "ser_start", "ser_exit")


def _check_header(raw: bytes) -> None:
    found = raw.decode("utf-8", "replace").rstrip("\r\n").split("\t")
    if tuple(found) != COLUMNS:
        expected = f"{len(COLUMNS)} tab-separated columns {COLUMNS[0]}, {COLUMNS[1]}, ..., {COLUMNS[-1]}"
        raise InputError(f"line 1: expected the header of technion, {expected}; found {shown(', '.join(found))}")


def _fields(raw: bytes) -> list[str]:
    try:
        fields = raw.decode("utf-8").rstrip("\r\n").split("\t")
    except UnicodeDecodeError:
        raise FieldFault("row", "text in UTF-8", raw.decode("utf-8", "replace")) from None
    if len(fields) != len(COLUMNS):
        raise FieldFault("row", f"{len(COLUMNS)} columns", f"{len(fields)} columns")
    return fields


def _text(row: dict[str, str], name: str) -> None:
    if not 0 < len(row[name]) <= 60:
        raise FieldFault(name, "1 to 60 characters", row[name])


def _outcome(value: str) -> str:
    if value not in {"AGENT", "HANG", "PHANTOM"}:
        raise FieldFault("outcome", "AGENT, HANG or PHANTOM", value)
    return value


def _seconds(row: dict[str, str], name: str, low: int | None = 0) -> int:
    """A whole number of seconds; negative ones only where `low` is None."""
    value = row[name]
    digits = value.removeprefix("-") if low is None else value
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 6):
        raise FieldFault(name, "a whole number", value)
    return int(value)


class _Day:
    """One local day: turns its local times into instants."""

    def __init__(self, midnight: datetime) -> None:
        self._midnight = midnight
        self._utc = midnight.astimezone(UTC)
        self._is_even = midnight.utcoffset() == (midnight + 2 * _DAY).utcoffset()

    def at(self, second: int, days: int = 0) -> datetime:
        """The instant of a second of this day, or of a day after it, in UTC; clock changes come out right."""
        if self._is_even:
            return self._utc + timedelta(days=days, seconds=second)
        return (self._midnight + timedelta(days=days, seconds=second)).astimezone(UTC)


def _date(value: str, zone: ZoneInfo) -> datetime:
    """Local midnight of a `YYMMDD` date; years below 70 are of this century."""
    match = _DATE.fullmatch(value)
    try:
        if match is None:
            raise ValueError
        year, month, day = (int(part) for part in match.groups())
        return datetime(year + (2000 if year < 70 else 1900), month, day, tzinfo=zone)
    except ValueError:
        raise FieldFault("date", "a date YYMMDD", value) from None


def _moment(row: dict[str, str], name: str, day: _Day, entry: datetime) -> datetime | None:
    """The instant of a local time; `0:00:00` is none, a time more than 6 h before the entry is of the next day."""
    second = _second_of_day(row, name)
    if second == 0:
        return None
    instant = day.at(second)
    return day.at(second, days=1) if entry - instant > _NEXT_DAY_AFTER else instant


def _second_of_day(row: dict[str, str], name: str) -> int:
    match = _TIME.fullmatch(row[name])
    if match is None:
        raise FieldFault(name, "a time H:MM:SS", row[name])
    return int(match[1]) * 3600 + int(match[2]) * 60 + int(match[3])
