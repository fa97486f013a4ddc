"""Events in our own language: JSON lines and the bodies of the gateway."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from schemas.events import ContactAnswered
from sources.core.own import JsonLinesParser, own_hash, read_event, with_known_agent
from sources.core.parsed import Accepted, FieldFault, Rejected, Resolve
from sources.readers.batch import LARGEST_BATCH, read_batch

Offered = Callable[..., dict[str, Any]]
EARLIEST = "at: expected greater than or equal to 1980-01-01T00:00:00Z"
ANSWERED = {"type": "contact_answered", "agent": "8007", "waited_s": 3}


def test_a_bad_line_of_json_lines_is_refused_alone(nobody: Resolve, offered: Offered) -> None:
    """Line and field are named; empty lines count as lines."""
    lines = [json.dumps(offered(1)).encode(), b"\n", b'{"type":"contact_offered"\n', json.dumps(offered(2)).encode()]

    parsed = list(JsonLinesParser(nobody).parse(lines))

    assert [p.line for p in parsed if isinstance(p, Accepted)] == [1, 4]
    assert [(p.line, p.field) for p in parsed if isinstance(p, Rejected)] == [(3, "event")]


def test_the_mark_that_some_editors_begin_a_file_with_costs_no_event(nobody: Resolve, offered: Offered) -> None:
    """It is of the file and not of its first event, as in CSV."""
    lines = [b"\xef\xbb\xbf" + json.dumps(offered(1)).encode() + b"\r\n", json.dumps(offered(2)).encode()]

    parsed = list(JsonLinesParser(nobody).parse(lines))

    assert [p.line for p in parsed if isinstance(p, Accepted)] == [1, 2]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"type": "contact_offerd"}, "type: expected an event type such as contact_offered, found 'contact_offerd'"),
        ({"type": "ticked"}, "type: expected an event type such as contact_offered, found 'ticked'"),
        ({"at": "2026-03-02T08:00:00"}, "at: expected a time with its offset, found '2026-03-02T08:00:00'"),
        ({"at": "0001-01-01T00:00:00Z"}, f"{EARLIEST}, found '0001-01-01T00:00:00Z'"),
        ({"at": "1979-12-31T23:59:59Z"}, f"{EARLIEST}, found '1979-12-31T23:59:59Z'"),
        ({"colour": "red"}, "colour: expected no field of this name, found 'red'"),
        ({"queue": 7}, "queue: expected a valid string, found '7'"),
        ({"id": "x" * 40_000}, "event: expected at most 32768 bytes, found '40119 bytes'"),
    ],
)
def test_a_bad_event_names_its_field(offered: Offered, changes: dict[str, Any], text: str) -> None:
    """The line says field, expectation and what was found; control records are no events from outside."""
    body = json.dumps(offered(1) | changes).encode()

    with pytest.raises(FieldFault) as caught:
        read_event(body)

    assert str(caught.value) == text


HANDLED = {"type": "contact_handled", "talk_s": 300, "at": "2026-03-02T09:05:00Z"}


def test_a_contact_that_starts_after_its_end_is_refused(offered: Offered) -> None:
    """It would count with a handle time in which nobody had anything in hand."""
    body = offered(1) | HANDLED | {"started_at": "2026-03-02T10:05:02.5+01:00"}

    with pytest.raises(FieldFault) as caught:
        read_event(json.dumps(body).encode())

    expected = "started_at: expected a time at most 2 s after that of the end, found '2026-03-02T10:05:02.500000+01:00'"
    assert str(caught.value) == expected


@pytest.mark.parametrize(
    "more", [{"started_at": "2026-03-02T09:05:02Z"}, {"started_at": "2027-01-01T00:00:00Z", "void": True}]
)
def test_two_clocks_and_taking_back_are_no_fault(offered: Offered, more: dict[str, Any]) -> None:
    """A fact of before this rule goes away by the same words with which it came."""
    assert read_event(json.dumps(offered(1) | HANDLED | more).encode())


def test_the_content_hash_does_not_depend_on_the_order_of_keys(offered: Offered) -> None:
    """The same fact written another way is a duplicate, not a conflict."""
    event = offered(1, priority=2)
    turned = dict(reversed(event.items()))

    assert own_hash(read_event(json.dumps(event).encode())) == own_hash(read_event(json.dumps(turned).encode()))


def test_other_content_has_another_hash(offered: Offered) -> None:
    """A changed field must show as a conflict."""
    first, second = (read_event(json.dumps(offered(1, priority=p)).encode()) for p in (1, 2))

    assert own_hash(first) != own_hash(second)


def test_a_known_alias_becomes_the_work_id(offered: Offered) -> None:
    """Where the roster has an alias for the vendor's id, the event counts for the person."""
    event = read_event(json.dumps(offered(1) | ANSWERED).encode())

    known = with_known_agent(event, lambda *_: "a0001")

    assert isinstance(known, ContactAnswered)
    assert known.agent == "a0001"


def test_an_id_without_alias_stays_in_our_own_language(offered: Offered, nobody: Resolve) -> None:
    """Events in our own language name work ids already."""
    event = read_event(json.dumps(offered(1) | ANSWERED).encode())

    assert with_known_agent(event, nobody) is event


def test_one_bad_event_of_a_thousand_costs_only_itself(nobody: Resolve, offered: Offered) -> None:
    """Its index is named, the 999 beside it are ready to send."""
    items = [offered(n) for n in range(LARGEST_BATCH)]
    items[617] = offered(617, at="yesterday")

    batch = read_batch(json.dumps(items).encode(), nobody)

    assert len(batch.messages) == 999
    assert [(r.line, r.field) for r in batch.rejected] == [(617, "at")]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"[]", "body: expected an event or a list of events, found 'an empty list'"),
        (b"7", "body: expected an event or a list of events, found 'int'"),
        (b"[1", "body: expected JSON (EOF while parsing a list at line 1 column 2), found '[1'"),
        (b"[" + b"1," * LARGEST_BATCH + b"1]", "body: expected at most 1000 events, found '1001 events'"),
        (b"[" * 100_000, None),
    ],
)
def test_a_body_that_is_no_batch_is_refused_whole(nobody: Resolve, body: bytes, text: str | None) -> None:
    """One reason, nothing to send."""
    batch = read_batch(body, nobody)

    assert batch.messages == []
    assert [r.field for r in batch.rejected] == ["body"]
    assert text in {None, batch.rejected[0].text}
