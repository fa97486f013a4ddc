"""`floorpulse erase`: what it shows, asks, does and refuses, on a real Kafka and a real store."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest
from kafka import KafkaConsumer, TopicPartition

from floorpulse.erasure import who, without
from floorpulse.offsets import admin_client, end_offsets, last_values
from floorpulse.prepare import prepare
from floorpulse.publish import publish_registry
from floorpulse.revisions import erase_again
from floorpulse.settings import Settings
from floorpulse.wiring import clickhouse_client, producer
from schemas.controls import RegistryChanged
from schemas.errors import InputError
from schemas.events import decode
from schemas.registry import Alias, Floor, Person, Site
from schemas.topics import DELIVERIES, EVENTS, REGISTRY
from sinks.registry import load_registry, store_registry

Run = Callable[..., Any]
NOW = datetime(2026, 3, 2, tzinfo=UTC)
FLOOR = Floor(
    sites=[Site(id="main")],
    people=[Person(id="zoe-0412", name="Zoe", aliases=[Alias(source="acd", id="17")]), Person(id="b2")],
)
PEOPLE = "SELECT DISTINCT id FROM registry WHERE kind = 'people' ORDER BY id"
MESSAGE = {
    "id": "m1", "receiver": "lead", "at": "2026-03-02T08:00:00Z",
    "notices": [{"id": "n1", "subject": "agent:zoe-0412", "text": "long away"}],
}  # fmt: skip


@pytest.fixture
def floor(own_floor: Settings) -> Settings:
    """A floor that no worker has read yet: a person with a window and a message about them."""
    prepare(own_floor)
    publish_registry(own_floor, FLOOR, "tests")
    with closing(clickhouse_client(own_floor)) as client:
        client.insert("windows", [["agent:zoe-0412", "5m"]], column_names=["subject", "window"])
    with closing(producer(own_floor)) as sender:
        mark = json.dumps({"state": "sent", "message": MESSAGE}).encode()
        sender.send(DELIVERIES, key=b"m1", value=mark).get(timeout=30)
    return own_floor


def rows(settings: Settings, sql: str) -> list[Any]:
    """What a query gives."""
    with closing(clickhouse_client(settings)) as client:
        return list(client.query(sql).result_rows)


def newest(settings: Settings, topic: str, count: int) -> list[bytes | None]:
    """The last values of a topic."""
    with admin_client(settings) as admin:
        ends = end_offsets(admin, topic)
    return [value for values in last_values(settings, topic, ends, count).values() for value in values]


def test_a_dry_run_says_what_there_is_and_erases_nothing(run_on_floor: Run, floor: Settings) -> None:
    """Rows by table with what would become of them, and under which ids."""
    ended = run_on_floor("erase", "zoe-0412", "--dry-run", "--format", "json")

    assert ended.code == 0
    found = {(row["where"], row["rows"]) for row in json.loads(ended.out)}
    assert {("windows", "1"), ("floor.deliveries", "1"), ("registry", "1")} <= found
    assert ended.err == "nothing was erased: acd:17, zoe-0412\n"
    assert rows(floor, PEOPLE) == [("b2",), ("zoe-0412",)]


def test_a_person_is_erased_with_a_receipt(run_on_floor: Run, floor: Settings) -> None:
    """Every partition is told, compacted topics lose the person, the receipt counts and names nobody but the id."""
    ended = run_on_floor("erase", "zoe-0412", "--yes", "--format", "json")

    assert ended.code == 0, ended.err
    receipt = json.loads(ended.out)
    registry = load_registry(clickhouse_client(floor))
    assert (receipt["agent"], receipt["revision"], receipt["left"]) == ("zoe-0412", registry.revision, 0)
    assert "Zoe" not in ended.out + ended.err
    assert registry.erased == {"zoe-0412", "acd:17"}
    assert [person.id for person in registry.floor.people] == ["b2"]
    assert rows(floor, "SELECT count() FROM windows") == [(0,)]
    assert rows(floor, "SELECT count() FROM registry WHERE position(body, 'Zoe') > 0") == [(0,)]
    told = [decode(value) for value in newest(floor, EVENTS, 1) if value]
    assert {one.revision for one in told if isinstance(one, RegistryChanged)} == {registry.revision}
    assert newest(floor, DELIVERIES, 1) == [None]
    assert None in newest(floor, REGISTRY, 4)


def test_erased_again_it_looks_for_what_came_back(run_on_floor: Run, floor: Settings) -> None:
    """It says since when, makes no new revision, and deletes what a worker thought dead wrote since."""
    run_on_floor("erase", "zoe-0412", "--yes")
    revision = load_registry(clickhouse_client(floor)).revision
    with closing(clickhouse_client(floor)) as client:
        client.insert("windows", [["agent:acd:17", "5m"]], column_names=["subject", "window"])

    ended = run_on_floor("erase", "zoe-0412", "--format", "csv")

    assert ended.code == 0
    assert "zoe-0412 was erased on" in ended.err
    assert "windows,1,deleted" in ended.out
    assert rows(floor, "SELECT count() FROM windows") == [(0,)]
    assert load_registry(clickhouse_client(floor)).revision == revision


def test_an_erasure_that_broke_off_is_ended_by_the_next(run_on_floor: Run, floor: Settings) -> None:
    """Where the revision is stored and Kafka has not heard, the same again has the topic forget the person too."""
    with closing(clickhouse_client(floor)) as client:
        known = load_registry(client)
        gone = who(client, known, "zoe-0412", NOW)
        store_registry(client, without(known.floor, gone), "tests", NOW)

    ended = run_on_floor("erase", "zoe-0412")

    kept: dict[str, bytes | None] = {}
    with closing(KafkaConsumer(bootstrap_servers=floor.bootstrap(), auto_offset_reset="earliest")) as consumer:
        place = TopicPartition(REGISTRY, 0)
        consumer.assign([place])
        end = consumer.end_offsets([place])[place]
        while consumer.position(place) < end:
            for records in consumer.poll(timeout_ms=1_000).values():
                kept |= {record.key.decode(): record.value for record in records}
    assert ended.code == 0, ended.err
    assert "Zoe" not in str([value for value in kept.values() if value])
    assert kept["people:zoe-0412"] is None


def test_without_a_yes_nothing_happens(run_on_floor: Run, floor: Settings) -> None:
    """The question names the ids; no answer is no."""
    ended = run_on_floor("erase", "zoe-0412")

    assert ended.code == 1
    assert "Erase acd:17, zoe-0412, for ever?" in ended.err
    assert rows(floor, PEOPLE) == [("b2",), ("zoe-0412",)]


def test_an_unknown_agent_is_refused_in_one_line(run_on_floor: Run, floor: Settings) -> None:
    """Neither the roster nor any event knows the id: exit code 2."""
    ended = run_on_floor("erase", "zoe-9", "--yes")

    assert (ended.code, ended.out) == (2, "")
    assert ended.err == "zoe-9: no such agent: neither the roster nor any event knows this work id\n"


def test_a_roster_that_still_holds_them_is_refused(run_on_floor: Run, floor: Settings, tmp_path: Any) -> None:
    """File, line and field; who was erased stays so whatever the file says, and no file says it itself."""
    run_on_floor("erase", "zoe-0412", "--yes")
    file = tmp_path / "floor.yaml"
    refusal = "was erased, and this work id is refused for ever: who comes back gets a new one"

    file.write_text("people:\n- {id: b2}\n- {id: zoe-0412}\n")
    held = run_on_floor("registry", "apply", str(file))
    file.write_text("teams:\n- {id: t1}\n- id: t2\n  lead: zoe-0412\n")
    led = run_on_floor("registry", "apply", str(file), "--allow-shrink")
    file.write_text("people:\n- {id: b2}\nerased:\n- {id: b2, at: 2026-03-02T08:00:00Z}\n")
    written = run_on_floor("registry", "apply", str(file))
    file.write_text("people:\n- {id: b2}\n- {id: c3}\n")
    fine = run_on_floor("registry", "apply", str(file))

    assert (held.code, held.err) == (2, f"{file}:3: people[1].id: 'zoe-0412' {refusal}\n")
    assert (led.code, led.err) == (2, f"{file}:4: teams[1].lead: 'zoe-0412' {refusal}\n")
    assert (written.code, written.err) == (2, f"{file}:3: erased: unknown key: only `floorpulse erase` writes it\n")
    assert (fine.code, fine.out) == (0, "+ people c3\n")
    assert load_registry(clickhouse_client(floor)).erased == {"zoe-0412", "acd:17"}
    with pytest.raises(InputError, match="zoe-0412: was erased"):
        publish_registry(floor, FLOOR, "tests")


def test_what_a_backup_brings_back_is_deleted_again(run_on_floor: Run, floor: Settings) -> None:
    """A restore knows from the registry who was erased since; workers are told anew, as the log may hold it no more."""
    run_on_floor("erase", "zoe-0412", "--yes")
    old = {"registry": 2, "base": 0}
    with closing(clickhouse_client(floor)) as client:
        client.insert("windows", [["agent:zoe-0412", "5m"]], column_names=["subject", "window"])
        mark = ["floor.events:0", 1, "partition", 0, json.dumps(old), 1]
        client.insert("subjects", [mark], column_names=["subject", "hop", "kind", "partition", "body", "version"])
        with admin_client(floor) as admin:
            before = end_offsets(admin, EVENTS)

            notes = erase_again(floor, client)

            after = end_offsets(admin, EVENTS)
    assert notes == ["1 rows of the backup are of people who were erased since: they are deleted again"]
    assert rows(floor, "SELECT count() FROM windows") == [(0,)]
    assert after == {partition: offset + 1 for partition, offset in before.items()}
