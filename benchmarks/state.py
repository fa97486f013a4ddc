"""A worker with a shift of state: its memory while it gets there, and how long it takes to start again."""

from __future__ import annotations

import json
import subprocess
import time
import uuid
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from threading import Timer
from typing import Any

from benchmarks.events import PARTITIONS, events_of, simulator_of
from benchmarks.meter import WORKER, Order, peak_mb
from benchmarks.processes import OURS, measured, worker_command
from benchmarks.results import Column, Result
from benchmarks.scale import Scale
from benchmarks.servers import as_given, running_floor
from benchmarks.soak import kept_up
from benchmarks.topics import fill
from floorpulse.settings import Settings
from schemas.errors import Unavailable
from schemas.topics import EVENTS

STARTS = 3
CAUGHT_UP_WITHIN_S = 3_600.0
STARTED_WITHIN_S = 120.0
RATE = 170
"""Events a second while the worker goes on: a floor of 1,000 agents, ten times as fast as its own clock."""
MINUTES = 6


def state(scale: Scale) -> Result:
    """Fold a whole log durably, then start again and again."""
    result = Result(
        "state",
        "Memory and start of a worker",
        "A worker folds a shift of the floor from the log's first record to its last, everything durable in ClickHouse;"
        " its memory (resident, without broker and store) is read at each eighth of the way. Then `floorpulse worker`"
        " is started again. The clock runs from the start of the process until it says that all partitions and the"
        f" groups are restored; it reads on then. Last, it goes on with the floor, at {RATE} events/s: ten times what"
        " 1,000 agents do, so that each minute is ten of the floor's.",
        [
            Column("mb", "resident MB"),
            Column("seconds", "s", 2),
            Column("restoring_s", "of which after the imports s", 2),
        ],
    )
    with running_floor(simulator_of(scale.agents).floor(), PARTITIONS, "event") as settings:
        records = fill(settings, scale.agents, scale.events)
        result.size = {"records": records, "agents": scale.agents, "starts": STARTS * scale.rounds}
        said = _caught_up(settings, records)
        for eighth, mb in said["memory"].items():
            result.row(f"{eighth}/8 of the way").add(mb=mb)
        result.row("whole way").add(mb=said["peak_mb"], seconds=said["seconds"])
        scale.say(f"caught up in {said['seconds']:.0f} s, peak {said['peak_mb']:.0f} MB")
        for number in range(STARTS * scale.rounds):
            began = _started_again(settings)
            scale.say(f"start {number + 1}: {began.seconds:.2f} s, {began.subjects} subjects")
            result.row("start again").add(seconds=began.seconds, restoring_s=began.restoring_s, mb=began.mb)
        minutes = max(round(MINUTES * scale.share), 1)
        following = islice(events_of(scale.agents, scale.events + minutes * 60 * RATE), scale.events, None)
        for minute, mb in enumerate(kept_up(settings, following, RATE).minutes, start=1):
            scale.say(f"goes on, minute {minute}: {mb:.0f} MB")
            result.row(f"goes on, minute {minute}").add(mb=mb)
    return result


def _caught_up(settings: Settings, records: int) -> dict[str, Any]:
    order = Order(
        work="catch_up",
        bootstrap=settings.kafka_bootstrap,
        topic=EVENTS,
        folder=str(Path(settings.data) / f"catch-up-{uuid.uuid4().hex}"),
        group="",
        partitions=settings.partitions,
        skip=0,
        until=records,
        warm_up_s=0.0,
        limit_s=CAUGHT_UP_WITHIN_S,
        extra={"settings": as_given(settings)},
    )
    said = measured(OURS, "floorpulse_worker", order, CAUGHT_UP_WITHIN_S)
    if "fault" in said:
        raise Unavailable(f"the worker: {said['fault']}")
    return said


@dataclass(frozen=True, slots=True)
class Began:
    """A start of the command."""

    seconds: float
    restoring_s: float
    subjects: int
    mb: float
    """The most memory up to its end."""


def _started_again(settings: Settings) -> Began:
    """Start `floorpulse worker`, and end it once it has said of everything that it is restored."""
    command, environment = worker_command(settings, WORKER)
    began, imported, said = time.monotonic(), 0.0, list[str]()
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=settings.data, env=environment) as process:
        watch = Timer(STARTED_WITHIN_S, process.kill)
        watch.start()
        try:
            assert process.stderr is not None
            for line in process.stderr:
                imported = imported or (time.monotonic() if '"worker_started"' in line else 0.0)
                said += [line] if '"partition_restored"' in line else []
                if len(said) == settings.partitions + 1:
                    now, mb = time.monotonic(), peak_mb(str(process.pid))
                    subjects = sum(json.loads(line)["subjects"] for line in said if EVENTS in line)
                    return Began(now - began, now - imported, subjects, mb)
        finally:
            watch.cancel()
            process.kill()
    raise Unavailable(f"the worker did not start within {STARTED_WITHIN_S:.0f} s")
