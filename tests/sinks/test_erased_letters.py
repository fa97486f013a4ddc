"""Dead letters of people who were erased, and of a topic before: what is kept, and what counts against a source."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from clickhouse_connect.driver.client import Client

from floorpulse.erasure import without
from schemas.erasure import STRIPPED
from sinks.registry import store_registry
from sinks.storage import ClickHouseStorage
from tests.sinks.test_erasure import AT, FLOOR, GONE
from tests.streams.floors import DAWN


def letter(offset: int, reason: str, value: bytes) -> tuple[Any, ...]:
    """A row as the worker has it from `floor.dead-letters`."""
    return ("floor.events", 0, offset, "", reason, "some detail", "", value, 0, 255, 0, DAWN)


def test_a_letter_that_comes_late_is_stored_without_its_bytes(client: Client) -> None:
    """It may stand in its topic from before: whoever stores it asks who is erased by now."""
    store_registry(client, without(FLOOR, GONE), "tests", AT)

    ClickHouseStorage(lambda: client).write_letters(
        [letter(1, "invalid", b"?zoe-0412?"), letter(2, "future", b'{"agent":"zoe-0412"}'), letter(3, "invalid", b"?")]
    )

    rows = client.query("SELECT offset, reason, detail, value, content FROM dead_letters ORDER BY offset").result_rows
    assert rows == [
        (1, "invalid", STRIPPED, "", 0),
        (2, "future", STRIPPED, "", 0),
        (3, "invalid", "some detail", "?", 255),
    ]


def test_letters_of_erased_people_stop_no_worker(client: Client) -> None:
    """A source that still sends them is not bad: they do not count towards the limit, after a restart neither."""
    storage = ClickHouseStorage(lambda: client)
    storage.write_letters([letter(1, "invalid", b"?"), letter(2, "erased", b"")])

    assert storage.letters_between("floor.events", 0, 0, 10) == 1


def test_letters_of_the_topic_before_stop_no_worker(client: Client) -> None:
    """A topic that was made anew begins at 0: what was bad in the one before says nothing of its source now."""
    storage = ClickHouseStorage(lambda: client)
    dawn = datetime.fromtimestamp(DAWN / 1000, UTC)
    topics = [["floor.events", 1, dawn - timedelta(days=9)], ["floor.events", 2, dawn - timedelta(seconds=1)]]
    client.insert("topics", topics, column_names=["topic", "epoch", "seen_at"])
    before = [(*letter(offset, "invalid", b"?")[:-1], DAWN - 60_000) for offset in (1, 2, 3)]

    storage.write_letters([*before, letter(4, "invalid", b"?")])

    assert storage.letters_between("floor.events", 0, -1, 10) == 1
