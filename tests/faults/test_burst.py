"""F19: ten times as much as usual: the lag comes and goes, and alerts are not held up by it."""

from __future__ import annotations

import statistics

import pytest

from tests.faults.conftest import MakeFloor
from tests.faults.harness.floor import said
from tests.faults.harness.pouring import ALERT_WITHIN_S, pour
from tests.faults.harness.seen import Note
from tests.faults.harness.sendings import Feed, now_ms
from tests.faults.harness.waiting import wait_for
from tests.faults.harness.watching import watched

SEED = 19
AWAY_S = 600

pytestmark = pytest.mark.timeout(1500)


def test_a_burst_of_ten_times_the_usual_rate(make_floor: MakeFloor, soak: bool, note: Note) -> None:
    """Every alert arrives in time during the burst, the rest is through soon after, memory stays."""
    usual, burst_s = (100, 600.0) if soak else (40, 5.0)
    feed = Feed(SEED, now_ms, away_ms=AWAY_S * 1000, is_plain=True)
    with make_floor(clock="wall", away_s=AWAY_S) as floor, watched(floor.settings.kafka_bootstrap) as seen:
        worker = floor.start()
        pour(floor, feed, 2.0, usual, seen)
        floor.drained()
        before_mb = worker.memory_mb()
        pour(floor, feed, burst_s, 10 * usual, seen)
        wait_for(lambda: not seen.missing(), 30, "all alerts")
        back_s, after_mb = floor.drained(), worker.memory_mb()
        latencies = sorted(seen.latencies())
        found, counted = floor.judged(), floor.counted()
    p95_s = latencies[int(0.95 * (len(latencies) - 1))]
    assert p95_s <= ALERT_WITHIN_S
    assert found == [], said(found, SEED)
    note(
        "F19", rate=10 * usual, burst_s=burst_s, alert_median_s=statistics.median(latencies), alert_p95_s=p95_s,
        drained_s=back_s, memory_mb=(before_mb, after_mb), events=counted.events,
    )  # fmt: skip
