"""The chain of a stream: each entry carries the hash of the one before, so that no byte changes unseen."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from pydantic import JsonValue

from schemas.records import ERASED, Command, RecordEvent, RecordEventKind, RefusalReason, digest
from schemas.times import from_ms, iso, to_ms


@dataclass(frozen=True, slots=True)
class Draft:
    """What a command comes to, before it has its place in the stream."""

    kind: RecordEventKind
    record: str
    version: int
    body: dict[str, JsonValue] = field(default_factory=dict)


def refusal(record: str, version: int, reason: RefusalReason, detail: str) -> Draft:
    """The entry that says why a command was not carried out; the version stays."""
    return Draft("command_refused", record, version, {"reason": reason, "detail": detail})


def seal(draft: Draft, command: Command, index: int, at_ms: int, after: tuple[int, str]) -> RecordEvent:
    """The entry of a draft, the `index`th of its command, behind the (sequence, hash) of the entry before."""
    sequence, previous = after
    entry = RecordEvent(
        stream=command.stream,
        sequence=sequence + 1,
        id=digest(command.id, str(index)),
        kind=draft.kind,
        at=from_ms(at_ms),
        by=command.by,
        command=command.id,
        record=draft.record,
        version=draft.version,
        body=draft.body,
        previous=previous,
        hash="",
    )
    return entry.model_copy(update={"hash": hash_of(entry)})


def hash_of(entry: RecordEvent) -> str:
    """SHA-256 of everything in an entry but its own hash, the hash of the entry before included."""
    fields: dict[str, Any] = {name: getattr(entry, name) for name in RecordEvent.model_fields if name != "hash"}
    fields["at"] = iso(to_ms(entry.at))
    return sha256(canonical(fields).encode()).hexdigest()


def canonical(value: Any) -> str:
    """JSON that is the same text for the same content."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def broken_at(entries: Iterable[RecordEvent]) -> int | None:
    """
    The sequence at which the chain of a whole stream does not hold; None when it does.

    Entries of somebody who was erased have their place and the two hashes, and nothing to hash.
    """
    previous = ""
    for sequence, entry in enumerate(entries, start=1):
        if (entry.sequence, entry.previous) != (sequence, previous):
            return sequence
        if not is_erased(entry) and entry.hash != hash_of(entry):
            return sequence
        previous = entry.hash
    return None


def lost_after(entries: Sequence[RecordEvent], head: tuple[int, str]) -> int | None:
    """
    The sequence at which a stream no longer is what it was when its last entry was `head` (sequence, hash); else None.

    A chain by itself does not tell that its last entries are gone, nor that all of it was written anew.
    """
    sequence, hash_ = head
    if len(entries) < sequence:
        return len(entries) + 1
    return None if not sequence or entries[sequence - 1].hash == hash_ else sequence


def is_erased(entry: RecordEvent) -> bool:
    """True for an entry that is what an erasure leaves of one: no content, in a stream of such."""
    left = (entry.id, entry.by, entry.command, entry.record, entry.version, entry.body)
    return entry.stream.startswith(ERASED) and entry.kind == "erased" and left == ("", "", "", "", 0, {})
