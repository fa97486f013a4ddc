"""Events in floorpulse's own language, as JSON: what the gateway takes and what a `jsonl` file holds."""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator

from pydantic import ValidationError

from schemas.events import EVENT_ADAPTER, EVENT_TYPES, MAX_EVENT_BYTES, ContactHandled, FloorEvent
from schemas.times import to_ms
from sources.core.clocks import START_IN_TIME, starts_late
from sources.core.parsed import Accepted, FieldFault, Parsed, Resolve, content_hash, rejected

_EVENT_TYPE = "an event type such as contact_offered"


class JsonLinesParser:
    """One event a line; empty lines are passed over."""

    def __init__(self, resolve: Resolve) -> None:
        self._resolve = resolve

    def parse(self, lines: Iterable[bytes]) -> Iterator[Parsed]:
        """What each line holds. Control records are no events: only floorpulse itself writes them."""
        for number, raw in enumerate(lines, start=1):
            text = (raw.removeprefix(BOM_UTF8) if number == 1 else raw).strip()
            if not text:
                continue
            try:
                event = read_event(text)
            except FieldFault as fault:
                yield rejected(number, fault, raw)
                continue
            yield Accepted(with_known_agent(event, self._resolve), own_hash(event), number)


def read_event(text: bytes) -> FloorEvent:
    """The event of one JSON object; FieldFault names the field and what was expected."""
    if len(text) > MAX_EVENT_BYTES:
        raise FieldFault("event", f"at most {MAX_EVENT_BYTES} bytes", f"{len(text)} bytes")
    try:
        event = EVENT_ADAPTER.validate_json(text)
    except ValidationError as error:
        raise fault_of(error) from None
    _check_start(event)
    return event


def _check_start(event: FloorEvent) -> None:
    """FieldFault where a contact starts after its end; one that was taken before can still be taken back as it is."""
    if isinstance(event, ContactHandled) and not event.void and starts_late(event.started_at, event.at):
        raise FieldFault("started_at", START_IN_TIME, event.started_at.isoformat())


def own_hash(event: FloorEvent) -> str:
    """Content hash of an event in our own language: the same whatever the order of its keys was."""
    body = event.model_dump_json(exclude_unset=True)
    return content_hash(json.dumps(json.loads(body), sort_keys=True).encode())


def with_known_agent(event: FloorEvent, resolve: Resolve) -> FloorEvent:
    """The event with its agent's work id where the roster has an alias for it; else as it is."""
    agent = getattr(event, "agent", None)
    if agent is None:
        return event
    known = resolve(event.source, agent, to_ms(event.at))
    if known in {agent, f"{event.source}:{agent}"}:
        return event
    return event.model_copy(update={"agent": known})


def fault_of(error: ValidationError) -> FieldFault:
    """The first fault of a validation as a field, what was expected and what was found."""
    first = error.errors(include_url=False)[0]
    field = ".".join(str(part) for part in first["loc"] if part not in EVENT_TYPES) or "event"
    given = first["input"]
    found = given.decode("utf-8", "replace") if isinstance(given, bytes) else str(given)
    expected = first["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
    match first["type"]:
        case "union_tag_not_found":
            field, expected, found = "type", _EVENT_TYPE, "none"
        case "union_tag_invalid":
            field, expected, found = "type", _EVENT_TYPE, str(first["ctx"]["tag"])
        case "missing":
            expected, found = "a value", "none"
        case "extra_forbidden":
            expected = "no field of this name"
        case "json_invalid":
            expected = f"JSON ({first['ctx']['error']})"
        case "string_too_long" | "too_long":
            expected = f"at most {first['ctx']['max_length']} {'characters' if isinstance(given, str) else 'entries'}"
        case "timezone_aware":
            expected = "a time with its offset"
    return FieldFault(field, expected, found)
