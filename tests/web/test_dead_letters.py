"""The pages on dead letters, over a real store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from starlette.testclient import TestClient

from floorpulse.access import subject_of
from floorpulse.settings import Settings
from floorpulse.web.app import create_web
from floorpulse.wiring import clickhouse_client
from schemas.registry import Alias, Floor, Person, Registry, Site
from schemas.times import from_ms
from sinks.letters import StoredLetter

Wait = Callable[[Callable[[], object]], None]
COLUMNS = ["topic", "partition", "offset", "origin", "reason", "detail", "key", "value", "at"]
READY = b'{"type":"state_changed","source":"acd","id":"s1","at":"2026-03-02T08:00:00Z","agent":"a1","state":"ready"}'


@pytest.fixture
def web(web_settings: Settings, stored_floor: Any, ledger: Any, wait_until: Wait) -> Iterator[TestClient]:
    """The web of a floor with a letter of an agent, one of a file with mark-up, and one of bytes that are no text."""
    now = from_ms(stored_floor.now_ms)
    rows: list[list[Any]] = [
        ["floor.events", 1, 7, "", "invalid", "state: expected x", "agent:a1", READY, now],
        ["file", -1, 9, "calls.csv:12", "rejected_row", "talk: expected <b>", "", b"<script>alert(1)</script>", now],
        ["floor.events", 2, 8, "", "invalid", "", "", b"\xff\x00", now],
    ]
    stored_floor.client.insert("dead_letters", rows, column_names=COLUMNS)
    with TestClient(create_web(web_settings, partial(clickhouse_client, web_settings), ledger)) as client:
        wait_until(lambda: client.get("/readyz").status_code == 200)
        yield client


def test_letters_are_counted_and_listed(web: TestClient) -> None:
    """By reason and source, with what each reason means; the page is reached from that on the data."""
    page = web.get("/dead-letters").text

    assert page.count('data-reason="invalid"') == 2
    assert "A reader could not make an event of a row of a file" in page
    assert 'href="/dead-letters/floor.events%3A1%3A7"' in page
    assert 'href="/dead-letters"' in web.get("/data-quality").text


def test_a_filter_shows_the_letters_of_one_source(web: TestClient) -> None:
    """The counts stay whole."""
    page = web.get("/dead-letters?reason=rejected_row&source=calls.csv").text

    assert ("file:9" in page, "floor.events:1:7" in page, 'data-reason="invalid"' in page) == (True, False, True)


def test_a_letter_says_how_it_is_sent_again(web: TestClient, stored_floor: Any) -> None:
    """Or why it cannot be; a look at one of an agent is logged."""
    web.cookies.set("viewer", "lead-7")

    ready, row = web.get("/dead-letters/floor.events:1:7").text, web.get("/dead-letters/file:9").text

    assert "floorpulse dead-letters redrive floor.events:1:7" in ready
    assert "It cannot be sent again: rows of files and requests are no messages" in row
    rows = stored_floor.client.query("SELECT viewer, subject, page, detail FROM access_log").result_rows
    assert rows == [("lead-7", "agent:a1", "dead_letter", "floor.events:1:7")]


@pytest.mark.parametrize(
    ("key", "value", "subject"),
    [
        ("agent:a1", b"no event", "agent:a1"),
        ("file:gateway", READY, "agent:a1"),
        ("file:gateway", READY.replace(b'"a1"', b'"4711"'), "agent:a2"),
        ("file:gateway", READY.replace(b'"a1"', b'"4712"'), "agent:acd:4712"),
        ("", READY.replace(b"a1", b""), ""),
        ("", b'["agent"]', ""),
        ("", b"\xff{", ""),
        ("", b"[" * 100_000, ""),
    ],
)
def test_a_letter_tells_of_who_is_named_in_it(key: str, value: bytes, subject: str) -> None:
    """What the gateway refused has no key of a person, and yet holds an event of one, under a vendor's id maybe."""
    people = [Person(id="a1"), Person(id="a2", aliases=[Alias(source="acd", id="4711")])]
    registry = Registry(Floor(sites=[Site(id="main")], people=people))
    letter = StoredLetter("file:0", "file", -1, 0, "invalid", "acd", "", "gateway:1", key, value, 0, 0, 0, 0, None)

    assert subject_of(letter, registry) == subject


def test_a_look_at_what_the_gateway_refused_is_logged(web: TestClient, stored_floor: Any) -> None:
    """It is a look at an event of that person like any other."""
    row = ["file", -1, 10, "gateway:1", "invalid", "", "file:gateway", READY, from_ms(stored_floor.now_ms)]
    stored_floor.client.insert("dead_letters", [row], column_names=COLUMNS)

    assert web.get("/dead-letters/file:10").status_code == 200

    rows = stored_floor.client.query("SELECT subject, detail FROM access_log").result_rows
    assert rows == [("agent:acd:a1", "file:10")]


def test_what_came_from_outside_is_shown_and_not_run(web: TestClient) -> None:
    """Mark-up stays text; what is no text is shown as hex."""
    page = web.get("/dead-letters/file:9").text

    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "ff 00" in web.get("/dead-letters/floor.events:2:8").text


def test_an_unknown_letter_is_no_page(web: TestClient) -> None:
    """404 with its name."""
    answer = web.get("/dead-letters/floor.events:9:9")

    assert answer.status_code == 404
    assert "There is no dead letter &#39;floor.events:9:9&#39;" in answer.text


def test_without_letters_the_page_says_so(
    web_settings: Settings, stored_floor: Any, ledger: Any, wait_until: Wait
) -> None:
    """Nothing to do is said, not left blank."""
    with TestClient(create_web(web_settings, partial(clickhouse_client, web_settings), ledger)) as client:
        wait_until(lambda: client.get("/readyz").status_code == 200)

        assert "No dead letters" in client.get("/dead-letters").text
