"""`floorpulse dead-letters`: listing, showing, and sending again what can be taken by now (P1)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from kafka import KafkaConsumer, TopicPartition

from floorpulse.cli.dead_letters import read_moment
from floorpulse.clock import now_ms, utc_now
from floorpulse.prepare import prepare
from floorpulse.redrive import refusal
from floorpulse.settings import Settings
from floorpulse.wiring import clickhouse_client
from schemas.errors import InputError
from schemas.times import HOUR_MS, from_ms
from schemas.topics import EVENTS
from sinks.letters import StoredLetter
from tests.cli.conftest import Ended, Run, point_at
from tests.conftest import Schemas

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
EVENT = b'{"type":"contact_offered","source":"acd","id":"c1","at":"2026-03-02T08:00:00Z","contact":"c1","queue":"q"}'
COLUMNS = ["topic", "partition", "offset", "origin", "reason", "detail", "key", "value", "ingest", "content", "at"]
Bury = Callable[..., None]


@pytest.fixture(scope="module")
def prepared(schemas: Schemas, kafka_bootstrap: str) -> Iterator[Settings]:
    """A floor that is prepared: nothing here changes more of it than the letters and what was sent again."""
    with schemas.lent() as settings:
        floor = settings.model_copy(update={"kafka_bootstrap": kafka_bootstrap})
        prepare(floor)
        yield floor


@pytest.fixture
def run_there(run: Run, prepared: Settings, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs commands on that floor."""
    point_at(prepared, monkeypatch)
    return run


@pytest.fixture
def bury(prepared: Settings) -> Iterator[Bury]:
    """Stores a dead letter of that floor, which has none before and after."""
    client = clickhouse_client(prepared)

    def put(offset: int, value: bytes = EVENT, **change: Any) -> None:
        row = {"topic": EVENTS, "partition": 1, "offset": offset, "origin": "", "reason": "invalid", "detail": "x"}
        row |= {"key": "queue:q", "value": value, "ingest": 7, "content": 255, "at": utc_now() - timedelta(hours=1)}
        client.insert("dead_letters", [list((row | change).values())], column_names=COLUMNS)

    yield put
    for table in ("dead_letters", "redrives"):
        client.command(f"TRUNCATE TABLE {table} SYNC")
    client.close()


def sent(settings: Settings) -> list[tuple[Any, ...]]:
    """(offset it came from, partition, offset) of what was sent again."""
    sql = "SELECT offset, sent_partition, sent_offset FROM redrives FINAL ORDER BY offset, sent_offset"
    return [tuple(row) for row in clickhouse_client(settings).query(sql).result_rows]


def record_at(settings: Settings, partition: int, offset: int) -> Any:
    consumer = KafkaConsumer(bootstrap_servers=settings.bootstrap())
    place = TopicPartition(EVENTS, partition)
    consumer.assign([place])
    consumer.seek(place, offset)
    found = consumer.poll(timeout_ms=10_000, max_records=1)[place][0]
    consumer.close()
    return found


def test_a_letter_is_sent_again_as_it_was(bury: Bury, run_there: Run, prepared: Settings) -> None:
    """Its bytes, its key, its ingest, the hash that tells a duplicate; a header names where it comes from."""
    bury(41)

    ended = run_there("dead-letters", "redrive")

    assert (ended.code, ended.err.splitlines()[-1]) == (0, "sent 1 letter again")
    ((_, partition, offset),) = sent(prepared)
    record = record_at(prepared, partition, offset)
    assert (record.value, record.key) == (EVENT, b"queue:q")
    assert dict(record.headers) == {
        "redriven-from": b"floor.events:1:41",
        "ingest": b"7",
        "content": b"00000000000000ff",
    }


def test_it_is_sent_once_unless_asked_again(bury: Bury, run_there: Run, prepared: Settings) -> None:
    """The second run finds nothing; --again sends it once more, and each time is on record."""
    bury(41)

    said = [run_there("dead-letters", "redrive", *more).err.splitlines()[-1] for more in ([], [], ["--again"])]

    assert said == ["sent 1 letter again", "sent 0 letters again", "sent 1 letter again"]
    assert [row[0] for row in sent(prepared)] == [41, 41]


def test_a_letter_without_key_goes_to_its_partition(bury: Bury, run_there: Run, prepared: Settings) -> None:
    """Where Kafka has nothing to choose by."""
    bury(5, key="", partition=2)

    run_there("dead-letters", "redrive", "floor.events:2:5")

    ((_, partition, offset),) = sent(prepared)
    assert (partition, record_at(prepared, partition, offset).key) == (2, None)


def test_a_dry_run_sends_nothing(bury: Bury, run_there: Run, prepared: Settings) -> None:
    """It says how many it would send, and why others are left out, in one line for each reason."""
    bury(1)
    bury(2, b"{", reason="invalid")
    bury(3, b"a;b", topic="file", partition=-1, origin="calls.csv:12", reason="rejected_row")
    bury(4, b"c;d", topic="file", partition=-1, origin="calls.csv:13", reason="rejected_row")

    said = run_there("dead-letters", "redrive", "--dry-run").err.splitlines()

    assert said[-3] == "would send 1 letter again"
    assert said[-2].startswith("left out 2: rows of files and requests are no messages: mend them")
    assert said[-1].startswith("left out 1: still invalid: ")
    assert sent(prepared) == []


