"""The writer of the ledger: decides commands, keeps the entries, and only then gives them out."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Sequence

import structlog

from records.core.ledger import StreamState, answer, fold
from records.store.base import LedgerStore
from schemas.errors import Unavailable
from schemas.records import Command, RecordEvent

STREAMS_IN_MEMORY = 5_000


class Ledger:
    """
    Decides the commands of the streams that this process owns; nobody else may write to them.

    Not for several threads. When the ownership of streams ends, `forget` them, or `clear` all.
    """

    def __init__(
        self,
        store: LedgerStore,
        streams_in_memory: int = STREAMS_IN_MEMORY,
        erased: Callable[[], Collection[str]] = frozenset,
    ) -> None:
        """`erased`: the agents who are erased by now; of commands about them nothing comes, not even a refusal."""
        self._store = store
        self._limit = streams_in_memory
        self._erased = erased
        self._states: OrderedDict[str, StreamState] = OrderedDict()

    def handle(self, command: Command, broker_ms: int) -> list[RecordEvent]:
        """The entries that answer one command; see `handle_all`."""
        return self.handle_all([(command, broker_ms)])

    def handle_all(self, commands: Sequence[tuple[Command, int]]) -> list[RecordEvent]:
        """
        The entries that answer a batch of (command, broker time in ms), in order, durable when it returns.

        A command that was answered before gets its stored entries again, to be published again. Unavailable: the
        store is away, or another owner has written; nothing was decided, and the same batch may be handed in again:
        its streams are read anew for it.
        """
        commands = self._without_erased(commands)
        states = self._loaded({command.stream for command, _ in commands})
        answers: list[RecordEvent] = []
        fresh: list[RecordEvent] = []
        for command, broker_ms in commands:
            before = states[command.stream]
            states[command.stream], entries = answer(before, command, broker_ms)
            answers += entries
            fresh += (entry for entry in entries if entry.sequence > before.sequence)
        try:
            self._store.append(fresh)
        except Unavailable:
            self.forget(states)
            raise
        self._keep(states)
        return answers

    def forget(self, streams: Iterable[str]) -> None:
        """Drop what is known of streams that somebody else owns now."""
        for stream in streams:
            self._states.pop(stream, None)

    def clear(self) -> None:
        """Drop what is known of all streams."""
        self._states.clear()

    def _without_erased(self, commands: Sequence[tuple[Command, int]]) -> list[tuple[Command, int]]:
        gone = {f"agent:{agent}" for agent in self._erased()}
        self.forget(gone)
        kept = [one for one in commands if one[0].stream not in gone]
        if len(kept) < len(commands):
            structlog.get_logger(__name__).info("command_dropped", count=len(commands) - len(kept))
        return kept

    def _loaded(self, streams: Collection[str]) -> dict[str, StreamState]:
        states = {stream: self._states[stream] for stream in streams if stream in self._states}
        missing = [stream for stream in streams if stream not in states]
        if missing:
            for stream, entries in self._store.load(missing).items():
                states[stream] = fold(stream, entries)
        return states

    def _keep(self, states: dict[str, StreamState]) -> None:
        for stream, state in states.items():
            self._states[stream] = state
            self._states.move_to_end(stream)
        while len(self._states) > self._limit:
            self._states.popitem(last=False)
