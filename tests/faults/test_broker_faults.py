"""F4, F5: the broker is killed and comes back: nobody was told yes for what is not in the log (P1)."""

from __future__ import annotations

import time
from collections import deque

import pytest

from floorpulse.embedded.parts import answers_http
from tests.faults.conftest import MakeFloor
from tests.faults.harness.floor import said
from tests.faults.harness.ledger import Ledger
from tests.faults.harness.parts import start_gateway
from tests.faults.harness.seen import Note
from tests.faults.harness.sendings import Feed, Sending, now_ms
from tests.faults.harness.servers import Broker
from tests.faults.harness.waiting import pause, wait_for

SEED = 4
AWAY_S = 6
"""More than the 5 s between two judgings: each stay is seen."""
BATCH = 10
SHORT_S, LONG_S = 3.0, 300.0

pytestmark = pytest.mark.timeout(900)


def test_the_broker_is_killed_and_comes_back(make_floor: MakeFloor, broker: Broker, soak: bool, note: Note) -> None:
    """202 only for what the broker has; 503 while it is away; what was refused is sent again and counts once."""
    away_s = LONG_S if soak else SHORT_S
    with make_floor(clock="wall", away_s=AWAY_S) as floor:
        floor.start()
        sender = Sender(floor.ledger, floor.settings.gateway_port)
        gateway = start_gateway(floor.settings, floor.folder / "gateway.log")
        try:
            wait_for(lambda: answers_http(sender.port, "/readyz"), 30, "the gateway is ready")
            for _ in range(5):
                sender.post_next()
            broker.kill()
            gone = time.monotonic()
            while time.monotonic() - gone < away_s:
                sender.post_next()
                pause(0.2)
            broker.start()
            wait_for(sender.is_through, 120, "all accepted")
            floor.drained()
        finally:
            gateway.stop()
        found = floor.judged()
    statuses = sender.statuses
    assert {202, 503} == set(statuses), statuses
    assert found == [], said(found, SEED)
    note("F4 F5", away_s=away_s, accepted=statuses.count(202), refused=statuses.count(503))


class Sender:
    """Keeps its order: what was refused is sent again before anything else."""

    def __init__(self, ledger: Ledger, port: int) -> None:
        """Nothing waits."""
        self.port = port
        self.statuses: list[int] = []
        self._ledger = ledger
        self._waiting: deque[list[Sending]] = deque()
        self._feed = Feed(SEED, now_ms, away_ms=AWAY_S * 1000 + 500, poison=0.0, is_plain=True)

    def post_next(self) -> None:
        """Make a batch, and send the oldest that waits."""
        self._waiting.append(self._feed.take(BATCH))
        self._post()

    def is_through(self) -> bool:
        """Send the oldest that waits; True when none is left."""
        if self._waiting:
            self._post()
        return not self._waiting

    def _post(self) -> None:
        self.statuses.append(self._ledger.post(self.port, self._waiting[0]))
        if self.statuses[-1] == 202:
            self._waiting.popleft()
