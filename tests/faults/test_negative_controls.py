"""The harness itself: each planted bug is found, and the same run without it finds nothing."""

from __future__ import annotations

import pytest

from tests.faults.conftest import MakeFloor
from tests.faults.harness.floor import said
from tests.faults.harness.proxy import Proxy
from tests.faults.harness.runs import CONTROLS, Run
from tests.faults.harness.sendings import Feed, Simulated

SEED = 77
AWAY_S = 600
WITHOUT_LOOKUPS = {"commit before write"}
"""The store is away in the run: what must be looked up there would wait."""
HEALTHY_ELSEWHERE = {"start without refolding panes above the checkpoint", "subjects written before panes"}
"""`test_killed_at_every_point` is their run without the bug."""
FOUND_BY = {
    "commit before write": "I1 conservation",
    "start without refolding panes above the checkpoint": "I3 panes",
    "subjects written before panes": "I3 panes",
    "alerts not awaited": "I4 alerts",
    "duplicates judged by the memory only": "I2 nothing invented",
}


@pytest.mark.parametrize(
    ("bug", "is_planted"),
    [(bug, planted) for bug in CONTROLS for planted in (False, True) if planted or bug not in HEALTHY_ELSEWHERE],
)
def test_a_planted_bug_is_found(bug: str, is_planted: bool, make_floor: MakeFloor, proxy: Proxy) -> None:
    """Five mechanisms taken out one by one: a run that never catches anything would be worth nothing."""
    clock = Simulated()
    feed = Feed(SEED, clock, away_ms=AWAY_S * 1000, is_plain=bug in WITHOUT_LOOKUPS)
    with make_floor(away_s=AWAY_S, proxy=proxy) as floor:
        CONTROLS[bug](Run(floor, feed, clock, proxy), bug if is_planted else "")
        found = floor.judged()
    if is_planted:
        assert FOUND_BY[bug] in {violation.check for violation in found}, said(found, SEED)
    else:
        assert found == [], said(found, SEED)
