"""Dead letters of a whole floor: a flood stops the worker, what can be taken is sent again and counts once (P1, P5)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest
from kafka import KafkaProducer

from sources.core.own import own_hash, read_event
from tests.acceptance.conftest import MakeFloor
from tests.acceptance.floors import WholeFloor
from tests.acceptance.test_backup import handled, send

pytestmark = pytest.mark.timeout(600)

Wait = Callable[[Callable[[], object]], None]
FLOOD = 150


@pytest.fixture(scope="module")
def floor(make_floor: MakeFloor) -> WholeFloor:
    """A floor with a hundred contacts."""
    made = make_floor()
    send(made, handled(*range(100)))
    assert made.run("drain").code == 0
    return made


@pytest.fixture
def producer(floor: WholeFloor) -> Iterator[KafkaProducer]:
    """Somebody who writes to Kafka beside the gateway."""
    bootstrap = json.loads((floor.data / "run.json").read_text())["settings"]["kafka_bootstrap"]
    found = KafkaProducer(bootstrap_servers=bootstrap, acks="all")
    yield found
    found.close()


def counts(floor: WholeFloor) -> dict[str, int]:
    """Events that count, dead letters, and contacts handled by the minutes."""
    assert floor.run("drain").code == 0
    sql = (
        "SELECT (SELECT count() FROM events_current) AS events, (SELECT count() FROM dead_letters FINAL) AS letters,"
        " (SELECT sum(handled) FROM agent_minutes FINAL) AS handled"
    )
    (found,) = floor.ask("query", sql)
    return {name: int(value) for name, value in found.items()}


def test_a_letter_that_can_be_taken_is_sent_again_and_counts_once(floor: WholeFloor, producer: KafkaProducer) -> None:
    """As after an upgrade: buried by one version, taken by the next; a second redrive is a duplicate."""
    before = counts(floor)
    event = json.dumps(handled(500)[0]).encode()
    said = {"reason": "invalid", "detail": "of an older version", "topic": "floor.events", "partition": "0"}
    headers = [
        (name, value.encode()) for name, value in (said | {"offset": "1000000000", "key": "agent:a0000"}).items()
    ]
    producer.send("floor.dead-letters", event, headers=headers).get(30)
    assert counts(floor) == before | {"letters": before["letters"] + 1}

    first = floor.run("dead-letters", "redrive", "--reason", "invalid")
    taken = counts(floor)
    again = floor.run("dead-letters", "redrive", "--reason", "invalid", "--again")

    assert (first.err, again.err) == ("sent 1 letter again\n", "sent 1 letter again\n")
    assert taken["events"] == before["events"] + 1
    assert taken["handled"] == before["handled"] + 1
    assert counts(floor) == taken


def test_a_letter_is_the_same_fact_as_what_its_source_sends_again(floor: WholeFloor, producer: KafkaProducer) -> None:
    """A source sends again what was a dead letter at first: once redriven, that is a duplicate and no conflict."""
    (event,) = handled(501)
    before = counts(floor)
    text = json.dumps(event).encode()
    content = own_hash(read_event(text)).encode()
    said = {"reason": b"future", "topic": b"floor.events", "partition": b"0", "offset": b"1000000001"}
    headers = list((said | {"key": b"agent:a0001", "content": content}).items())
    producer.send("floor.dead-letters", text, headers=headers).get(30)
    assert counts(floor)["letters"] == before["letters"] + 1

    assert floor.run("dead-letters", "redrive", "--reason", "future").err == "sent 1 letter again\n"
    send(floor, [event])

    after = {"letters": before["letters"] + 1, "events": before["events"] + 1, "handled": before["handled"] + 1}
    assert counts(floor) == after


def test_a_flood_of_bad_records_stops_the_worker(
    floor: WholeFloor, producer: KafkaProducer, wait_until: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often it is started; what it did not bury is taken once somebody says that it shall be."""
    before, log = counts(floor), floor.data / "logs" / "worker.log"
    for number in range(FLOOD):
        producer.send("floor.events", b"flood %d" % number, key=b"k", partition=0)
    producer.flush()

    wait_until(lambda: floor.part("worker")["restarts"] >= 2)

    assert "as 100 records in a row are dead letters (invalid)" in log.read_text()
    (found,) = floor.ask("query", "SELECT count() AS n FROM dead_letters FINAL")
    assert int(found["n"]) - before["letters"] <= 100
    assert floor.run("down").code == 0

    monkeypatch.setenv("FLOORPULSE_DEAD_LETTERS_IN_A_ROW", "0")
    monkeypatch.setenv("FLOORPULSE_DEAD_LETTERS_PERCENT", "100")
    assert floor.run("up", "--detach").code == 0
    assert counts(floor) == before | {"letters": before["letters"] + FLOOD}
    reconciled = floor.run("reconcile")
    assert reconciled.code == 0, reconciled.out
