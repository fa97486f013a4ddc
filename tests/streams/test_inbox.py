"""Whose turn it is among the partitions, and what a fetched record becomes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest

from schemas.controls import InputEnded, RegistryChanged, Ticked
from schemas.events import encode
from schemas.times import MINUTE_MS, from_ms
from streams.worker.decoding import to_item
from streams.worker.inbox import CHUNK, Inbox, turn_by_time, turn_in_order
from streams.worker.letters import letter_row
from tests.streams.floors import DAWN


@dataclass
class Message:
    """A record as the Kafka client hands it out."""

    offset: int
    value: bytes | None
    timestamp: int = DAWN
    key: bytes | None = None
    headers: Iterable[tuple[str, bytes]] = field(default_factory=list)


def inbox(*minutes: float, has_ended: bool = False) -> Inbox:
    """An inbox with a tick at each minute."""
    found = Inbox(has_ended=has_ended)
    for offset, minute in enumerate(minutes):
        found.fetched.append(Message(offset, encode(Ticked(at=from_ms(DAWN + round(minute * MINUTE_MS))))))
    return found


def turn(**inboxes: Inbox) -> tuple[int, float] | None:
    """(partition, minute up to which it may fold); every partition's clock stands at dawn."""
    by_number = {int(name[1:]): found for name, found in inboxes.items()}
    found = turn_by_time(by_number, dict.fromkeys(by_number, DAWN), 0.0)
    return (found[0], (found[1] - DAWN) / MINUTE_MS) if found else None


def test_the_slowest_partition_is_next() -> None:
    """Up to a minute beyond the slowest of the others."""
    #   p0   3 9
    #   p1   5        p0 may fold up to 4
    assert turn(p0=inbox(3, 9), p1=inbox(5)) == (0, 4)


@pytest.mark.parametrize(("minute", "allowed"), [(1.0, (0, 1.0)), (1.1, None)])
def test_a_partition_with_nothing_fetched_holds_the_others(minute: float, allowed: tuple[int, float] | None) -> None:
    """Nobody runs more than 60 s ahead of its clock."""
    assert turn(p0=inbox(minute), p1=inbox()) == allowed


def test_a_partition_whose_input_has_ended_holds_nobody() -> None:
    """Then the others are free."""
    assert turn(p0=inbox(700), p1=inbox(has_ended=True)) == (0, 701)


def test_nothing_waits_nobody_has_a_turn() -> None:
    """Empty inboxes have no turn."""
    assert turn(p0=inbox(), p1=inbox()) is None


def test_a_blocked_partition_still_holds_the_others() -> None:
    """A lookup that cannot be answered does not let the others run ahead."""
    blocked = inbox(3)
    blocked.blocked_until = 10.0

    assert turn(p0=blocked, p1=inbox(3.5), p2=inbox(9)) == (1, 4)
    assert turn(p0=blocked, p1=inbox(4.5)) is None


def test_an_instant_limits_what_is_taken() -> None:
    """Items up to it are taken, it included; what says nothing about time goes along."""
    waiting = inbox(1, 2)
    waiting.fetched.append(Message(2, encode(RegistryChanged(at=from_ms(DAWN + 99 * MINUTE_MS), revision=1))))
    waiting.fetched.append(Message(3, encode(InputEnded(at=from_ms(DAWN + 3 * MINUTE_MS)))))

    taken = waiting.take(DAWN + 2 * MINUTE_MS)

    assert ([item.offset for item in taken], len(waiting)) == ([0, 1, 2], 1)


def test_what_is_given_back_comes_first_again() -> None:
    """In its order."""
    waiting = inbox(1, 2, 3)
    taken = waiting.take(None)

    waiting.give_back(taken[1:])

    assert [item.offset for item in waiting.take(None)] == [1, 2]


def test_a_chunk_at_a_time() -> None:
    """A long inbox does not keep the others waiting."""
    waiting = inbox(*range(CHUNK + 1))

    assert (len(waiting.take(None)), len(waiting)) == (CHUNK, 1)


