"""A day of a 2,000-seat floor, replayed by two workers: folded, judged, stored, and proved."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

from benchmarks.compiling import ROOT
from benchmarks.events import PARTITIONS, START_MS, simulator_of
from benchmarks.processes import worker_command
from benchmarks.results import Column, Result
from benchmarks.scale import Scale
from benchmarks.servers import running_floor
from floorpulse.drain import drain
from floorpulse.settings import Settings
from floorpulse.wiring import clickhouse_client, producer
from sinks.reconcile import reconcile
from sources.readers.producing import EventProducer
from sources.readers.simulator.feed import Feed

SEATS = 2_000
HOURS = 12.0
WORKERS = 2
DRAINED_WITHIN_S = 3_600.0


def day(scale: Scale) -> Result:
    """Send the day, start the workers, wait until all is stored, and compare with the raw events."""
    seats = max(round(SEATS * scale.share), 20)
    result = Result(
        "day",
        "A 2,000-seat day replayed",
        f"{HOURS:.0f} hours of the simulated floor stand in Kafka; {WORKERS} workers, started with the clock, fold,"
        " judge and store them under the event clock, on the cores that broker and store use too. The clock stops when"
        " every hop is drained and the day is closed. Then `reconcile` folds the raw events again and compares every"
        " pane.",
        [
            Column("events", "events"),
            Column("sent_s", "sent in s"),
            Column("seconds", "all stored after s"),
            Column("rate", "events/s"),
            Column("panes", "panes compared"),
            Column("differences", "differences"),
        ],
        size={"agents": seats, "hours": round(HOURS), "workers": WORKERS},
    )
    with running_floor(simulator_of(seats).floor(), PARTITIONS, "event") as settings, ExitStack() as stack:
        began = time.monotonic()
        events = _send(settings, seats, scale)
        sent_s = time.monotonic() - began
        began = time.monotonic()
        for number in range(WORKERS):
            stack.enter_context(_worker(settings, number))
        drain(settings, DRAINED_WITHIN_S, lambda _topic, _left: None)
        seconds = time.monotonic() - began
        scale.say(f"{events:,} events stored in {seconds:.0f} s; comparing")
        compared = reconcile(clickhouse_client(settings))
        result.row("the day").add(
            events=events,
            sent_s=sent_s,
            seconds=seconds,
            rate=events / seconds,
            panes=compared.panes,
            differences=len(compared.differences),
        )
        result.notes = [str(difference) for difference in compared.differences[:3]]
    return result


def _send(settings: Settings, seats: int, scale: Scale) -> int:
    with closing(producer(settings)) as sender:
        feed = Feed(simulator_of(seats).events(START_MS, HOURS), EventProducer(sender))
        sent = feed.up_to(2**62)
        feed.end()
    scale.say(f"{sent:,} events sent")
    return sent


@contextmanager
def _worker(settings: Settings, number: int) -> Iterator[None]:
    """`floorpulse worker`, one of several."""
    name = f"bench-{number + 1}"
    own = settings.model_copy(update={"metrics_port": settings.metrics_port + number})
    with (settings.data / f"{name}.log").open("wb") as log:
        command, environment = worker_command(own, name)
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=ROOT, env=environment)
    try:
        yield
    finally:
        process.terminate()
        process.wait(60)
