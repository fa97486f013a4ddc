"""Commands to the ledger: the handler of the agent on `floor.commands`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

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


class Recorded(NamedTuple):
    """What comes of a batch of commands."""

    entries: list[tuple[bytes, bytes]]
    """(key, message) of the ledger's entries that answer it, durable by now."""
    unreadable: list[tuple[Fetched, InvalidEvent]]
    """Messages that are no command, and why."""


class Recorder:
    """
    Hands fetched batches to the ledger, one after the other; `moved` may come from another thread meanwhile.

    What the ledger remembers holds while its streams have no other owner. It forgets before the next batch and not
    when partitions move: a batch that is under way then would put back what it has read before.
    """

    def __init__(self, handle_all: HandleAll, forget_all: Callable[[], None]) -> None:
        """`forget_all`: drop what is remembered of all streams."""
        self._handle_all = handle_all
        self._forget_all = forget_all
        self._moves = 0
        self._moves_known = 0

    def moved(self) -> None:
        """Partitions came or went: others may write to the streams, or may have written to them."""
        self._moves += 1

    def record(self, batch: Sequence[Fetched]) -> Recorded:
        """Decide a batch. Blocks."""
        moves = self._moves
        if moves != self._moves_known:
            self._forget_all()
            self._moves_known = moves
        commands: list[tuple[Command, int]] = []
        unreadable: list[tuple[Fetched, InvalidEvent]] = []
        for fetched in batch:
            try:
                commands.append((decode_command(fetched.value or b""), fetched.timestamp))
            except InvalidEvent as fault:
                unreadable.append((fetched, fault))
                log = structlog.get_logger(__name__)
                log.error("command_refused", reason=fault.reason, detail=fault.detail, offset=fetched.offset)
        entries = self._handle_all(commands) if commands else []
        return Recorded([(entry.stream.encode(), entry.model_dump_json().encode()) for entry in entries], unreadable)