def test_under_the_wall_clock_partitions_take_turns() -> None:
    """The next one after the last that has something and is not blocked."""
    blocked = inbox(1)
    blocked.blocked_until = 10.0
    inboxes = {0: inbox(1), 1: inbox(), 2: blocked, 3: inbox(1)}

    assert [turn_in_order(inboxes, last, 5.0) for last in (-1, 0, 3)] == [0, 3, 0]
    assert turn_in_order(inboxes, 0, 10.0) == 2
    assert turn_in_order({0: inbox()}, 0, 0.0) is None


def test_headers_name_ingest_and_content() -> None:
    """The ingest is a decimal number, the content 16 hex digits."""
    value = encode(Ticked(at=from_ms(DAWN)))

    item = to_item(Message(7, value, headers=[("ingest", b"12"), ("content", b"00000000000000ff")]))

    assert (item.offset, item.broker_ms, item.ingest, item.content) == (7, DAWN, 12, 255)


def test_without_a_content_header_the_bytes_are_the_content() -> None:
    """The same bytes have the same content, other bytes another; a header that is no number counts as absent."""
    one, other = encode(Ticked(at=from_ms(DAWN))), encode(Ticked(at=from_ms(DAWN + 1)))

    found = [to_item(Message(0, value, headers=[("content", b"?"), ("ingest", b"x")])) for value in (one, one, other)]

    assert found[0].content == found[1].content != found[2].content
    assert found[0].ingest == 0


@pytest.mark.parametrize(("value", "reason"), [(b"{", "invalid"), (None, "invalid"), (b"x" * 40_000, "oversize")])
def test_what_cannot_be_decoded_carries_its_fault(value: bytes | None, reason: str) -> None:
    """The bytes go along as they came."""
    item = to_item(Message(3, value, key=b"k", headers=[("ingest", b"4")]))

    assert item.record is None
    assert item.fault is not None
    assert (item.fault.reason, item.payload, item.key, item.ingest) == (reason, value or b"", b"k", 4)


def test_a_dead_letter_of_a_topic_names_its_place() -> None:
    """Topic, partition and offset are those of the message that died."""
    headers = [("reason", b"conflict"), ("detail", b"id: x"), ("topic", b"floor.events"), ("partition", b"3")]
    headers += [("offset", b"41"), ("key", b"agent:a1"), ("ingest", b"9"), ("content", b"00000000000000ff")]

    row = letter_row(Message(5, b"\xff", 77, b"floor.events:3", headers))

    assert row == ("floor.events", 3, 41, "", "conflict", "id: x", "agent:a1", b"\xff", 9, 255, 0, 77)


@pytest.mark.parametrize(("headers", "made_anew"), [([], 0), ([("epoch", b"1")], 0), ([("epoch", b"3")], 2)])
def test_a_dead_letter_tells_how_often_its_topic_was_made_anew(headers: list[Any], made_anew: int) -> None:
    """Offsets begin at 0 each time; a letter from before epochs were told is taken for one of the first."""
    row = letter_row(Message(5, b"", 77, b"floor.events:3", [("offset", b"41"), *headers]))

    assert row[-2:] == (made_anew, 77)


def test_a_dead_letter_of_a_file_names_its_line() -> None:
    """It has no offset of its own: that of the letter tells it apart."""
    row = letter_row(Message(5, b"a;b", 77, None, [("reason", b"rejected_row"), ("origin", b"calls.csv:12")]))

    assert row[:5] == ("file", -1, 5, "calls.csv:12", "rejected_row")


def test_what_is_fetched_again_is_taken_once() -> None:
    """A seek of an assignment that is over may take a partition back: what is here already is not folded twice."""
    found = Inbox(next_offset=2)

    for offsets in ((0, 1, 2, 3), (1, 2, 3), (2, 3, 4), (7,)):
        found.put([Message(offset, b"") for offset in offsets])

    assert [record.offset for record in found.fetched] == [2, 3, 4, 7]
