"""A day of a 2,000-seat floor, replayed: sent, folded, judged, stored, and proved."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

from benchmarks.events import PARTITIONS, START_MS, simulator_of
from benchmarks.processes import ROOT
from benchmarks.results import Column, Result
from benchmarks.scale import Scale
from benchmarks.servers import as_environment, running_floor
from floorpulse.drain import drain
from floorpulse.settings import Settings
from floorpulse.wiring import clickhouse_client, producer
from sinks.reconcile import reconcile
from sources.readers.producing import EventProducer
from sources.readers.simulator.feed import Feed

SEATS = 2_000
HOURS = 12.0
DRAINED_WITHIN_S = 3_600.0


def day(scale: Scale) -> Result:
    """Send the day at speed while the worker folds, wait until all is stored, and compare with the raw events."""
    seats = max(round(SEATS * scale.share), 20)
    result = Result(
        "day",
        "A 2,000-seat day replayed",
        f"{HOURS:.0f} hours of the simulated floor under the event clock: sent to Kafka as fast as the simulator makes"
        " them while one worker folds, judges and stores; the clock stops when every hop is drained and the day is"
        " closed. Then `reconcile` folds the raw events again and compares every pane.",
        [
            Column("events", "events"),
            Column("sent_s", "sent after s"),
            Column("seconds", "all stored after s"),
            Column("rate", "events/s"),
            Column("panes", "panes compared"),
            Column("differences", "differences"),
        ],
        size={"agents": seats, "hours": round(HOURS)},
    )
    with running_floor(simulator_of(seats).floor(), PARTITIONS, "event") as settings, _worker(settings):
        began = time.monotonic()
        events = _send(settings, seats, scale)
        sent_s = time.monotonic() - began
        drain(settings, DRAINED_WITHIN_S, lambda _topic, _left: None)
        seconds = time.monotonic() - began
        scale.say(f"{events:,} events sent in {sent_s:.0f} s, stored in {seconds:.0f} s; comparing")
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
def _worker(settings: Settings) -> Iterator[None]:
    """`floorpulse worker`."""
    command = [sys.executable, "-m", "floorpulse.cli.main", "worker", "--data", str(settings.data)]
    with (settings.data / "worker.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=ROOT, env=as_environment(settings))
    try:
        yield
    finally:
        process.terminate()
        process.wait(60)
