"""Dead letters as they are stored: found by reason, time and source, marked when they were sent again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from schemas.times import DAY_MS, to_ms
from sinks.letters import LetterQuery, Redriven, count_letters, find_letters, mark_redriven

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
COLUMNS = ["topic", "partition", "offset", "origin", "reason", "detail", "key", "value", "at"]


def letter(offset: int, reason: str = "invalid", value: bytes = b'{"source":"acd"}', **change: Any) -> list[Any]:
    """A row of `dead_letters`, a minute later for each offset."""
    row = {"topic": "floor.events", "partition": 3, "offset": offset, "origin": "", "reason": reason, "detail": "x"}
    row |= {"key": "agent:a1", "value": value, "at": NOON + timedelta(minutes=offset)}
    return list((row | change).values())


@pytest.fixture
def stored(client: Client) -> Client:
    """Three letters of a topic, one of a file, one of bytes that are no text."""
    rows = [letter(1), letter(2, "future"), letter(3, value=b'{"source":"crm"}'), letter(4, value=b"\xff\x00\n'")]
    rows.append(letter(5, "rejected_row", b"a;b", topic="file", partition=-1, origin="c:x.csv:12", key="file:c:x.csv"))
    client.insert("dead_letters", rows, column_names=COLUMNS)
    return client


def places(client: Client, **query: Any) -> list[str]:
    return [found.place for found in find_letters(client, LetterQuery(**query))]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["file:5", "floor.events:3:4", "floor.events:3:3", "floor.events:3:2", "floor.events:3:1"]),
        ({"reason": "future"}, ["floor.events:3:2"]),
        ({"source": "acd"}, ["floor.events:3:2", "floor.events:3:1"]),
        ({"source": "c:x.csv"}, ["file:5"]),
        ({"topic": "file"}, ["file:5"]),
        ({"place": "floor.events:3:4"}, ["floor.events:3:4"]),
        ({"limit": 1}, ["file:5"]),
        (
            {"since_ms": to_ms(NOON) + 120_000, "until_ms": to_ms(NOON) + 240_000},
            ["floor.events:3:3", "floor.events:3:2"],
        ),
        ({"source": "' OR 1"}, []),
    ],
)
def test_letters_are_found(stored: Client, query: dict[str, Any], found: list[str]) -> None:
    """By reason, source, topic, time and place; newest first."""
    assert places(stored, **query) == found


def test_the_bytes_are_as_they_came(stored: Client) -> None:
    """Whatever they are."""
    (found,) = find_letters(stored, LetterQuery(place="floor.events:3:4"))

    assert found.value == b"\xff\x00\n'"


def test_a_letter_that_was_sent_again_is_marked(stored: Client) -> None:
    """The mark is the letter's alone; one of an older letter at the same place counts for nothing."""
    first, second = find_letters(stored, LetterQuery(source="acd"))
    mark_redriven(stored, [Redriven(first, (0, 77, first.at_ms + 1_000))])
    mark_redriven(stored, [Redriven(second, (0, 78, second.at_ms - DAY_MS))])

    assert [found.redriven_ms for found in find_letters(stored, LetterQuery(source="acd"))] == [
        first.at_ms + 1_000,
        None,
    ]
    assert places(stored, source="acd", only_open=True) == [second.place]


def test_a_letter_of_a_topic_made_anew_takes_no_older_ones_place(stored: Client) -> None:
    """Its offsets begin at 0 again: both are kept, and a mark is the letter's alone."""
    anew = dict(zip(COLUMNS, letter(1, value=b'{"source":"new"}', at=NOON + timedelta(days=9)), strict=True))
    stored.insert("dead_letters", [[*anew.values(), 1]], column_names=[*anew, "made_anew"])
    first, second = sorted(find_letters(stored, LetterQuery(place="floor.events:3:1")), key=lambda one: one.at_ms)

    mark_redriven(stored, [Redriven(second, (0, 77, second.at_ms + 1_000))])

    assert (first.value, second.value) == (b'{"source":"acd"}', b'{"source":"new"}')
    found = {one.value: one.redriven_ms for one in find_letters(stored, LetterQuery(place="floor.events:3:1"))}
    assert found == {first.value: None, second.value: second.at_ms + 1_000}


def test_letters_are_counted_by_reason_and_source(stored: Client) -> None:
    """With how many of them were not sent again yet."""
    (first,) = find_letters(stored, LetterQuery(reason="future"))
    mark_redriven(stored, [Redriven(first, (0, 77, first.at_ms))])

    found = {row[:3]: row[3:5] for row in count_letters(stored, LetterQuery())}

    assert found["future", "floor.events", "acd"] == (1, 0)
    assert found["invalid", "floor.events", ""] == (1, 1)
    assert found["rejected_row", "file", "c:x.csv"] == (1, 1)
