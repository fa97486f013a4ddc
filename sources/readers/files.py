"""Finished files: read, parse, sort by time, produce."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from schemas.controls import Ticked
from schemas.errors import InputError
from schemas.letter_limit import USUAL_LIMIT, LetterCount, LetterLimit
from schemas.times import MINUTE_MS, from_ms, minute_of
from sources.core.parsed import Accepted, Parser, Rejected, Skipped
from sources.readers.producing import EventProducer, Message, end_of, message

LONGEST_LINE = 512 * 1024
"""Bytes; a longer line is cut into rows of this length, each of which is judged alone."""
_PLACES_SHOWN = 3

Advance = Callable[[int], None]
"""Called with the number of rows, or events, done since the last call."""


@dataclass(slots=True)
class Reading:
    """What came of reading one file."""

    file: Path
    file_hash: str
    ingest: int
    messages: list[Message] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    rows: int = 0


def read_file(
    file: Path,
    file_hash: str,
    parser: Parser,
    ingest: int,
    advance: Advance = lambda _: None,
    limit: LetterLimit = USUAL_LIMIT,
) -> Reading:
    """
    Parse a whole file; nothing is sent yet.

    `advance` hears of bytes. InputError names the file when it is missing, of another format as a whole, or when more
    of its rows must be refused than the limit allows.
    """
    reading = Reading(file, file_hash, ingest)
    rows: set[int] = set()
    count = LetterCount(limit)
    try:
        with file.open("rb") as stream:
            for parsed in parser.parse(_lines(iter(lambda: stream.readline(LONGEST_LINE), b""), advance)):
                rows.add(parsed.line)
                _sort_in(reading, parsed)
                _refuse_many(parsed, count)
        _refuse_all(reading)
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from None
    except InputError as error:
        raise InputError(f"{file}: {error}") from None
    reading.rows = len(rows)
    return reading


def _lines(lines: Iterator[bytes], advance: Advance) -> Iterator[bytes]:
    for line in lines:
        advance(len(line))
        yield line


def _sort_in(reading: Reading, parsed: Accepted | Rejected | Skipped) -> None:
    if isinstance(parsed, Accepted):
        reading.messages.append(message(parsed.event, parsed.content, reading.ingest))
    elif isinstance(parsed, Rejected):
        reading.rejected.append(parsed)
    else:
        reading.skipped[parsed.reason] += 1


def _refuse_many(parsed: Accepted | Rejected | Skipped, count: LetterCount) -> None:
    if not isinstance(parsed, Rejected):
        count.good()
        return
    count.dead()
    if verdict := count.verdict():
        raise InputError(f"line {parsed.line}: {parsed.text}: nothing sent, as {verdict}")


def _refuse_all(reading: Reading) -> None:
    """A file without one good row is no input: its mapping, or its format, is wrong."""
    if reading.rejected and not reading.messages and not reading.skipped:
        first = reading.rejected[0]
        raise InputError(f"line {first.line}: {first.text}: nothing sent, as no row of it can be used")


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast events are sent: `speed` times as fast as they happened; 0: as fast as the broker takes them."""

    speed: float = 0.0
    sleep: Callable[[float], None] = time.sleep
    elapsed: Callable[[], float] = time.monotonic


def produce(
    readings: Sequence[Reading],
    out: EventProducer,
    *,
    event_clock: bool,
    pace: Pace,
    now_ms: Callable[[], int],
    advance: Advance = lambda _: None,
) -> None:
    """
    Send what was read, all files as one input in the order of time, and wait for the broker's acknowledgement.

    Under the event clock a `ticked` goes to every partition before the first event of each whole minute that has
    events other than plans, and an `input_ended` at the end; what lies in the future is refused by the worker, so it
    tells no time. Rejected rows go to the dead letters.
    """
    messages = sorted((m for reading in readings for m in reading.messages), key=lambda m: m.at_ms)
    for reading in readings:
        out.reject(reading.rejected, reading.file.name)
    paced = _paced(messages, pace)
    for outgoing in _ticking(paced, out, now_ms) if event_clock else paced:
        out.send(outgoing)
        advance(1)
    if event_clock and messages:
        out.control(end_of(one for one in messages if one.at_ms <= now_ms()))
    out.flush()


def _ticking(messages: Iterable[Message], out: EventProducer, now_ms: Callable[[], int]) -> Iterator[Message]:
    last = None
    for outgoing in messages:
        minute = minute_of(outgoing.at_ms) if outgoing.tells_time else last
        if minute is not None and minute != last and outgoing.at_ms <= now_ms():
            out.control(Ticked(at=from_ms(minute * MINUTE_MS)))
            last = minute
        yield outgoing


def _paced(messages: Sequence[Message], pace: Pace) -> Iterator[Message]:
    if not pace.speed or not messages:
        yield from messages
        return
    began, first_ms = pace.elapsed(), messages[0].at_ms
    for outgoing in messages:
        wait_s = (outgoing.at_ms - first_ms) / 1000 / pace.speed - (pace.elapsed() - began)
        if wait_s > 0:
            pace.sleep(wait_s)
        yield outgoing


def rejected_lines(reading: Reading) -> list[str]:
    """One line for each reason: how many rows, the first places, what was expected and found first."""
    by_kind: dict[str, list[Rejected]] = {}
    for row in reading.rejected:
        by_kind.setdefault(row.kind, []).append(row)
    lines = []
    for rows in by_kind.values():
        places = ", ".join(f"{reading.file.name}:{row.line}" for row in rows[:_PLACES_SHOWN])
        more = ", ..." if len(rows) > _PLACES_SHOWN else ""
        lines.append(f"rejected {len(rows)} at {places}{more}: {rows[0].text}")
    return lines


def summary(reading: Reading, took_s: float) -> str:
    """What became of a file, in one line."""
    parts = [
        f"{reading.rows:,} rows",
        f"{len(reading.messages):,} events",
        f"{len(reading.rejected):,} rejected",
        *(f"{count:,} left out ({reason})" for reason, count in sorted(reading.skipped.items())),
        f"{took_s:.1f} s",
        f"{reading.rows / max(took_s, 0.001):,.0f} rows/s",
    ]
    return f"{reading.file.name}: " + ", ".join(parts)
