"""
Somebody who was erased: what stands of them for ever, and how an event of somebody else no longer names them.

The entry in the registry is all that is left: ids that are refused from then on, and since when. No name, no word.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection

from schemas.controls import is_control
from schemas.events import FloorEvent, decode, encode

NOBODY = "erased"
"""Stands where an event of a queue, or of somebody else, named a person who was erased."""
NAMING = ("agent", "evaluator")
"""The fields of an event that may name somebody who does not own it."""
UNREADABLE = ("invalid", "oversize", "rejected_row")
"""Reasons of dead letters whose bytes are no event: whatever stands in them is looked through word by word."""
STRIPPED = "of a person who was erased: its bytes are gone"
"""The detail of a dead letter that lost its bytes."""


def unnamed(event: FloorEvent, erased: Collection[str]) -> FloorEvent:
    """The event without the names of erased people, where it is not theirs; the same event where it names none."""
    fields = event.__dict__  # asked for an attribute that it has not, a model raises: dear, as every event is asked
    changed = {name: NOBODY for name in NAMING if fields.get(name) in erased}
    return event.model_copy(update=changed) if changed else event


def unnamed_payload(payload: bytes, erased: Collection[str]) -> bytes:
    """The bytes of an event that is not theirs, without the names of erased people."""
    if not mentions(payload, erased):
        return payload
    event = decode(payload)
    if is_control(event):
        return payload
    kept = unnamed(event, erased)
    return payload if kept is event else encode(kept)


def mentions(payload: bytes, erased: Collection[str]) -> bool:
    """True when the id of one of them stands in the bytes of an event as a text of its own."""
    return any(quoted in payload for agent in erased for quoted in _quoted(agent))


def naming_pattern(erased: Collection[str]) -> str:
    """A regular expression for `"agent":"ID"` and the like in the text of an event; group 1 is the field."""
    return rf'"({"|".join(NAMING)})"\s*:\s*(?:{_any_quoted(erased)})'


def quoted_pattern(erased: Collection[str]) -> str:
    """A regular expression for one of the ids as a JSON text of its own."""
    return f"(?:{_any_quoted(erased)})"


def word_pattern(erased: Collection[str]) -> str:
    """A regular expression for one of the ids as a word of its own in bytes of any form."""
    ids = "|".join(map(re.escape, sorted(erased)))
    return rf"(?:^|[^A-Za-z0-9_-])(?:{ids})(?:$|[^A-Za-z0-9_-])"


def is_about(erased: Collection[str], reason: str, key: str, value: bytes) -> bool:
    """True when a dead letter has something of one of them: its key, or its bytes name them."""
    if not erased:
        return False
    if key.removeprefix("agent:") in erased or re.search(quoted_pattern(erased).encode(), value):
        return True
    return reason in UNREADABLE and re.search(word_pattern(erased).encode(), value) is not None


def _any_quoted(erased: Collection[str]) -> str:
    return "|".join(re.escape(quoted.decode()) for agent in sorted(erased) for quoted in sorted(_quoted(agent)))


def _quoted(agent: str) -> tuple[bytes, ...]:
    """The id as JSON writes it: as it is, and with escapes where it is not ASCII."""
    return tuple({json.dumps(agent, ensure_ascii=plain).encode() for plain in (False, True)})
