"""Dead letters: of messages that cannot be read, and from their topic to rows of `dead_letters`."""

from __future__ import annotations

from typing import Any

from schemas.errors import InvalidEvent
from schemas.topics import DEAD_LETTERS, HEADER_CONTENT
from streams.core.log import Letter
from streams.worker.decoding import Fetched, content_of

FIRST_EPOCH = 1


def letter_of(record: Fetched, fault: InvalidEvent, epoch: int) -> Letter:
    """The dead letter of a message that cannot be read."""
    return Letter(record.offset, fault.reason, fault.detail, record.key or b"", record.value or b"", 0, epoch)


def letter_row(record: Fetched) -> tuple[Any, ...]:
    """
    The row of a dead letter.

    A message of a topic names topic, partition and offset; a row of a file names file and line (`origin`) and is told
    apart by the offset of the letter itself. One from before epochs were told is taken for one of the first.
    """
    said = dict(record.headers)
    origin = _text(said, "origin")
    of_file = bool(origin)
    return (
        "file" if of_file else _text(said, "topic") or DEAD_LETTERS,
        -1 if of_file else _number(said, "partition", -1),
        record.offset if of_file else _number(said, "offset", record.offset),
        origin,
        _text(said, "reason") or "invalid",
        _text(said, "detail"),
        _text(said, "key") or (record.key or b"").decode("utf-8", "replace"),
        record.value or b"",
        _number(said, "ingest", 0),
        content_of(said.get(HEADER_CONTENT, b"")) or 0,
        _number(said, "epoch", FIRST_EPOCH) - FIRST_EPOCH,
        record.timestamp,
    )


def _text(headers: dict[str, bytes], name: str) -> str:
    return headers.get(name, b"").decode("utf-8", "replace")


def _number(headers: dict[str, bytes], name: str, otherwise: int) -> int:
    value = headers.get(name, b"")
    return int(value) if value.isdigit() else otherwise
