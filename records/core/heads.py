"""
The heads of the ledger's chains, to be kept where nobody who writes the ledger can reach them.

A chain does not tell that its last entries are gone, or that all of it was written anew; a head that was kept does. A
list of them holds no ids of people: a stream stands there by its digest, which an erasure leaves as it is.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from schemas.errors import InputError
from schemas.records import ERASED, RecordEvent, digest
from schemas.times import iso, to_ms

_HEAD = "an object with stream, sequence and hash"
_SEAL = "an object with at, heads and sha256"


@dataclass(frozen=True, slots=True)
class Head:
    """The last entry of a stream when a list was made."""

    stream: str
    """The stream's digest, as `key_of` gives it."""
    sequence: int
    hash: str


@dataclass(frozen=True, slots=True)
class HeadList:
    """A list that was kept."""

    at: str
    """When it was made, ISO 8601, UTC."""
    heads: tuple[Head, ...]
    signed: bool


def key_of(stream: str) -> str:
    """The digest of a stream's name; that of somebody who was erased has it in its name already."""
    return stream.removeprefix(ERASED) if stream.startswith(ERASED) else digest(stream)


def head_of(entries: Sequence[RecordEvent]) -> Head:
    """The head of a whole stream, which has one entry or more."""
    last = entries[-1]
    return Head(key_of(last.stream), last.sequence, last.hash)


def text_of(heads: Iterable[Head], at: datetime, key: bytes = b"") -> str:
    """A list as text: a line of JSON for each head, and one that seals them, with an HMAC where there is a key."""
    lines = [_line(asdict(head)) for head in sorted(heads, key=lambda head: head.stream)]
    body = "".join(lines)
    seal: dict[str, Any] = {"at": iso(to_ms(at)), "heads": len(lines), "sha256": sha256(body.encode()).hexdigest()}
    if key:
        seal["hmac_sha256"] = _signature(key, seal)
    return body + _line(seal)


def read_heads(text: str, source: str, key: bytes = b"") -> HeadList:
    """
    A list out of its text; with a key its signature must be that of the key.

    InputError names `source`, the line and what was expected there: a line was changed, the end is missing, the
    signature is none or another.
    """
    lines = text.splitlines(keepends=True)
    if not lines:
        raise InputError(f"{source}: expected a list of heads, found nothing")
    heads = tuple(_read(lines[:-1], source))
    last = f"{source}:{len(lines)}"
    seal = _object(lines[-1], f"{last}: expected {_SEAL}", {"at": str, "heads": int, "sha256": str})
    if (seal["heads"], seal["sha256"]) != (len(heads), sha256("".join(lines[:-1]).encode()).hexdigest()):
        raise InputError(f"{last}: heads, sha256: expected those of the lines above; the list was changed")
    signature = seal.pop("hmac_sha256", None)
    if key and not hmac.compare_digest(str(signature).encode(), _signature(key, seal).encode()):
        raise InputError(f"{last}: hmac_sha256: expected a signature made with this key")
    return HeadList(seal["at"], heads, signature is not None)


def _read(lines: Iterable[str], source: str) -> Iterator[Head]:
    for number, line in enumerate(lines, start=1):
        found = _object(line, f"{source}:{number}: expected {_HEAD}", {"stream": str, "sequence": int, "hash": str})
        if found["sequence"] < 1:
            raise InputError(f"{source}:{number}: sequence: expected 1 or more, found {found['sequence']}")
        yield Head(found["stream"], found["sequence"], found["hash"])


def _object(line: str, complaint: str, fields: dict[str, type]) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        raise InputError(complaint) from None
    if not isinstance(found, dict) or any(type(found.get(name)) is not kind for name, kind in fields.items()):
        raise InputError(complaint)
    return found


def _signature(key: bytes, seal: dict[str, Any]) -> str:
    return hmac.new(key, _line(seal).encode(), sha256).hexdigest()


def _line(fields: dict[str, Any]) -> str:
    return json.dumps(fields, sort_keys=True, separators=(",", ":")) + "\n"
