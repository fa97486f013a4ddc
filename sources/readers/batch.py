"""The body of a gateway request: which events of it can be used, and what is wrong with the others."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import from_json, to_json

from sources.core.own import own_hash, read_event, with_known_agent
from sources.core.parsed import FieldFault, Rejected, Resolve, rejected
from sources.readers.producing import EventProducer, Message, Sender, message

LARGEST_BATCH = 1_000
LARGEST_LETTER = 512 * 1024
"""Bytes; a larger event could not be kept as a dead letter either, so its whole request is refused."""
ORIGIN = "gateway"
_LONGEST_ID = 200
_HALF = b"\\ud"
"""How JSON writes half of a character beyond U+FFFF."""


@dataclass(slots=True)
class Batch:
    """Events ready to send, and the refused ones with their index (from 0) as line."""

    is_list: bool
    messages: list[Message] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    sources: dict[str, None] = field(default_factory=dict)
    """The systems that the good events name, in the order of the events."""
    blamed: str = ""
    """The system that the first refused event names; empty where it names none."""

    @property
    def count(self) -> int:
        """Events, good and refused."""
        return len(self.messages) + len(self.rejected)


def read_batch(body: bytes, resolve: Resolve) -> Batch:
    """One event object or a list of up to `LARGEST_BATCH`; each is judged alone."""
    try:
        content = _content(body)
    except ValueError as error:
        return _refused(body, FieldFault("body", f"JSON ({error})", body[:80].decode("utf-8", "replace")))
    if isinstance(content, dict):
        return _judged([content], Batch(is_list=False), resolve)
    if not isinstance(content, list) or not content:
        found = "an empty list" if content == [] else type(content).__name__
        return _refused(body, FieldFault("body", "an event or a list of events", found))
    if len(content) > LARGEST_BATCH:
        return _refused(body, FieldFault("body", f"at most {LARGEST_BATCH} events", f"{len(content)} events"))
    return _judged(content, Batch(is_list=True), resolve)


def _content(body: bytes) -> Any:
    """
    What a body holds; ValueError where it is no JSON.

    Half a character, as of a text that was cut, is JSON and no text: it costs the event that has it, not those beside.
    """
    try:
        return from_json(body)
    except ValueError as error:
        if _HALF not in body.lower():
            raise
        try:
            return json.loads(body.decode())
        except (ValueError, RecursionError):
            raise error from None


def _refused(body: bytes, fault: FieldFault) -> Batch:
    return Batch(is_list=False, rejected=[rejected(0, fault, body)])


def _judged(items: list[Any], batch: Batch, resolve: Resolve) -> Batch:
    for index, item in enumerate(items):
        raw = _raw(item)
        try:
            event = read_event(raw)
        except FieldFault as fault:
            batch.blamed = batch.blamed or _source_of(item)
            batch.rejected.append(rejected(index, fault, raw))
            if len(raw) > LARGEST_LETTER:
                return Batch(batch.is_list, rejected=batch.rejected[-1:], blamed=batch.blamed)
            continue
        batch.sources[event.source] = None
        batch.messages.append(message(with_known_agent(event, resolve), own_hash(event)))
    return batch


def _source_of(item: Any) -> str:
    source = item.get("source") if isinstance(item, dict) else None
    return source[:_LONGEST_ID] if isinstance(source, str) else ""


def _raw(item: Any) -> bytes:
    """The item alone, as JSON again."""
    try:
        return to_json(item)
    except ValueError:
        return json.dumps(item).encode()


def send_batch(sender: Sender, batch: Batch, within_s: float) -> None:
    """Send the events, keep the refused ones as dead letters, and wait for the broker; Unavailable if it is silent."""
    out = EventProducer(sender, within_s)
    out.reject(batch.rejected, ORIGIN)
    for outgoing in batch.messages:
        out.send(outgoing)
    out.flush()
