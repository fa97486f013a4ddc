"""Follows a growing `queue_log`: across rotation and truncation, and across its own restarts without a loss."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import structlog
from pydantic import BaseModel, ValidationError

from schemas.errors import ConfigError, InputError
from schemas.letter_limit import USUAL_LIMIT, LetterCount, LetterLimit
from sources.core.parsed import Accepted, Parsed, Rejected
from sources.core.queue_log import QueueLogParser
from sources.core.queue_log_memory import Memory
from sources.readers.files import LONGEST_LINE
from sources.readers.producing import EventProducer, message

_HEAD_BYTES = 64
_LINES_PER_SAVE = 2_000
_PACKED = {".gz", ".bz2", ".xz", ".zst"}


class Position(BaseModel):
    """How far a log was read, with what the parser remembers there."""

    inode: int = 0
    head: str = ""
    """The first bytes of the file, hex: a later file may get the same inode."""
    offset: int = 0
    line: int = 0
    memory: Memory = Memory()
    any_good: bool = False
    """A line of this log could be used."""
    refused_in_a_row: int = 0
    """Lines that could not be used since the last good one."""


class Tail:
    """
    One log to follow; `state` is the file that keeps the position.

    The position is saved after the broker's acknowledgement: a line is sent at least once, always with the same ids.
    Refused lines are held back until a good one shows that the fault is theirs. A wrap ends by time alone, however long
    no line comes.
    """

    def __init__(
        self,
        log: Path,
        state: Path,
        parser: QueueLogParser,
        out: EventProducer,
        limit: LetterLimit = USUAL_LIMIT,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        """`elapsed`: seconds, of a clock that never goes back."""
        self._log = log
        self._state = state
        self._parser = parser
        self._out = out
        self._position = load_position(state)
        self._count = LetterCount(limit, self._position.refused_in_a_row)
        self._held: list[Rejected] = []
        parser.memory = self._position.memory
        self._elapsed = elapsed
        self._heard_at = elapsed()

    def run(self, wait: Callable[[], bool]) -> None:
        """
        Read on until `wait`, called at the end of what is there, returns False.

        InputError: the log cannot be read, or more lines must be refused than the limit allows; ConfigError: the
        position cannot be kept. The next run begins at the last place saved.
        """
        self._tell_when_lost()
        for older in self._unread():
            with _open(older) as rotated:
                self._go_to_place(rotated)
                self._finish(rotated)
        stream: BinaryIO | None = None
        try:
            while True:
                second = self._second()
                stream = self._turn(stream)
                self._pass_time(second, stream)
                if not wait():
                    return
        finally:
            if stream:
                stream.close()

    def _tell_when_lost(self) -> None:
        """Say so where the file read last is neither the log nor beside it: what it had after that may be missing."""
        if not self._position.inode or self._renamed():
            return
        with suppress(FileNotFoundError), _open(self._log) as stream:
            if _is_file_of(stream, self._position):
                return
        log = structlog.get_logger(__name__)
        log.error("file_lost", file=self._log.name, line=self._position.line)

    def _turn(self, stream: BinaryIO | None) -> BinaryIO | None:
        """Read what is there; when another file has taken the name, finish the old one and go over to it."""
        if stream is None:
            stream = self._opened()
            if stream is None:
                return None
        if os.fstat(stream.fileno()).st_size < self._position.offset or not _is_file_of(stream, self._position):
            self._begin(stream, "truncated")
        self._read(stream)
        if not self._is_replaced(stream):
            return stream
        self._finish(stream)
        stream.close()
        return self._turn(None)

    def _second(self) -> int:
        """
        The second that the clock of the log has reached at least: whatever is older was written by now.

        Asterisk's clock may be another than that of this machine, so time is counted from its last line on.
        """
        return self._parser.memory.second + int(self._elapsed() - self._heard_at)

    def _pass_time(self, second: int, stream: BinaryIO | None) -> None:
        """Send the wraps that have ended by a second up to which all lines were read."""
        ended = self._parser.pass_time(second, self._position.line) if stream else []
        for fact in ended:
            self._out.send(message(fact.event, fact.content))
        if stream and ended:
            self._save(stream)

    def _opened(self) -> BinaryIO | None:
        try:
            stream = _open(self._written())
        except FileNotFoundError:
            return None
        self._go_to_place(stream)
        return stream

    def _go_to_place(self, stream: BinaryIO) -> None:
        if _is_file_of(stream, self._position):
            stream.seek(self._position.offset)
        else:
            self._begin(stream, "another file")

    def _begin(self, stream: BinaryIO, why: str) -> None:
        if self._position.inode:
            log = structlog.get_logger(__name__)
            log.info("file_rotated", file=self._log.name, why=why, line=self._position.line)
        stream.seek(0)
        self._position.inode = os.fstat(stream.fileno()).st_ino
        self._position.head = ""
        self._position.offset = 0
        self._position.line = 0

    def _read(self, stream: BinaryIO) -> None:
        """Send every whole line; a line still being written is left for the next turn."""
        unsaved = 0
        while raw := stream.readline(LONGEST_LINE):
            if not raw.endswith(b"\n") and len(raw) < LONGEST_LINE:
                stream.seek(self._position.offset)
                break
            self._feed(raw)
            unsaved += 1
            if unsaved == _LINES_PER_SAVE:
                self._save(stream)
                unsaved = 0
        if unsaved:
            self._save(stream)

    def _finish(self, stream: BinaryIO) -> None:
        """Read a file to its end, its last line too where it was cut off."""
        self._read(stream)
        rest = stream.readline(LONGEST_LINE)
        if rest:
            self._feed(rest)
            self._save(stream)

    def _feed(self, raw: bytes) -> None:
        self._position.line += 1
        self._position.offset += len(raw)
        self._heard_at = self._elapsed()
        for parsed in self._parser.feed(self._position.line, raw):
            self._send(parsed)

    def _send(self, parsed: Parsed) -> None:
        if isinstance(parsed, Rejected):
            self._hold(parsed)
            return
        self._count.good()
        self._position.any_good = True
        self._let_go()
        if isinstance(parsed, Accepted):
            self._out.send(message(parsed.event, parsed.content))

    def _hold(self, refused: Rejected) -> None:
        self._held.append(refused)
        self._count.dead()
        if verdict := self._count.verdict():
            place = f"{self._log.name}:{refused.line}"
            raise InputError(f"{place}: {refused.text}: stopped, as {verdict}")

    def _let_go(self) -> None:
        self._out.reject(self._held, self._log.name)
        self._held.clear()

    def _save(self, stream: BinaryIO) -> None:
        if self._held and not self._position.any_good:
            return
        self._let_go()
        self._out.flush()
        self._position.refused_in_a_row = self._count.in_a_row
        if len(self._position.head) < 2 * _HEAD_BYTES:
            self._position.head = _head(stream, min(_HEAD_BYTES, self._position.offset))
        self._position.memory = self._parser.memory
        _write_whole(self._state, self._position.model_dump_json())

    def _is_replaced(self, stream: BinaryIO) -> bool:
        return self._is_begun() and self._log.stat().st_ino != os.fstat(stream.fileno()).st_ino

    def _is_begun(self) -> bool:
        """Whether the log has a line: a rotation makes it before Asterisk lets go of the file that was renamed."""
        try:
            return self._log.stat().st_size > 0
        except FileNotFoundError:
            return False

    def _written(self) -> Path:
        """The file that Asterisk writes to."""
        renamed = [] if self._is_begun() else self._renamed()
        return renamed[-1] if renamed else self._log

    def _unread(self) -> list[Path]:
        """The files that nothing more is written to, from the one read last on."""
        renamed = self._renamed()
        return renamed if self._is_begun() else renamed[:-1]

    def _renamed(self) -> list[Path]:
        """The file read last, when it has another name by now, and those written after it, oldest first."""
        siblings = [p for p in self._log.parent.glob(self._log.name + "*") if p not in {self._log, self._state}]
        files = [p for p in siblings if p.suffix not in _PACKED and p.is_file()]
        rotated = sorted(files, key=lambda p: p.stat().st_mtime_ns)
        for index, path in enumerate(rotated):
            if path.stat().st_ino == self._position.inode:
                with _open(path) as stream:
                    if _is_file_of(stream, self._position):
                        return rotated[index:]
        return []


def load_position(state: Path) -> Position:
    """The position that a state file keeps; the start of the log where there is no such file yet."""
    try:
        return Position.model_validate_json(state.read_bytes())
    except FileNotFoundError:
        return Position()
    except OSError as error:
        raise ConfigError(f"{state}: cannot be read: {error.strerror}") from None
    except ValidationError:
        raise ConfigError(f"{state}: not a position of a tail: move it away to read the log from its start") from None


def _write_whole(state: Path, text: str) -> None:
    """The old state or the new one, never half of it."""
    fresh = state.with_name(state.name + ".new")
    try:
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(state)
    except OSError as error:
        raise ConfigError(f"{state}: cannot be written: {error.strerror}") from None


def _open(file: Path) -> BinaryIO:
    """The file to read from; InputError where it cannot be read, FileNotFoundError where there is none."""
    try:
        return file.open("rb")
    except FileNotFoundError:
        raise
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from None


def _is_file_of(stream: BinaryIO, position: Position) -> bool:
    same = os.fstat(stream.fileno()).st_ino == position.inode
    return same and _head(stream, len(position.head) // 2) == position.head


def _head(stream: BinaryIO, length: int) -> str:
    """The first bytes as hex; the place of reading stays."""
    place = stream.tell()
    stream.seek(0)
    head = stream.read(length).hex()
    stream.seek(place)
    return head
