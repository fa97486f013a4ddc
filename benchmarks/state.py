"""A worker with a shift of state: its memory while it gets there, and how long it takes to start again."""

from __future__ import annotations

import time
import uuid
from pathlib import Path
from typing import Any

from benchmarks.events import PARTITIONS, simulator_of
from benchmarks.meter import Order
from benchmarks.processes import OURS, measured
from benchmarks.results import Column, Result
from benchmarks.scale import Scale
from benchmarks.servers import as_given, running_floor
from benchmarks.topics import fill
from floorpulse.settings import Settings
from schemas.errors import Unavailable
from schemas.topics import EVENTS

STARTS = 3
CAUGHT_UP_WITHIN_S = 3_600.0


def state(scale: Scale) -> Result:
    """Fold a whole log durably, then start again and again."""
    result = Result(
        "state",
        "Memory and start of a worker",
        "A worker folds a shift of the floor from the log's first record to its last, everything durable in ClickHouse;"
        " its memory (resident, without broker and store) is read at each eighth of the way. Then it is started again,"
        " and the clock runs from the start of the process until every partition and every group is restored and it"
        " reads on.",
        [Column("mb", "resident MB"), Column("seconds", "s", 2), Column("restoring_s", "of which restoring s", 2)],
    )
    with running_floor(simulator_of(scale.agents).floor(), PARTITIONS, "event") as settings:
        records = fill(settings, scale.agents, scale.events)
        result.size = {"records": records, "agents": scale.agents, "starts": STARTS * scale.rounds}
        said = _run("catch_up", settings, records)
        for eighth, mb in said["memory"].items():
            result.row(f"{eighth}/8 of the way").add(mb=mb)
        result.row("whole way").add(mb=said["peak_mb"], seconds=said["seconds"])
        scale.say(f"caught up in {said['seconds']:.0f} s, peak {said['peak_mb']:.0f} MB")
        for number in range(STARTS * scale.rounds):
            said = _run("start", settings, records)
            scale.say(f"start {number + 1}: {said['seconds']:.2f} s, {said['subjects']} subjects")
            result.row("start again").add(seconds=said["seconds"], restoring_s=said["restoring_s"], mb=said["peak_mb"])
    return result


def _run(work: str, settings: Settings, records: int) -> dict[str, Any]:
    order = Order(
        work=work,
        bootstrap=settings.kafka_bootstrap,
        topic=EVENTS,
        folder=str(Path(settings.data) / f"{work}-{uuid.uuid4().hex}"),
        group="",
        partitions=settings.partitions,
        skip=0,
        until=records,
        warm_up_s=0.0,
        limit_s=CAUGHT_UP_WITHIN_S,
        extra={"settings": as_given(settings), "began": time.time()},
    )
    said = measured(OURS, "floorpulse_worker", order, CAUGHT_UP_WITHIN_S)
    if "fault" in said:
        raise Unavailable(f"the worker ({work}): {said['fault']}")
    return said
