"""The chain of a stream, replays, and what a message on `floor.commands` must be."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from records.core.chain import broken_at, lost_after
from records.core.ledger import StreamState, answer, fold
from schemas.alerts import Transition
from schemas.errors import InvalidEvent
from schemas.records import (
    COMMAND_ADAPTER,
    Command,
    RecordEvent,
    case_id,
    decode_command,
    erased_stream,
    open_command,
)
from schemas.times import to_ms

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
NOON_MS = to_ms(NOON)


def fired(**changes: Any) -> Transition:
    values: dict[str, Any] = {
        "alert": "alert-1",
        "sequence": 1,
        "state": "firing",
        "reason": "breached",
        "at": NOON,
        "rule": "long-away",
        "rule_version": 1,
        "subject": "agent:a1",
        "kpi": "away_s",
        "window": "60m",
        "window_from": NOON,
        "window_to": NOON,
        "value": 1800.0,
        "n": 3,
        "threshold": 900.0,
        "severity": "act",
        "opens": "coaching",
        "team": "t1",
        "site": "main",
        "started_at": NOON,
    }
    return Transition(**{**values, **changes})


def step(kind: str, **body: Any) -> Command:
    fields = {"id": kind, "stream": "agent:a1", "record": case_id("alert-1"), "by": "lead-1", "kind": kind}
    return COMMAND_ADAPTER.validate_python({**fields, "body": body})


def story() -> list[Command]:
    first = open_command(fired(), "coaching")
    assert first is not None
    return [first, step("acknowledge_case"), step("acknowledge_case"), step("comment_case", text="grüß dich")]


def told(commands: list[Command]) -> tuple[StreamState, list[RecordEvent]]:
    state, entries = StreamState("agent:a1"), dict[int, RecordEvent]()
    for command in commands:
        state, answers = answer(state, command, NOON_MS)
        entries.update({entry.sequence: entry for entry in answers})
    return state, list(entries.values())


def test_a_replayed_command_gets_its_stored_outcome() -> None:
    """The answer is the same entry, and the stream stays, whatever the time is by then."""
    state, entries = told(story())

    again, answers = answer(state, story()[1], NOON_MS + 60_000)

    assert (again, answers) == (state, (entries[1],))


def test_a_replayed_refusal_stays_a_refusal() -> None:
    """A command that was refused is not carried out later, when it would be possible."""
    early = step("hold_session", shared_notes="too early")
    way = [step("acknowledge_case"), step("plan_case", goal="g", due="2026-04-01")]

    state, _ = told([story()[0], early, *way])
    _, answers = answer(state, early, NOON_MS)

    assert [entry.kind for entry in answers] == ["command_refused"]


def test_entries_fold_back_to_the_stream() -> None:
    """State is a function of the entries alone."""
    state, entries = told(story())

    assert fold("agent:a1", entries) == state


def test_the_chain_of_a_stream_holds() -> None:
    """Sequences without a gap, each entry with the hash of the one before."""
    _, entries = told(story())

    assert [entry.sequence for entry in entries] == [1, 2, 3]
    assert broken_at(entries) is None


@pytest.mark.parametrize(
    "change",
    [
        {"by": "lead-2"},
        {"at": NOON + timedelta(milliseconds=1)},
        {"version": 9},
        {"body": {"text": "x"}},
        {"id": "other"},
        {"previous": "0"},
    ],
)
def test_a_changed_byte_breaks_the_chain(change: dict[str, Any]) -> None:
    """Whatever field of an entry is changed, the chain breaks there."""
    _, entries = told(story())

    entries[1] = entries[1].model_copy(update=change)

    assert broken_at(entries) == 2


def test_a_missing_entry_breaks_the_chain() -> None:
    """Nobody takes an entry out unseen."""
    _, entries = told(story())

    assert broken_at(entries[:1] + entries[2:]) == 2


def test_a_chain_that_was_longer_or_other_is_no_longer_what_it_was() -> None:
    """The entries that are left hold together; whoever has seen the head knows better."""
    _, entries = told(story())
    head = (entries[-1].sequence, entries[-1].hash)

    assert lost_after(entries, (0, "")) is None
    assert lost_after(entries, head) is None
    assert lost_after(entries, (1, entries[0].hash)) is None
    assert lost_after(entries[:-1], head) == len(entries)
    assert lost_after([], head) == 1
    assert lost_after(entries, (1, "another")) == 1


def test_the_chain_does_not_depend_on_the_zone() -> None:
    """An instant is the same instant in any offset."""
    _, entries = told(story())
    other = [entry.model_copy(update={"at": entry.at.astimezone(timezone(timedelta(hours=5)))}) for entry in entries]

    assert broken_at(other) is None


def test_a_command_goes_through_its_message() -> None:
    """What is sent is what is decided."""
    for command in story():
        assert decode_command(command.model_dump_json().encode()) == command


@pytest.mark.parametrize(
    ("message", "place"),
    [
        (b"no json", "message"),
        (b'{"kind":"sack_agent","id":"1","stream":"agent:a1","by":"p","body":{}}', "message"),
        (
            b'{"kind":"comment_case","id":"1","stream":"agent:a1","by":"p","record":"c","body":{"text":" "}}',
            "body.text",
        ),
        (b'{"kind":"acknowledge_case","id":"1","stream":"agent:a1","by":"p"}', "record"),
        (b'{"kind":"acknowledge_alert","id":"1","stream":"a1","by":"p"}', "stream"),
        (b'{"kind":"acknowledge_alert","id":"1","stream":"alert:1","by":"p","at":"2026-03-02T12:00:00Z"}', "message"),
    ],
)
def test_a_message_that_is_no_command_names_the_field(message: bytes, place: str) -> None:
    """It goes to the dead letters with its reason."""
    with pytest.raises(InvalidEvent, match=f"invalid: {place}: "):
        decode_command(message)


def stripped(entry: RecordEvent, **kept: object) -> RecordEvent:
    """What an erasure leaves of an entry."""
    nothing = {"id": "", "by": "", "command": "", "record": "", "version": 0, "body": {}}
    return entry.model_copy(update={**nothing, "stream": erased_stream(entry.stream), "kind": "erased", **kept})


def test_a_chain_holds_without_the_content_of_somebody_erased() -> None:
    """Places and hashes are enough; a place that is missing, or any content, breaks it as ever."""
    entries = sorted({entry.sequence: entry for entry in fold_story()}.values(), key=lambda entry: entry.sequence)
    left = [stripped(entry) for entry in entries]

    assert len(left) > 2
    assert broken_at(left) is None
    assert broken_at(left[:1] + left[2:]) == 2
    assert broken_at([left[0], stripped(entries[1], by="somebody"), *left[2:]]) == 2
    assert broken_at([left[0], stripped(entries[1], stream="agent:a1"), *left[2:]]) == 2


def fold_story() -> Iterator[RecordEvent]:
    """The answers to the story."""
    state = StreamState("agent:a1")
    for command in story():
        state, answered = answer(state, command, NOON_MS)
        yield from answered
