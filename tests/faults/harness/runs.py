"""Runs that a healthy floor survives and that a planted bug does not: each with and without the bug."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from floorpulse.crashing import EXIT_KILLED
from floorpulse.offsets import admin_client, committed_offsets, end_offsets
from schemas.topics import EVENTS, WORKER_GROUP
from tests.faults.harness.floor import FaultFloor
from tests.faults.harness.proxy import Proxy
from tests.faults.harness.sendings import WATCHED, Feed, Simulated
from tests.faults.harness.waiting import TimeIsUp, wait_for

BATCH = 40
MOST_CRASHES = 6
ALIVE_WITHIN_S = 5.0
MOST_BATCHES = 60
ABOVE = (
    "SELECT countIf(found.version > mark.version) FROM agent_minutes AS found JOIN (SELECT partition, version"
    " FROM subjects FINAL WHERE kind = 'partition' AND hop = 1) AS mark ON mark.partition = found.partition"
)
"""Panes that a flush wrote before it broke off."""
AHEAD = (
    "SELECT (SELECT sum(rows) FROM subjects FINAL WHERE kind = 'partition' AND hop = 1)"
    " > (SELECT uniqExact(partition, offset) FROM events)"
)
"""Checkpoints that stand for more than is there."""


@dataclass(frozen=True, slots=True)
class Run:
    """What a run works with."""

    floor: FaultFloor
    feed: Feed
    clock: Simulated
    proxy: Proxy | None = None
    """What stands between the floor and its store, where the run needs it."""

    def send(self, count: int = BATCH) -> None:
        """Send the next messages, and say that time goes on."""
        self.floor.send(self.feed.take(count))
        self.floor.tick(self.clock())

    def finish(self) -> float:
        """
        Send a last few and wait until everything is through; twice, as partitions ask each other back.

        In between the floor must be alive (I6); returns after how many seconds a fresh event and its alert were stored.
        """
        self.send(BATCH // 2)
        self.floor.end_minute(self.clock)
        self.floor.drained()
        alive_s = self._probe()
        self.floor.end_minute(self.clock)
        self.floor.drained()
        return alive_s

    def _probe(self) -> float:
        agent = f"probe-{len(self.floor.ledger.entries)}"
        self.floor.send([self.feed.fatal_item(agent)])
        self.floor.end_minute(self.clock)
        told = (
            "SELECT count() FROM alert_transitions AS t WHERE t.subject = {agent:String}"
            " AND t.subject IN (SELECT subject FROM events)"
        )
        return wait_for(
            lambda: self.floor.number(told, agent=f"agent:{agent}") > 0, ALIVE_WITHIN_S, "a fresh event and its alert"
        )

    def crash(self, point: str, bug: str = "", batch: int = BATCH // 2, *, opens: bool = False) -> None:
        """
        Start a worker that dies at a point, and send until it is dead.

        `opens`: each batch has an event that opens a case.
        """
        worker = self.floor.start(bug=bug, crash_at=point)
        for number in range(MOST_BATCHES):
            if opens:
                self.floor.send([self.feed.fatal_item(f"{point}-{number}")])
            self.send(batch)
            if worker.ended(0.6) is not None:
                break
        assert worker.ended(10) == EXIT_KILLED, f"{point} was not reached"
        self.floor.deaths += 1


def store_away_when_killed(run: Run, bug: str) -> None:
    """The worker folds while the store is away, and is killed before anything of it was written."""
    floor, proxy = run.floor, run.proxy
    assert proxy is not None
    floor.start(bug=bug)
    run.send()
    floor.drained()
    proxy.turn("away")
    before, folded = ends(floor), floor.metric("floorpulse_records_total")
    run.send()
    wait_for(lambda: floor.metric("floorpulse_records_total") >= folded + BATCH, 30, "folded")
    if bug:
        wait_for(lambda: committed(floor) > before, 30, "committed before it is written")
    floor.kill()
    proxy.turn("pass")
    floor.start(bug=bug)
    run.finish()


def killed_between_panes_and_checkpoint(run: Run, bug: str) -> None:
    """What a flush has written stands above the checkpoint at the next start."""
    _crash_until(run, bug, "before_subjects", ABOVE)
    run.floor.start(bug=bug)
    run.finish()


def killed_after_the_first_write(run: Run, bug: str) -> None:
    """The checkpoint was written first, and what it stands for is missing."""
    _crash_until(run, bug, "after_subjects_first", AHEAD)
    run.floor.start(bug=bug)
    run.finish()


def _crash_until(run: Run, bug: str, point: str, left: str) -> None:
    """Die at a point, again if need be, until the flush that broke off had something in it, as the query counts."""
    run.floor.start(bug=bug)
    run.send()
    run.floor.drained()
    run.floor.kill()
    for number in range(1, MOST_CRASHES):
        run.crash(f"{point}:{number}", bug)
        if run.floor.number(left) > 0:
            return
    raise TimeIsUp(f"no flush that broke off at {point} left anything")


def killed_when_an_alert_is_stored(run: Run, bug: str) -> None:
    """The broker has alerts late; the worker dies as soon as the alert stands in the store, and its checkpoint too."""
    floor = run.floor
    run.send()
    floor.send([run.feed.fatal_item(agent) for agent in WATCHED])
    floor.end_minute(run.clock)
    floor.start(bug=bug, alerts_late_s=15.0 if bug else 1.0)
    stored = (
        "SELECT count() FROM alert_transitions AS told INNER JOIN subjects AS held ON held.subject = told.subject"
        " WHERE told.rule = 'fatal-item' AND held.version >= told.version"
    )
    wait_for(lambda: floor.number(stored) > 0, 40, "an alert is stored")
    floor.kill()
    floor.start(bug=bug)
    run.finish()


def everything_sent_again(run: Run, bug: str) -> None:
    """After a kill the whole input comes again; the memory holds a few of the ids only."""
    floor = run.floor
    floor.start(bug=bug, remembered=30)
    run.send(2 * BATCH)
    floor.drained()
    floor.kill()
    floor.start(bug=bug, remembered=30)
    floor.send(run.feed.past())
    run.finish()


CONTROLS: dict[str, Callable[[Run, str], None]] = {
    "commit before write": store_away_when_killed,
    "start without refolding panes above the checkpoint": killed_between_panes_and_checkpoint,
    "subjects written before panes": killed_after_the_first_write,
    "alerts not awaited": killed_when_an_alert_is_stored,
    "duplicates judged by the memory only": everything_sent_again,
}


def committed(floor: FaultFloor) -> int:
    """How much of `floor.events` Kafka has as committed."""
    with admin_client(floor.settings) as admin:
        return sum(committed_offsets(admin, EVENTS, WORKER_GROUP).values())


def ends(floor: FaultFloor) -> int:
    """How many messages `floor.events` has."""
    with admin_client(floor.settings) as admin:
        return sum(end_offsets(admin, EVENTS).values())
