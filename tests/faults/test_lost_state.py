"""F12, F20: disorder, and a state that is gone: everything is made again from the log (P2)."""

from __future__ import annotations

from random import Random

from tests.faults.conftest import MakeFloor
from tests.faults.harness.floor import said
from tests.faults.harness.runs import Run
from tests.faults.harness.seen import Note
from tests.faults.harness.sendings import DAWN, OTHERS, Feed, Sending, Simulated

SEED = 12
AWAY_S = 600
STATE = ("subjects", "agent_minutes", "queue_minutes", "windows", "alert_transitions")
FACTS = 500
LATEST_MS = 600_000


def test_lost_state_is_made_again_from_the_log(make_floor: MakeFloor, note: Note) -> None:
    """F20: checkpoints, panes, windows and alert steps are truncated; raw events and the log are there."""
    clock = Simulated()
    feed = Feed(SEED, clock, away_ms=AWAY_S * 1000)
    with make_floor(away_s=AWAY_S) as floor:
        run = Run(floor, feed, clock)
        floor.start()
        floor.send(feed.take(200))
        run.finish()
        floor.kill()
        for table in STATE:
            floor.client.command(f"TRUNCATE TABLE {table}")
        floor.start()
        run.finish()
        found, counted = floor.judged(), floor.counted()
    assert found == [], said(found, SEED)
    note("F20", events=counted.events, alert_copies=counted.alert_copies, alerts=counted.alerts)


def test_disorder_changes_nothing(make_floor: MakeFloor, note: Note) -> None:
    """F12: facts come up to ten minutes out of order, a few of them hours late, and the worker is killed in between."""
    clock = Simulated()
    feed = Feed(SEED, clock, away_ms=AWAY_S * 1000, is_plain=True)
    mixed = disordered(feed.take(FACTS), Random(SEED))
    with make_floor(away_s=AWAY_S) as floor:
        run = Run(floor, feed, clock)
        worker = floor.start(crash_at="after_panes:3")
        for start in range(0, FACTS, 25):
            floor.send(mixed[start : start + 25])
            floor.tick(DAWN)
            if start < FACTS // 2:
                worker.ended(0.3)
        floor.supervise()
        run.finish()
        found, counted = floor.judged(), floor.counted()
    assert found == [], said(found, SEED)
    assert counted.deaths == 1
    note("F12", facts=FACTS, late_ms=LATEST_MS, replayed=counted.replayed)


def disordered(sendings: list[Sending], chance: Random) -> list[Sending]:
    """The facts of the agents that no rule watches are late by some minutes; all others keep their order."""
    at_ms, placed = 0.0, []
    for sending in sendings:
        at_ms = sending.event.at.timestamp() * 1000 if sending.event else at_ms
        is_free = getattr(sending.event, "agent", "") in OTHERS
        placed.append((at_ms + (chance.randint(0, LATEST_MS) if is_free else 0), sending))
    return [sending for _, sending in sorted(placed, key=lambda found: found[0])]
