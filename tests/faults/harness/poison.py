"""Bytes that are no event, one of every kind (F10, F18)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from schemas.events import MAX_EVENT_BYTES

GOOD: dict[str, Any] = {
    "source": "acd", "id": "p", "at": "2025-03-03T09:00:00Z", "type": "task_timed", "agent": "n00", "task": "t",
    "seconds": 1.5,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of poison, made anew for each number so that no two are the same bytes."""

    name: str
    make: Callable[[dict[str, Any]], bytes]
    reason: str = "invalid"

    def value(self, number: int) -> bytes:
        """The bytes."""
        return self.make(GOOD | {"id": f"p{number}"})


def _changed(**change: Any) -> Callable[[dict[str, Any]], bytes]:
    return lambda good: json.dumps(good | change).encode()


def _without(key: str) -> Callable[[dict[str, Any]], bytes]:
    return lambda good: json.dumps({name: value for name, value in good.items() if name != key}).encode()


POISON: tuple[Kind, ...] = (
    Kind("cut JSON", lambda good: json.dumps(good).encode()[:-9]),
    Kind("empty", lambda good: b""),
    Kind("a list", lambda good: json.dumps([good]).encode()),
    Kind("bad UTF-8", lambda good: json.dumps(good).encode().replace(b'"t"', b'"\xff\xfe"')),
    Kind("null bytes", lambda good: b"\x00" * 40 + str(good["id"]).encode()),
    Kind("NaN", _changed(seconds=float("nan"))),
    Kind("infinity", _changed(seconds=float("inf"))),
    Kind("negative time", _changed(seconds=-1.0)),
    Kind("text for a number", _changed(seconds="1.5")),
    Kind("number for text", _changed(agent=7)),
    Kind("null for text", _changed(agent=None)),
    Kind("time without a zone", _changed(at="2025-03-03T09:00:00")),
    Kind("no such time", _changed(at="2025-02-30T09:00:00Z")),
    Kind("id too long", _changed(agent="x" * 201)),
    Kind("nested deep", lambda good: json.dumps(good).encode()[:-1] + b',"x":' + b"[" * 3000 + b"]" * 3000 + b"}"),
    Kind("too large", _changed(task="x" * MAX_EVENT_BYTES), "oversize"),
    Kind("unknown type", _changed(type="task_forgotten")),
    Kind("next version of a type", _changed(type="task_timed.v2")),
    Kind("unknown field", _changed(colour="red")),
    Kind("unknown enumeration", _changed(type="state_changed", task=None, seconds=None, state="dancing")),
    Kind("required field gone", _without("task")),
    Kind("type gone", _without("type")),
)
"""The last six are what an older or newer sender says (F18)."""
