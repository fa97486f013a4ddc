"""Fetched records to items of the engine."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b
from typing import Protocol

from schemas.controls import Control
from schemas.errors import InvalidEvent
from schemas.events import FloorEvent, decode
from schemas.topics import HEADER_CONTENT, HEADER_INGEST
from streams.core.log import Item

TICK_ENDS = b'"type":"ticked"}'


class Fetched(Protocol):
    """A record as the Kafka client hands it out."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Iterable[tuple[str, bytes]]


def to_item(record: Fetched) -> Item:
    """The item of a record; one that cannot be decoded carries its fault."""
    value, key = record.value or b"", record.key or b""
    ingest, content = _headers(record.headers) if record.headers else (0, None)
    try:
        decoded = _ticked(value) if value.endswith(TICK_ENDS) else decode(value)
    except InvalidEvent as fault:
        return Item(record.offset, record.timestamp, value, key, None, fault, content=content or 0, ingest=ingest)
    if content is None:
        content = int.from_bytes(blake2b(value, digest_size=8).digest(), "big")
    return Item(record.offset, record.timestamp, value, key, decoded, content=content, ingest=ingest)


@lru_cache(maxsize=64)
def _ticked(value: bytes) -> FloorEvent | Control:
    """A tick comes to every partition with the same bytes."""
    return decode(value)


def _headers(headers: Iterable[tuple[str, bytes]]) -> tuple[int, int | None]:
    """(ingest number, hash of the vendor's fields); what is no number counts as absent."""
    ingest, content = 0, None
    for name, value in headers:
        if name == HEADER_INGEST and value.isdigit():
            ingest = int(value)
        elif name == HEADER_CONTENT:
            content = content_of(value)
    return ingest, content


def content_of(value: bytes) -> int | None:
    """The hash that a header holds; None where it is none."""
    try:
        return int(value, 16) % 2**64
    except ValueError:
        return None