def test_filters_choose_what_is_sent(bury: Bury, run_there: Run, prepared: Settings) -> None:
    """By reason, source and time."""
    bury(1, reason="future")
    bury(2, EVENT.replace(b'"acd"', b'"crm"'))
    bury(3, at=utc_now() - timedelta(days=3))
    bury(4)

    run_there("dead-letters", "redrive", "--reason", "invalid", "--source", "acd", "--since", "2h")

    assert [row[0] for row in sent(prepared)] == [4]


def test_letters_are_listed_and_counted(bury: Bury, run_there: Run) -> None:
    """Newest first on stdout, counts by reason and source on stderr."""
    bury(1, at=NOON)
    bury(2, at=NOON + timedelta(minutes=1), reason="future")

    ended = run_there("dead-letters", "list", "--format", "json")

    assert [row["place"] for row in json.loads(ended.out)] == ["floor.events:1:2", "floor.events:1:1"]
    counted = "1 future of floor.events acd, 1 not sent again, the newest of 2026-03-02T12:01:00.000Z"
    assert counted in ended.err.splitlines()


def test_a_letter_is_shown_whole(bury: Bury, run_there: Run) -> None:
    """With its bytes, as text or as hex, and whether it can be sent again."""
    bury(1)
    bury(2, b"\xff\x00")

    shown = [json.loads(_show(run_there, offset).out)[0] for offset in (1, 2)]

    assert shown[0]["text"] == EVENT.decode()
    assert shown[0]["redrive"] == "it can be sent again"
    assert shown[1]["hex"] == "ff00"
    assert shown[1]["redrive"].startswith("still invalid: ")


def test_a_look_at_a_letter_of_an_agent_is_noted(bury: Bury, run_there: Run, prepared: Settings) -> None:
    """Not at one of a queue."""
    bury(1)
    bury(2, key="agent:a1")

    codes = [run_there("dead-letters", "show", f"{EVENTS}:1:{offset}", "--as", "l01").code for offset in (1, 2)]

    assert codes == [0, 0]
    with closing(clickhouse_client(prepared)) as client:
        looks = client.query("SELECT viewer, subject, page, detail FROM access_log WHERE viewer = 'l01'").result_rows
    assert looks == [("l01", "agent:a1", "dead_letter", f"{EVENTS}:1:2")]


def _show(run: Run, offset: int) -> Ended:
    return run("dead-letters", "show", f"floor.events:1:{offset}", "--format", "json")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("show", "floor.events:9:9"), "floor.events:9:9: no such dead letter: expected a place such as"),
        (("redrive", "floor.events:9:9"), "floor.events:9:9: no such dead letter that was not sent again yet"),
        (("list", "--reason", "bad"), "--reason bad: expected one of conflict, erased, future, invalid"),
        (("list", "--since", "yesterday"), "--since yesterday: expected an instant such as"),
    ],
)
@pytest.mark.usefixtures("bury")
def test_what_cannot_be_asked_is_one_line(run_there: Run, args: tuple[str, ...], said: str) -> None:
    """Exit code 2."""
    ended = run_there("dead-letters", *args)

    assert ended.code == 2
    assert ended.err.splitlines()[-1].startswith(said)


def test_moments_are_instants_or_ages() -> None:
    """An instant without an offset is of the site's zone."""
    now = 1_772_452_800_000

    assert read_moment("--since", "2h", ZoneInfo("UTC"), now) == now - 2 * HOUR_MS
    assert from_ms(read_moment("--since", "2026-03-01T09:30", ZoneInfo("Asia/Manila"), now)).hour == 1
    with pytest.raises(InputError, match="expected an instant"):
        read_moment("--until", "2x", ZoneInfo("UTC"), now)
    for text in ("0001-01-01", "9999-12-31T23:59-10:00"):
        with pytest.raises(InputError, match="expected an instant from 1970 to 2105"):
            read_moment("--since", text, ZoneInfo("UTC"), now)
    assert read_moment("--since", "99999d", ZoneInfo("UTC"), now) == 0


def letter(value: bytes = EVENT, **change: Any) -> StoredLetter:
    row: dict[str, Any] = {"place": "", "topic": EVENTS, "partition": 1, "offset": 4, "reason": "invalid"}
    row |= {"source": "", "detail": "", "origin": "", "key": "", "value": value, "ingest": 0, "at_ms": 0}
    return StoredLetter(**(row | {"content": 0, "made_anew": 0, "redriven_ms": None} | change))


@pytest.mark.parametrize(
    ("found", "refused"),
    [
        (letter(), ""),
        (letter(reason="oversize"), ""),
        (letter(reason="conflict"), "the same revision came before"),
        (letter(reason="too_late"), "older than the raw events"),
        (letter(topic="floor.contributions"), "only letters of floor.events"),
        (letter(b"x" * 40_000, reason="oversize"), "still oversize"),
        (letter(b'{"type":"ticked","at":"2026-03-02T08:00:00Z"}'), "a control record"),
        (letter(EVENT.replace(b"2026-03-02", b"2999-03-02"), reason="future"), "still in the future"),
    ],
)
def test_what_would_die_again_is_not_sent(found: StoredLetter, refused: str) -> None:
    """A redrive never fills the dead letters, and so never trips their limit."""
    said = refusal(found, now_ms())

    assert said.startswith(refused)
    assert bool(said) == bool(refused)
