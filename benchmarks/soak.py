"""A long run at a steady rate: what the worker's memory does, and whether it keeps up."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.events import PARTITIONS, events_of, simulator_of
from benchmarks.meter import Order
from benchmarks.processes import OURS, ready, result_of, started
from benchmarks.results import Column, Result
from benchmarks.scale import Scale
from benchmarks.servers import as_given, running_floor
from benchmarks.topics import send
from floorpulse.drain import missing, stored_offsets
from floorpulse.offsets import admin_client, end_offsets
from floorpulse.settings import Settings
from floorpulse.wiring import clickhouse_client
from schemas.errors import Unavailable
from schemas.events import FloorEvent
from schemas.topics import EVENTS

RATE = 2_000
MINUTES = 30
FIFTH_MINUTE = 5
ENDED_WITHIN_S = 300.0


def soak(scale: Scale) -> Result:
    """Send for half an hour, and read the memory of the worker each minute."""
    minutes = max(round(MINUTES * scale.share), 2)
    result = Result(
        "soak",
        "Half an hour at a steady rate",
        f"A simulated floor under the event clock, sent at {RATE:,} events/s, everything durable in ClickHouse. The"
        " memory of the worker (resident, without broker and store) is read each minute; the last row says how long"
        " after the last event everything was durable. At this rate the floor's clock runs far ahead of"
        " the wall's: every window fills in the first minutes, and days of the floor go by.",
        [Column("mb", "resident MB"), Column("seconds", "s", 1)],
    )
    with running_floor(simulator_of(scale.agents).floor(), PARTITIONS, "event") as settings:
        run = kept_up(settings, events_of(scale.agents, minutes * 60 * RATE), RATE)
    result.size = {"agents": scale.agents, "events": run.sent, "minutes": minutes, "rate": RATE}
    for minute, mb in enumerate(run.minutes, start=1):
        if minute == 1 or minute % FIFTH_MINUTE == 0:
            result.row(f"minute {minute}").add(mb=mb)
    result.row("durable after the last event").add(seconds=run.behind_s, mb=run.peak_mb)
    scale.say(f"{', '.join(f'{mb:.0f}' for mb in run.minutes)} MB, {run.behind_s:.1f} s behind")
    return result


@dataclass(frozen=True, slots=True)
class KeptUp:
    """A worker while events came at a steady rate."""

    sent: int
    behind_s: float
    """From the last event until everything was durable."""
    minutes: list[float]
    """Its resident memory after each minute, MB."""
    peak_mb: float


def kept_up(settings: Settings, events: Iterator[FloorEvent], rate: int) -> KeptUp:
    """Start a worker on what there is, and send it events."""
    order = _order(settings)
    worker = started(OURS, "floorpulse_worker", order)
    try:
        ready(worker, order)
        sent = send(settings, events, rate)
        behind_s = _seconds_behind(settings)
        said = result_of(worker, order, ENDED_WITHIN_S)
    finally:
        worker.kill()
        worker.communicate()
    if "fault" in said:
        raise Unavailable(f"the worker: {said['fault']}")
    return KeptUp(sent, behind_s, said["minutes"], said["peak_mb"])


def _seconds_behind(settings: Settings) -> float:
    """How long it takes until what was sent is durable."""
    began, client = time.monotonic(), clickhouse_client(settings)
    with admin_client(settings) as admin:
        ends = end_offsets(admin, EVENTS)
    while missing(ends, stored_offsets(client, EVENTS)):
        if time.monotonic() - began > ENDED_WITHIN_S:
            raise Unavailable(f"not durable within {ENDED_WITHIN_S:.0f} s")
        time.sleep(0.1)
    return time.monotonic() - began


def _order(settings: Settings) -> Order:
    return Order(
        work="soak",
        bootstrap=settings.kafka_bootstrap,
        topic=EVENTS,
        folder=str(Path(settings.data) / f"soak-{uuid.uuid4().hex}"),
        group="",
        partitions=settings.partitions,
        skip=0,
        until=0,
        warm_up_s=0.0,
        limit_s=0.0,
        extra={"settings": as_given(settings)},
    )
