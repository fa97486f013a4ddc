"""
One stream of the ledger as a pure function of its commands: decide, seal, apply.

A command that the stream has answered before gets the same answer again and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from records.core.alerts import Handling, apply_alert, decide_alert, refuse_unknown
from records.core.chain import Draft, seal
from records.core.coaching import Case, apply_case, decide_case, decide_opening
from schemas.alerts import Transition
from schemas.records import ChangeOfAlert, Command, OpenCase, RecordEvent
from schemas.times import to_ms


@dataclass(frozen=True, slots=True)
class StreamState:
    """All that the next command of a stream depends on."""

    stream: str
    sequence: int = 0
    head: str = ""
    """Hash of the last entry."""
    cases: dict[str, Case] = field(default_factory=dict)
    handling: Handling = field(default_factory=Handling)
    outcomes: dict[str, tuple[RecordEvent, ...]] = field(default_factory=dict)
    """Command id -> the entries that answered it."""


@dataclass(frozen=True, slots=True)
class AlertFacts:
    """What has to be looked up of the alert that a stream is about."""

    exists: bool = True
    fired: Transition | None = None
    """How it fired, without its evidence; None where nothing asks for it."""


THERE = AlertFacts()


def decide(state: StreamState, command: Command, now_ms: int, alert: AlertFacts = THERE) -> list[Draft]:
    """What a command comes to at an instant: always at least one entry, a refusal if need be."""
    if isinstance(command, OpenCase):
        return [decide_opening(state.cases, command)]
    if isinstance(command, ChangeOfAlert):
        return [decide_alert(state.handling, command, now_ms, alert.fired) if alert.exists else refuse_unknown(command)]
    return [decide_case(state.cases.get(command.record), command)]


def apply(state: StreamState, entry: RecordEvent) -> StreamState:
    """The stream after one more entry."""
    cases = state.cases
    case = apply_case(cases.get(entry.record), entry)
    if case is not None:
        cases = {**cases, case.id: case}
    return replace(
        state,
        sequence=entry.sequence,
        head=entry.hash,
        cases=cases,
        handling=apply_alert(state.handling, entry),
        outcomes={**state.outcomes, entry.command: (*state.outcomes.get(entry.command, ()), entry)},
    )


def answer(
    state: StreamState, command: Command, broker_ms: int, alert: AlertFacts = THERE
) -> tuple[StreamState, tuple[RecordEvent, ...]]:
    """
    The entries that answer a command, and the stream after them.

    `broker_ms` is the instant of a person's command; a rule's brings its own. Answered before: the stored entries,
    and the stream as it was.
    """
    if command.id in state.outcomes:
        return state, state.outcomes[command.id]
    now_ms = broker_ms if command.at is None else to_ms(command.at)
    for index, draft in enumerate(decide(state, command, now_ms, alert)):
        state = apply(state, seal(draft, command, index, now_ms, (state.sequence, state.head)))
    return state, state.outcomes[command.id]


def fold(stream: str, entries: Iterable[RecordEvent]) -> StreamState:
    """The stream that its entries, in order, leave."""
    state = StreamState(stream)
    for entry in entries:
        state = apply(state, entry)
    return state
