"""The writer of the ledger: decides commands, keeps the entries, and only then gives them out."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import structlog

from records.core.ledger import AlertFacts, StreamState, answer, fold
from records.store.base import FiredAlerts, LedgerStore
from schemas.alerts import Transition
from schemas.errors import Unavailable
from schemas.records import ALERT, Command, EscalateAlert, RecordEvent, erased_stream

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
        alerts: FiredAlerts | None = None,
    ) -> None:
        """
        `erased`: the agents who are erased by now; of commands about them nothing comes, not even a refusal.

        `alerts`: the alerts that commands may be about; None: whatever they name.
        """
        self._store = store
        self._limit = streams_in_memory
        self._erased = erased
        self._alerts = alerts
        self._gone: frozenset[str] = frozenset()
        """The streams of the agents who were erased when it was last looked."""
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
        abouts = self._abouts(commands)
        commands = self._without_erased(commands, abouts)
        self.forget(stream for stream, about in abouts.items() if not about)
        fired = self._fired(commands, abouts)
        states = self._loaded({command.stream for command, _ in commands})
        answers: list[RecordEvent] = []
        fresh: list[RecordEvent] = []
        for command, broker_ms in commands:
            before = states[command.stream]
            alert = AlertFacts(exists=abouts[command.stream] != "", fired=fired.get(command.stream))
            states[command.stream], entries = answer(before, command, broker_ms, alert)
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

    def _abouts(self, commands: Sequence[tuple[Command, int]]) -> dict[str, str]:
        """Stream -> whom it is about: itself, or the subject of its alert; `''` where there is no such alert."""
        abouts = {command.stream: command.stream for command, _ in commands}
        seen = {command.stream: broker_ms for command, broker_ms in commands if command.stream.startswith(ALERT)}
        if self._alerts and seen:
            subjects = self._alerts.subjects([stream.removeprefix(ALERT) for stream in seen], max(seen.values()))
            abouts |= {stream: subjects.get(stream.removeprefix(ALERT), "") for stream in seen}
        return abouts

    def _fired(self, commands: Sequence[tuple[Command, int]], abouts: Mapping[str, str]) -> dict[str, Transition]:
        """Stream -> how its alert fired, where a command hands one on."""
        asked = {command.stream for command, _ in commands if isinstance(command, EscalateAlert)}
        known = [stream.removeprefix(ALERT) for stream in sorted(asked) if abouts[stream]]
        fired = self._alerts.fired(known) if self._alerts and known else {}
        return {f"{ALERT}{alert}": step for alert, step in fired.items()}

    def _without_erased(
        self, commands: Sequence[tuple[Command, int]], abouts: Mapping[str, str]
    ) -> list[tuple[Command, int]]:
        gone = frozenset(f"agent:{agent}" for agent in self._erased())
        if gone != self._gone:
            # whom a remembered alert is about is not remembered
            self.forget([*gone, *(stream for stream in self._states if stream.startswith(ALERT))])
            self._gone = gone
        left = self._left_by_an_erasure(stream for stream, about in abouts.items() if not about)
        kept = [one for one in commands if abouts[one[0].stream] not in gone and one[0].stream not in left]
        if len(kept) < len(commands):
            structlog.get_logger(__name__).info("command_dropped", count=len(commands) - len(kept))
        return kept

    def _left_by_an_erasure(self, streams: Iterable[str]) -> set[str]:
        """
        Those of some streams whose entries were stripped of their content.

        Another chain of that name would be none that fits the heads that were kept of the one before.
        """
        names = {erased_stream(stream): stream for stream in streams}
        return {names[left] for left, entries in self._store.load(names).items() if entries} if names else set()

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
