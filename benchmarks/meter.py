"""
The meter of one measured process: it looks at a counter beside the work, from the end of a warm-up to a stop.

Standard library only: it runs in the environments of the peers too.

    0 ........ skip [===== measured =====] until ........ end of the topic
    prefetch fills    clock and CPU run    what is prefetched is still the same
"""

from __future__ import annotations

import json
import os
import resource
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

LOOK_S = 0.05
"""Each look takes the interpreter from the work for a moment: at 10 ms that was 7 % of floorpulse's time."""
SILENT_S = 180.0
"""A run that has counted nothing after this long is given up."""
MARK = '{"metered":'
WORKER = "bench-1"
"""The usual name of the measured worker: whoever has it next takes its partitions over at once."""
READY = "ready"
"""A process that waits to be told to stop says this once it is at work."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a process is to measure."""

    work: str
    """`count`, `fold`, or one of the peer's own windows: see `benchmarks.lineup`."""
    bootstrap: str
    topic: str
    folder: str
    """A fresh folder for whatever the process keeps on disk."""
    group: str
    partitions: int
    skip: int
    until: int
    warm_up_s: float
    """The warm-up ends after `skip` records, or this long after the first one."""
    limit_s: float
    """The clock stops after `until` records, or this long after it started."""
    extra: dict[str, Any] = field(default_factory=dict)

    def text(self) -> str:
        """As an argument of a command line."""
        return json.dumps(asdict(self))

    @classmethod
    def of_arguments(cls) -> Order:
        """The order in the first argument of this process."""
        return cls(**json.loads(sys.argv[1]))


@dataclass(frozen=True, slots=True)
class Metered:
    """What a process measured."""

    records: int
    wall_s: float
    cpu_s: float
    """CPU of all threads of the process."""
    peak_mb: float
    began: float
    """Epoch seconds."""
    skipped: int
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Records per second."""
        return self.records / self.wall_s

    @property
    def cpu_us(self) -> float:
        """CPU of a record, microseconds."""
        return self.cpu_s / self.records * 1e6


class Meter(threading.Thread):
    """Ends the process when it has measured."""

    def __init__(
        self,
        order: Order,
        counted: Callable[[], int],
        ready: Callable[[], bool] = lambda: True,
        more: Callable[[], dict[str, Any]] = dict,
    ) -> None:
        """
        `counted` tells how many records went through so far; nothing counts before `ready` is true.

        `more` is asked at the end for what else the run has to say.
        """
        super().__init__(name="meter", daemon=True)
        self._order, self._counted, self._ready, self._more = order, counted, ready, more

    def run(self) -> None:
        """Wait for the warm-up, then for the stop; print, and end the process."""
        order = self._order
        started = time.monotonic()
        while not (self._ready() and self._counted()):
            if time.monotonic() - started > SILENT_S:
                finish({"fault": f"no record within {SILENT_S:.0f} s"})
            time.sleep(LOOK_S)
        base, first = self._counted(), time.monotonic()
        while self._counted() - base < order.skip and time.monotonic() - first < order.warm_up_s:
            time.sleep(LOOK_S)
        began, from_, from_s, from_cpu = time.time(), self._counted(), time.monotonic(), time.process_time()
        stop_at = max(order.until, from_ - base + 1)
        while self._counted() - base < stop_at and time.monotonic() - from_s < order.limit_s:
            time.sleep(LOOK_S)
        count, wall_s, cpu_s = self._counted(), time.monotonic() - from_s, time.process_time() - from_cpu
        if count == from_:
            finish({"fault": f"no record within {order.limit_s:.0f} s after the warm-up"})
        finish(asdict(Metered(count - from_, wall_s, cpu_s, peak_mb(), began, from_ - base, self._more())))


def peak_mb(process: str = "self") -> float:
    """The most memory that this process has had, or on Linux another one, MB."""
    status = Path(f"/proc/{process}/status")
    if status.exists():  # ru_maxrss of Linux knows the size of the parent, too
        held = next(line for line in status.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM:"))
        return int(held.split()[1]) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def finish(said: dict[str, Any]) -> None:
    """Say the result and end the process at once, whatever its threads do."""
    sys.stdout.write(f"\n{MARK}{json.dumps(said)}}}\n")
    sys.stdout.flush()
    os._exit(0)


def read_result(output: str) -> dict[str, Any]:
    """What a process said; a `fault` when it said nothing."""
    lines = [line for line in output.splitlines() if line.startswith(MARK)]
    if not lines:
        return {"fault": "the process ended without a result"}
    said: dict[str, Any] = json.loads(lines[-1])["metered"]
    return said
