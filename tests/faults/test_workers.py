"""F2, F13, F14: several workers that come, go and have a wrong clock, under a live feed (P1 to P3)."""

from __future__ import annotations

import pytest

from tests.faults.conftest import MakeFloor
from tests.faults.harness.floor import FaultFloor, said
from tests.faults.harness.parts import Part
from tests.faults.harness.proxy import Proxy
from tests.faults.harness.seen import Note
from tests.faults.harness.sendings import WATCHED, Feed, future, now_ms
from tests.faults.harness.waiting import pause, wait_for

SEED = 14
AWAY_S = 6
"""More than the 5 s between two judgings: each stay is seen."""
BATCH = 10
SESSION_S = 6.0
"""The shortest that a broker allows: a worker that left for good is missed after it."""
HOPS = 4
"""Partitions of events, and the groups."""
HOUR_MS = 3_600_000

pytestmark = pytest.mark.timeout(900)


def live_feed() -> Feed:
    """A feed of now."""
    return Feed(SEED, now_ms, away_ms=AWAY_S * 1000 + 500)


def flow(floor: FaultFloor, feed: Feed, seconds: float) -> None:
    """Send for a while."""
    for _ in range(max(1, round(seconds / 0.2))):
        floor.send(feed.take(BATCH))
        pause(0.2)


def test_a_rolling_restart_of_three_workers(make_floor: MakeFloor, note: Note) -> None:
    """F2: each is told to stop and started again under its name, one after the other."""
    feed = live_feed()
    with make_floor(clock="wall", away_s=AWAY_S) as floor:
        for name in ("w1", "w2", "w3"):
            floor.start(name)
        flow(floor, feed, 1)
        floor.drained()
        codes = [roll(floor, feed, name) for name in ("w1", "w2", "w3")]
        floor.drained()
        found, counted = floor.judged(), floor.counted()
    assert codes == [0, 0, 0]
    assert found == [], said(found, SEED)
    note("F2", replayed=counted.replayed, alerts=counted.alerts, alert_copies=counted.alert_copies)


def roll(floor: FaultFloor, feed: Feed, name: str) -> int | None:
    """Stop a worker by SIGTERM and start it again; its exit code."""
    flow(floor, feed, 0.4)
    code = floor.workers[name].stop()
    flow(floor, feed, 0.2)
    restored = floor.workers[name].said("partition_restored")
    worker: Part = floor.start_again(name)
    wait_for(lambda: worker.said("partition_restored") > restored, 60, f"{name} is back")
    return code


def test_a_worker_dies_as_an_alert_is_stored(make_floor: MakeFloor, note: Note) -> None:
    """F1: the cases that it had not opened by then are opened in the next life, each once."""
    feed = live_feed()
    watched = [feed.fatal_item(agent) for agent in WATCHED]
    with make_floor(clock="wall", away_s=AWAY_S) as floor:
        floor.start()
        floor.send(watched)
        alerts = "SELECT count() FROM alert_transitions"
        wait_for(lambda: floor.number(alerts) > 0, 60, "an alert is stored", every_s=0.001)
        found, counted = floor.judged(), floor.counted()
        cases = floor.number("SELECT count() FROM record_events FINAL WHERE kind = 'case_opened'")
    assert found == [], said(found, SEED)
    assert counted.alerts == cases == len(WATCHED)
    note("F1", alerts=counted.alerts, alert_copies=counted.alert_copies)


def test_workers_come_and_go_all_the_time(make_floor: MakeFloor, soak: bool, note: Note) -> None:
    """F14: a third worker joins, is killed, joins again: work goes on, no alert has two ids, the group rests."""
    feed = live_feed()
    rounds = 15 if soak else 2
    with make_floor(clock="wall", away_s=AWAY_S) as floor:
        for name in ("w1", "w2"):
            floor.start(name, session_s=SESSION_S)
        flow(floor, feed, 1)
        for number in range(rounds):
            third = f"w{3 + number % 2}"
            floor.start(third, session_s=SESSION_S)
            flow(floor, feed, 20 if soak else 2)
            floor.kill(third)
            del floor.workers[third]
            flow(floor, feed, 1)
        took = floor.drained()
        restored = sum(floor.workers[name].said("partition_restored") for name in ("w1", "w2"))
        found, counted = floor.judged(), floor.counted()
    assert found == [], said(found, SEED)
    assert counted.deaths == rounds
    assert restored <= HOPS * 3 * (rounds + 1)  # two joins a round, and those of the beginning
    note("F14", rounds=rounds, replayed=counted.replayed, alerts=counted.alerts, drained_s=took)


def test_partitions_are_taken_over_while_the_store_is_away(
    make_floor: MakeFloor, proxy: Proxy, soak: bool, note: Note
) -> None:
    """F6: a worker dies meanwhile; the other one waits with its start for longer than a request to Kafka may take."""
    if not soak:
        pytest.skip("a minute: with --soak only; tests/streams/test_transport.py has such a start in seconds")
    feed = live_feed()
    with make_floor(clock="wall", away_s=AWAY_S, proxy=proxy) as floor:
        for name in ("w1", "w2"):
            floor.start(name, session_s=SESSION_S, request_s=SESSION_S)
        flow(floor, feed, 2)
        floor.drained()
        proxy.turn("away")
        floor.kill("w2")
        del floor.workers["w2"]
        away_s = 3 * SESSION_S
        flow(floor, feed, away_s)
        proxy.turn("pass")
        back_s = floor.drained()
        found, counted = floor.judged(), floor.counted()
    assert found == [], said(found, SEED)
    assert counted.deaths == 1
    note("F6", taken_over_away_s=away_s, back_s=back_s, events=counted.events)


def test_clocks_that_are_wrong(make_floor: MakeFloor, note: Note) -> None:
    """F13: senders ahead and behind by an hour, a worker whose own clock jumps by an hour each way."""
    feed = live_feed()
    with make_floor(clock="wall", away_s=AWAY_S) as floor:
        for clock_ms in (HOUR_MS, -HOUR_MS, 0):
            floor.start(clock_ms=clock_ms)
            flow(floor, feed, 1)
            floor.send([future(SEED, now_ms() + HOUR_MS + clock_ms // 7)])
            floor.send([feed.state("n05", "ready", now_ms() - HOUR_MS)])
            pause(1.0)
            floor.drained()
            floor.kill()
        floor.start()
        floor.drained()
        found, counted = floor.judged(), floor.counted()
    assert found == [], said(found, SEED)
    assert counted.letters >= 3
    note("F13", letters=counted.letters, alerts=counted.alerts)
