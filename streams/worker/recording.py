"""Commands to the ledger: the handler of the agent on `floor.commands`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import structlog

from schemas.alerts import Transition
from schemas.errors import InvalidEvent
from schemas.records import Command, RecordEvent, decode_command, open_command
from streams.worker.decoding import Fetched

HandleAll = Callable[[Sequence[tuple[Command, int]]], list[RecordEvent]]


def command_of(transition: Transition) -> tuple[bytes, bytes] | None:
    """(key, message) of the command that a firing alert leads to; None when its rule opens nothing."""
    command = open_command(transition, transition.opens)
    return (command.stream.encode(), command.model_dump_json().encode()) if command else None


def recorder(handle_all: HandleAll) -> Callable[[Sequence[Fetched]], list[tuple[bytes, bytes]]]:
    """A function from a fetched batch to (key, message) of the ledger's entries, durable when it returns."""

    def record(batch: Sequence[Fetched]) -> list[tuple[bytes, bytes]]:
        commands = [(command, fetched.timestamp) for fetched in batch if (command := _decoded(fetched)) is not None]
        entries = handle_all(commands) if commands else []
        return [(entry.stream.encode(), entry.model_dump_json().encode()) for entry in entries]

    return record


def _decoded(fetched: Fetched) -> Command | None:
    try:
        return decode_command(fetched.value or b"")
    except InvalidEvent as fault:
        log = structlog.get_logger(__name__)
        log.error("command_refused", reason=fault.reason, detail=fault.detail, offset=fetched.offset)
        return None
