"""What comes of a row: facts, a refusal that names field and expectation, or a row that is left out on purpose."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Protocol

from schemas.events import FloorEvent

_SHOWN = 60

Resolve = Callable[[str, str, int], str]
"""(source, vendor's agent id, epoch ms) -> the roster's id, or `source:id` where nobody knows it."""


class FieldFault(Exception):
    """One field of a row cannot be used."""

    def __init__(self, field: str, expected: str, found: str) -> None:
        super().__init__(f"{field}: expected {expected}, found {shown(found)}")
        self.field = field
        self.expected = expected
        self.found = found


@dataclass(frozen=True, slots=True)
class Accepted:
    """One fact, with the hash of the vendor's own fields it was made of."""

    event: FloorEvent
    content: str
    line: int


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that is no fact: where it stands, what is wrong with it, and the row as it came."""

    line: int
    field: str
    expected: str
    found: str
    raw: bytes

    @property
    def kind(self) -> str:
        """The reason without the value: rejected rows are counted by it."""
        return f"{self.field}: expected {self.expected}"

    @property
    def text(self) -> str:
        """The reason in one line, with what was found."""
        return f"{self.kind}, found {shown(self.found)}"


@dataclass(frozen=True, slots=True)
class Skipped:
    """A good row that is no fact of a floor, e.g. a caller who hung up before the queue."""

    line: int
    reason: str


Parsed = Accepted | Rejected | Skipped


class Parser(Protocol):
    """
    Turns the lines of one file into facts.

    Raises `InputError` where the file as a whole is of another format; a bad row is a `Rejected`.
    """

    def parse(self, lines: Iterable[bytes]) -> Iterator[Parsed]:
        """What each line holds, in the order of the file; lines keep their line ends."""


def rejected(line: int, fault: FieldFault, raw: bytes) -> Rejected:
    """The refusal of a row for one faulty field."""
    return Rejected(line, fault.field, fault.expected, fault.found, raw)


def shown(value: str) -> str:
    """A value as a message shows it: quoted, on one line, not too long."""
    return repr(value if len(value) <= _SHOWN else value[:_SHOWN] + "...")


def content_hash(raw: bytes) -> str:
    """Hash of the vendor's own fields, before aliases and defaults: 16 hex digits."""
    return blake2b(raw, digest_size=8).hexdigest()
