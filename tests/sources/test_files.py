"""Finished files: sorted, ticked under the event clock, the same bytes again the same ids."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from schemas.controls import InputEnded, Ticked
from schemas.errors import InputError, Unavailable
from schemas.events import EARLIEST, Event
from schemas.times import to_ms
from sources.core.own import JsonLinesParser
from sources.core.parsed import Resolve
from sources.readers.files import Pace, Reading, produce, read_file, rejected_lines, summary
from sources.readers.producing import EventProducer

START = datetime(2026, 3, 2, 8, tzinfo=UTC)
Read = Callable[..., Reading]


@pytest.fixture
def read(tmp_path: Path, nobody: Resolve, offered: Callable[..., dict[str, Any]]) -> Read:
    """Writes a file with events at these seconds after 08:00, or with lines as they are, and reads it."""

    def run(*rows: int | str, name: str = "calls.jsonl") -> Reading:
        file = tmp_path / name
        lines = [
            row if isinstance(row, str) else json.dumps(offered(row, at=(START + timedelta(seconds=row)).isoformat()))
            for row in rows
        ]
        file.write_text("".join(f"{line}\n" for line in lines))
        return read_file(file, "hash", JsonLinesParser(nobody), ingest=3)

    return run


def seconds(records: list[Any]) -> list[str]:
    return [f"{r.type} {round((r.at - START).total_seconds())}" for r in records]


def now() -> int:
    """A day after the files."""
    return to_ms(START + timedelta(days=1))


def test_events_are_sent_in_the_order_of_time(sender: Any, out: EventProducer, read: Read) -> None:
    """Whatever the order of the rows is."""
    produce([read(70, 5, 61)], out, event_clock=False, pace=Pace(), now_ms=now)

    assert seconds(sender.records()) == ["contact_offered 5", "contact_offered 61", "contact_offered 70"]


def test_under_the_event_clock_each_minute_with_events_is_ticked(sender: Any, out: EventProducer, read: Read) -> None:
    """Before its first event, in every partition; the end of the input is said with the time of the last event."""
    produce([read(5, 50, 190)], out, event_clock=True, pace=Pace(), now_ms=now)

    for partition in range(4):
        controls = [r for r in sender.records(partition) if isinstance(r, Ticked | InputEnded)]
        assert seconds(controls) == ["ticked 0", "ticked 180", "input_ended 190"]
    order = [f"{r.type}" for r in sender.records()]
    assert (
        order == ["ticked"] * 4 + ["contact_offered"] * 2 + ["ticked"] * 4 + ["contact_offered"] + ["input_ended"] * 4
    )


def test_what_lies_in_the_future_tells_no_time(
    sender: Any, out: EventProducer, read: Read, offered: Callable[..., dict[str, Any]]
) -> None:
    """A mistyped year is one dead letter: the clock of the floor does not go there, from where none comes back."""
    mistyped = json.dumps(offered(6, at="9999-12-31T23:59:59-23:59"))

    produce([read(5, mistyped)], out, event_clock=True, pace=Pace(), now_ms=now)

    for partition in range(4):
        controls = [r for r in sender.records(partition) if isinstance(r, Ticked | InputEnded)]
        assert seconds(controls) == ["ticked 0", "input_ended 5"]
    assert len([r for r in sender.records() if r.type == "contact_offered"]) == 2


def plan(day: int) -> str:
    """The line of a plan that begins so many days after the calls."""
    starts = START + timedelta(days=day)
    told = {"type": "shift_planned", "source": "wfm", "id": f"p{day}", "agent": "a1", "at": starts.isoformat()}
    span = {"starts_at": starts.isoformat(), "ends_at": (starts + timedelta(hours=8)).isoformat()}
    return json.dumps(told | {"activities": [{"activity": "phone", **span}]})


def test_a_plan_tells_no_time(sender: Any, out: EventProducer, read: Read) -> None:
    """It is told before its time: calls that are read after the roster of a month are no history."""
    produce([read(5, plan(0), plan(7))], out, event_clock=True, pace=Pace(), now_ms=now)
    produce([read(plan(8))], out, event_clock=True, pace=Pace(), now_ms=now)

    controls = [r for r in sender.records(0) if isinstance(r, Ticked | InputEnded)]
    assert seconds(controls[:2]) == ["ticked 0", "input_ended 5"]
    assert controls[2:] == [InputEnded(at=EARLIEST)]


def test_under_the_wall_clock_no_time_is_said(sender: Any, out: EventProducer, read: Read) -> None:
    """The broker's time counts there."""
    produce([read(5, 190)], out, event_clock=False, pace=Pace(), now_ms=now)

    assert [isinstance(record, Event) for record in sender.records()] == [True, True]


def test_several_files_are_one_input(sender: Any, out: EventProducer, read: Read) -> None:
    """Sorted together, with one end."""
    produce([read(61, name="b.jsonl"), read(5, name="a.jsonl")], out, event_clock=True, pace=Pace(), now_ms=now)

    events = [r for r in sender.records(None) if isinstance(r, Event)]
    assert seconds(events) == ["contact_offered 5", "contact_offered 61"]
    assert sum(isinstance(r, InputEnded) for r in sender.records(0)) == 1


def test_the_same_file_twice_sends_the_same_identities_and_hashes(sender: Any, out: EventProducer, read: Read) -> None:
    """So that the second time is a row of duplicates."""
    produce([read(1, 2)], out, event_clock=False, pace=Pace(), now_ms=now)
    produce([read(1, 2)], out, event_clock=False, pace=Pace(), now_ms=now)

    first, second = sender.sent[:2], sender.sent[2:]
    assert [(m.key, m.value, m.headers["content"]) for m in first] == [
        (m.key, m.value, m.headers["content"]) for m in second
    ]


def test_a_bad_row_is_reported_and_kept(sender: Any, out: EventProducer, read: Read) -> None:
    """The line names file and line; the row is a dead letter; the rows beside it go in."""
    reading = read(1, "{nonsense", 2)
    produce([reading], out, event_clock=False, pace=Pace(), now_ms=now)

    (line,) = rejected_lines(reading)
    assert line.startswith("rejected 1 at calls.jsonl:2: event: expected JSON")
    assert [m.value for m in sender.letters()] == [b"{nonsense\n"]
    assert len(sender.records()) == 2
    assert "3 rows, 2 events, 1 rejected" in summary(reading, 1.0)


def test_a_missing_file_is_named(tmp_path: Path, nobody: Resolve) -> None:
    """One line for a person."""
    with pytest.raises(InputError, match=r"nowhere\.txt: cannot be read: No such file"):
        read_file(tmp_path / "nowhere.txt", "", JsonLinesParser(nobody), 1)


def test_pace_follows_the_time_of_the_events(out: EventProducer, read: Read) -> None:
    """At speed 10 an event a minute later is sent 6 s later."""
    slept: list[float] = []

    produce([read(0, 60, 90)], out, event_clock=False, pace=Pace(10.0, slept.append, lambda: sum(slept)), now_ms=now)

    assert slept == pytest.approx([6.0, 3.0])


def test_without_acknowledgement_the_input_has_failed(sender: Any, out: EventProducer, read: Read) -> None:
    """The run is then not finished, and the same file is sent again."""
    sender.fails = True

    with pytest.raises(Unavailable):
        produce([read(1)], out, event_clock=True, pace=Pace(), now_ms=now)
