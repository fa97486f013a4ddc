"""F1: the worker is killed at every point between two steps, and nothing is lost, doubled or told twice (P1 to P3)."""

from __future__ import annotations

from random import Random

import pytest

from tests.faults.conftest import MakeFloor
from tests.faults.harness.floor import said
from tests.faults.harness.runs import Run
from tests.faults.harness.seen import Note
from tests.faults.harness.sendings import Feed, Simulated

POINTS = (
    "after_poll",
    "after_fold",
    "after_outbox",
    "after_acks",
    "after_events",
    "after_panes",
    "before_subjects",
    "after_subjects",
    "after_commit",
    "after_ledger",
    "after_letters",
)
BATCH = 15
PASSES = (2, 3)
"""The first flush of a life has little in it."""
SELDOM = {"after_ledger"}
"""Not every flush has an alert that opens a case, and in time all agents have theirs: here the first one counts."""
AWAY_S = 600

pytestmark = pytest.mark.timeout(280)


def test_killed_at_every_point(make_floor: MakeFloor, seed: int, note: Note) -> None:
    """One floor, one worker, one death at each point in an order of the seed; then every promise is checked."""
    chance = Random(seed)
    clock = Simulated()
    feed = Feed(seed, clock, away_ms=AWAY_S * 1000)
    points = chance.sample(POINTS, len(POINTS))
    with make_floor(away_s=AWAY_S) as floor:
        run = Run(floor, feed, clock)
        for point in points:
            passes = 1 if point in SELDOM else chance.randint(*PASSES)
            run.crash(f"{point}:{passes}", batch=BATCH, opens=point in SELDOM)
        floor.start()
        alive_s = run.finish()
        counted = floor.counted()
        found = floor.judged()
    assert found == [], said(found, seed, points)
    assert counted.deaths == len(POINTS)
    assert min(counted.replayed, counted.duplicates, counted.letters, counted.alerts) > 0, counted
    note(
        "F1", deaths=counted.deaths, replayed=counted.replayed, duplicates=counted.duplicates, letters=counted.letters,
        alerts=counted.alerts, events=counted.events, alive_s=alive_s,
    )  # fmt: skip
