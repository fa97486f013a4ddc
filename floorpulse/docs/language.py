"""The pages on the language: events, topics, reasons and log events."""

from __future__ import annotations

import json
from typing import Any, get_args

from pydantic import BaseModel

from floorpulse.docs.markdown import code, page, table
from schemas.controls import Control
from schemas.events import MAX_EVENT_BYTES, Event, FloorEvent
from schemas.telemetry import DEAD_REASON_MEANINGS, LOG_EVENT_MEANINGS
from schemas.topics import HEADER_CONTENT, HEADER_INGEST, TOPICS

_ENVELOPE = ("source", "id", "type", "revision", "void", "at")


def events_page() -> str:
    """Every event and control record with its fields."""
    envelope = _fields(Event, ("source", "id", "revision", "void", "at"))
    parts = [
        "## Envelope",
        "Every event has these and its `type`. Identity is (`source`, `id`, `type`).",
        envelope,
        "## Events",
    ]
    for model in get_args(FloorEvent):
        parts += _of_model(model, _ENVELOPE)
    parts += ["## Control records", "Only floorpulse itself writes them: the gateway and `jsonl` refuse them."]
    for model in get_args(Control):
        parts += _of_model(model, ("type", "at"))
    return page(
        "Events",
        f"One message of `floor.events` is one of these as JSON, at most {MAX_EVENT_BYTES:,} bytes; unknown fields are "
        "refused. `floorpulse schema events` prints the JSON Schema of each.",
        parts,
    )


def _of_model(model: type[BaseModel], known: tuple[str, ...]) -> list[str]:
    names = tuple(name for name in model.model_fields if name not in known)
    head = [f"### {model.model_fields['type'].default}", " ".join((model.__doc__ or "").split())]
    return [*head, _fields(model, names)] if names else head


def _fields(model: type[BaseModel], names: tuple[str, ...]) -> str:
    schema = model.model_json_schema()
    required = set(schema.get("required", []))
    defined = schema.get("$defs", {})
    rows = []
    for name in names:
        found = schema["properties"][name]
        default = "" if name in required else code(json.dumps(found.get("default")))
        rows.append((code(name), _kind(found, defined), "yes" if name in required else "", default))
    return table(("field", "what", "required", "default"), rows)


def _kind(found: dict[str, Any], defined: dict[str, Any]) -> str:
    """The words for a part of a JSON Schema."""
    if "anyOf" in found:
        return " or ".join(_kind(one, defined) for one in found["anyOf"] if one.get("type") != "null")
    if "$ref" in found:
        parts = defined[found["$ref"].rpartition("/")[2]]["properties"]
        return "object of " + ", ".join(map(code, parts))
    if "enum" in found:
        return "one of " + ", ".join(map(code, found["enum"]))
    if found.get("format") == "date-time":
        return "instant, ISO 8601 with offset"
    if found.get("type") == "array":
        inside = found.get("items") or {"type": "string"}
        return f"list of {_kind(inside, defined)}"
    return f"{found.get('type', 'value')}{_bounds(found)}"


def _bounds(found: dict[str, Any]) -> str:
    low, high = found.get("minimum", found.get("minLength")), found.get("maximum", found.get("maxLength"))
    unit = " characters" if found.get("type") == "string" else ""
    if low is None and high is None:
        return ""
    if high is None:
        return f", from {low:,}{unit}"
    return f", up to {high:,}{unit}" if low is None else f", {low:,} to {high:,}{unit}"


def topics_page() -> str:
    """Every topic with its key, value, partitions and how long it is kept."""
    rows = [
        (
            code(topic.name),
            topic.key,
            topic.value,
            str(topic.partitions) if topic.partitions else "setting `partitions`",
            topic.kept,
        )
        for topic in TOPICS
    ]
    headers = table(
        ("header", "meaning"),
        [
            (code(HEADER_INGEST), "number of the ingest run that sent the event, decimal"),
            (code(HEADER_CONTENT), "hash of the vendor's own fields, before aliases and defaults, 16 hex digits"),
        ],
    )
    return page(
        "Topics",
        "`floorpulse topics apply` creates what is missing; the number of partitions of a topic that exists is never "
        "changed. Time is the broker's (LogAppendTime), automatic creation is off.",
        [table(("topic", "key", "value", "partitions", "kept"), rows), "## Headers of `floor.events`", headers],
    )


def telemetry_page() -> str:
    """Every reason of a dead letter and every log event."""
    reasons = table(("reason", "meaning"), [(code(name), words) for name, words in DEAD_REASON_MEANINGS.items()])
    events = table(("event", "meaning"), [(code(name), words) for name, words in LOG_EVENT_MEANINGS.items()])
    return page(
        "Dead letters and log events",
        "Every name that a dead letter or a line of a log can carry.",
        ["## Reasons of a dead letter", reasons, "## Log events", events],
    )
