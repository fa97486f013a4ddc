"""F3, F10, F18: what cannot be taken: poison of every kind, and a bug of our own in the fold (P1, P5)."""

from __future__ import annotations

import json
from contextlib import closing
from random import Random

from floorpulse.wiring import producer
from floorpulse.worker import EXIT_FAILED
from schemas.topics import COMMANDS
from tests.faults.conftest import MakeFloor
from tests.faults.harness.floor import said
from tests.faults.harness.poison import GOOD, POISON
from tests.faults.harness.runs import Run
from tests.faults.harness.seen import Note
from tests.faults.harness.sendings import Feed, Sending, Simulated, future, now_ms
from tests.faults.harness.waiting import wait_for

SEED = 10
AWAY_S = 600
GOOD_EVENTS = 1_000
NO_COMMAND = b'{"kind":"dance"}'
LARGEST_MESSAGE = 1_048_400
"""A broker takes batches of 1,048,588 bytes: with its headers, the dead letter of such a message is larger."""


def test_one_bad_message_never_blocks_the_good(make_floor: MakeFloor, note: Note) -> None:
    """Every kind of poison among a thousand facts, and no command: dead letters byte for byte, each fact counted."""
    clock = Simulated(step_ms=1_000)
    feed = Feed(SEED, clock, away_ms=AWAY_S * 1000, poison=0.0)
    bad = [
        Sending(b"agent:n01", kind.value(number), "poison", reason=kind.reason) for number, kind in enumerate(POISON)
    ]
    bad.append(future(SEED, now_ms() + 3_600_000))
    with make_floor(away_s=AWAY_S) as floor:
        floor.start()
        run = Run(floor, feed, clock)
        mixed = feed.take(GOOD_EVENTS)
        for sending in bad:
            mixed.insert(Random(SEED).randrange(len(mixed)), sending)
        floor.send(mixed)
        with closing(producer(floor.settings)) as sender:
            sender.send(COMMANDS, key=b"agent:n01", value=NO_COMMAND).get(timeout=10)
        run.finish()
        found, counted = floor.judged(), floor.counted()
        commands = floor.number(
            "SELECT count() FROM letters WHERE topic = {topic:String} AND value = {value:String}",
            topic=COMMANDS,
            value=NO_COMMAND.decode(),
        )
    assert found == [], said(found, SEED)
    assert commands == 1
    assert counted.letters >= len(bad)
    note("F10 F18", kinds=len(bad), good=GOOD_EVENTS, letters=counted.letters)


def test_the_largest_message_a_broker_takes_becomes_a_letter(make_floor: MakeFloor) -> None:
    """A message that fills the broker's limit is buried like any other."""
    clock = Simulated()
    feed = Feed(SEED, clock, away_ms=AWAY_S * 1000)
    large = json.dumps(GOOD).encode().ljust(LARGEST_MESSAGE)
    with make_floor(away_s=AWAY_S) as floor:
        worker = floor.start()
        floor.send([Sending(b"agent:n01", large, "poison", reason="oversize")])
        assert floor.ledger.acknowledged(), "the broker did not take it"
        Run(floor, feed, clock).finish()
        found = floor.judged()
    assert floor.deaths == 0, worker.log.read_text()[-2000:]
    assert found == [], said(found, SEED)


def test_a_bug_in_the_fold_stops_the_worker_and_loses_nothing(make_floor: MakeFloor, note: Note) -> None:
    """F3: an exception acknowledges nothing; the worker ends with 70 each time, and the mended one takes everything."""
    clock = Simulated()
    feed = Feed(SEED, clock, away_ms=AWAY_S * 1000)
    with make_floor(away_s=AWAY_S) as floor:
        run = Run(floor, feed, clock)
        run.send()
        floor.start(bug="raises")
        floor.drained()
        floor.send([_stumbling()])
        run.send()
        codes = []
        for _ in range(2):
            codes.append(floor.workers["w1"].ended())
            floor.start(bug="raises")
        wait_for(lambda: not floor.workers["w1"].is_running(), 30, "the third end")
        floor.start()
        run.finish()
        found = floor.judged()
    assert codes == [EXIT_FAILED, EXIT_FAILED]
    assert found == [], said(found, SEED)
    note("F3", ends=3, code=EXIT_FAILED)


def _stumbling() -> Sending:
    from schemas.events import EVENT_ADAPTER, encode

    event = EVENT_ADAPTER.validate_python(GOOD | {"task": "stumble", "at": "2025-03-03T08:05:00Z"}, strict=False)
    return Sending(b"agent:n00", encode(event), "fact", event)
