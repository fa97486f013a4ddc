"""F24: a person is erased while events of them are under way and the worker dies around it; no row comes back (P1)."""

from __future__ import annotations

import pytest

from sinks.reconcile import reconcile
from tests.faults.conftest import MakeFloor
from tests.faults.harness.floor import said
from tests.faults.harness.runs import Run
from tests.faults.harness.seen import Note
from tests.faults.harness.sendings import Feed, Simulated
from tests.faults.harness.waiting import wait_for
from tests.scanning import holding

SEED = 24
AWAY_S = 600
GONE = "w02"
"""A watched agent: rules fire for them, cases are opened; the feed goes on telling of them."""
POINTS = ("before_subjects:1", "after_subjects:1", "after_erasure:1")
"""Around the deletion: nothing that was written counts yet; the checkpoint stands, the rows too; the rows are gone."""
SWEPT_WITHIN_S = 90.0
TOMBSTONE = {"registry": 1}

pytestmark = pytest.mark.timeout(280)


def test_no_row_of_an_erased_person_comes_back(make_floor: MakeFloor, note: Note) -> None:
    """Every column of every table is looked through for the id: only the word that they are erased still has it."""
    clock = Simulated()
    feed = Feed(SEED, clock, away_ms=AWAY_S * 1000)
    with make_floor(away_s=AWAY_S) as floor:
        floor.client.command("SYSTEM START MERGES events")  # a deletion is a kind of merge
        run = Run(floor, feed, clock)
        floor.start()
        floor.send([feed.fatal_item(agent) for agent in (GONE, "f1", "f2", "f3")])
        run.send()
        floor.send([feed.given_to(GONE), feed.state(GONE, "ready")])
        floor.end_minute(clock)
        floor.drained()
        wait_for(lambda: "record_events" in holding(floor.client, GONE), 60, "a case of them")
        before = holding(floor.client, GONE)
        run.send()
        floor.erase(GONE)
        run.send(5)
        floor.kill()
        for point in POINTS:
            run.crash(point, batch=10)
            floor.send([feed.fatal_item(GONE), feed.given_to(GONE)])
        floor.start()
        floor.send(feed.past()[-30:])
        run.finish()
        wait_for(lambda: holding(floor.client, GONE) == TOMBSTONE, SWEPT_WITHIN_S, "only the tombstone is left")
        floor.send([feed.state(GONE, "away"), feed.given_to(GONE)])
        run.finish()
        found = floor.judged()
        left = holding(floor.client, GONE)
        differences = reconcile(floor.client).differences
        refused = floor.number("SELECT count() FROM dead_letters FINAL WHERE reason = 'erased'")
        places = floor.number("SELECT count() FROM erased_events FINAL")
    assert found == [], said(found, SEED)
    assert left == TOMBSTONE
    assert differences == []
    assert before.keys() >= {"events", "agent_minutes", "windows", "subjects", "alert_transitions", "record_events"}
    assert min(refused, places) > 0
    note("F24", deaths=floor.deaths, rows_before=sum(before.values()), rows_after=sum(left.values()), refused=refused)
