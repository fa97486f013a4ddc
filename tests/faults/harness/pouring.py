"""A steady live feed with an alert in it each second."""

from __future__ import annotations

import time

from tests.faults.harness.floor import FaultFloor
from tests.faults.harness.sendings import Feed
from tests.faults.harness.waiting import pause
from tests.faults.harness.watching import Arrivals

ALERT_WITHIN_S = 10.0
"""Rules are judged each 5 s; the rest is the way and a machine with other things to do."""
_PACE_S = 0.25


def pour(floor: FaultFloor, feed: Feed, seconds: float, rate: int, seen: Arrivals) -> None:
    """Send that many events a second for so long; each second one agent more gets a fatal evaluation."""
    began = time.monotonic()
    sent = fatal = 0
    while (passed := time.monotonic() - began) < seconds:
        if passed >= fatal:
            agent = f"f{len(seen.sent):04}"
            seen.expect(f"agent:{agent}")
            floor.send([feed.fatal_item(agent)])
            fatal += 1
        wanted = int(passed * rate) - sent
        floor.send(feed.take(wanted))
        sent += wanted
        pause(_PACE_S)
