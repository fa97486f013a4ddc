"""One line of Asterisk's `queue_log`, split: `unix seconds|call|queue|agent|verb|data...`."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.errors import InputError
from sources.core.parsed import FieldFault, shown

NOBODY = "NONE"
_HEAD = 5
_LAST_SECOND = 4_102_444_800
_FORM = "unix seconds|call|queue|agent|verb|data"


@dataclass(frozen=True, slots=True)
class Line:
    """The fields of a line; `data` is without the empty field that a line without data ends with."""

    second: int
    call: str
    queue: str
    agent: str
    verb: str
    data: tuple[str, ...]

    def number(self, index: int, name: str) -> int:
        """A whole number out of the data; negative indexes count from the right. FieldFault for anything else."""
        value = self.data[index] if -len(self.data) <= index < len(self.data) else ""
        if not (value.isascii() and value.isdigit() and len(value) <= 9):
            raise FieldFault(name, "a whole number", value)
        return int(value)

    @property
    def place(self) -> str:
        """The call in its queue: what waits."""
        if self.call in {NOBODY, ""}:
            raise FieldFault("call", "the id of a call", self.call)
        if self.queue in {NOBODY, ""}:
            raise FieldFault("queue", "the name of a queue", self.queue)
        return f"{self.call}|{self.queue}"


def split_line(raw: bytes) -> Line:
    """The fields of a line with its line end; FieldFault names the one that cannot be used."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise FieldFault("row", "text in UTF-8", raw.decode("utf-8", "replace")) from None
    if not text.endswith("\n"):
        raise FieldFault("row", "a whole line with its line end", text)
    fields = text.rstrip("\r\n").split("|")
    if len(fields) < _HEAD:
        raise FieldFault("row", _FORM, text.rstrip())
    second, call, queue, agent, verb, *data = fields
    if not (second.isascii() and second.isdigit() and len(second) <= 10 and int(second) <= _LAST_SECOND):
        raise FieldFault("time", "unix seconds", second)
    return Line(int(second), call, queue, agent, verb, () if data == [""] else tuple(data))


def check_first(raw: bytes) -> Line:
    """The first line of a file; InputError where it is of another format."""
    try:
        return split_line(raw)
    except FieldFault:
        found = shown(raw.decode("utf-8", "replace").rstrip())
        raise InputError(f"line 1: expected a queue_log line, {_FORM}; found {found}") from None
