"""
floorpulse's own worker, as `floorpulse worker` runs it, watched from inside.

Works: `fold` (nothing is written to ClickHouse, revisions are still read from it), `durable`, `catch_up` (until the log
is durable), `live` and `soak` (until stdin is closed).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from threading import Event, Thread
from typing import Any

import psutil  # type: ignore[import-untyped]

import streams.worker.app as worker_app
from benchmarks.meter import READY, WORKER, Meter, Order, finish, peak_mb
from benchmarks.results import quantile
from floorpulse.logs import set_up_logs
from floorpulse.settings import Settings
from floorpulse.worker import run_worker
from schemas.topics import EVENTS
from streams.worker.decoding import Fetched
from streams.worker.floor import Floor
from streams.worker.metrics import WorkerMetrics

LOOK_S = 0.005
MOST_SAMPLES = 1_000_000


class Watched(Floor):
    """The floor of the worker, and what can be seen of it."""

    made: Watched | None = None
    is_timed = True
    """Whether the waits are kept: they grow by some MB a minute."""

    def __init__(self, *args: Any) -> None:
        """As the app makes it; what is told to the consumer as durable is remembered."""
        commit: Callable[[Any, int], None] = args[-1]
        self.durable: dict[int, int] = {}
        self.folded = next(arg for arg in args if isinstance(arg, WorkerMetrics)).records
        self.waits_ms: list[float] = []

        def heard(tp: Any, boundary: int) -> None:
            if tp.topic == EVENTS:
                self.durable[tp.partition] = boundary + 1
            commit(tp, boundary)

        super().__init__(*[*args[:-1], heard])
        Watched.made = self

    def put(self, partition: int, records: Sequence[Fetched]) -> None:
        """The agent's body has a batch."""
        now_ms = time.time() * 1000
        if Watched.is_timed and len(self.waits_ms) < MOST_SAMPLES:
            self.waits_ms += [now_ms - record.timestamp for record in records]
        super().put(partition, records)

    def is_whole(self, partitions: int) -> bool:
        """All of its partitions are restored, and the groups."""
        return len(self.hops.engines) == partitions and self.hops.groups is not None


def main() -> None:
    """Run the worker until the meter ends it."""
    order = Order.of_arguments()
    settings = Settings(**order.extra["settings"])
    set_up_logs("json")
    setattr(worker_app, "Floor", Watched)  # noqa: B010  a plain assignment is an error to mypy
    if order.work == "fold":
        _without_sink()
    if order.work in WATCHES:
        Thread(target=WATCHES[order.work], args=(order,), name="watch", daemon=True).start()
    else:
        count = _durable if order.work == "durable" else _folded
        Meter(order, count, lambda: _owns(order.partitions)).start()
    run_worker(settings, order.extra.get("name", WORKER), accept_gap=False)


def _owns(partitions: int) -> bool:
    floor = Watched.made
    return floor is not None and len(floor.hops.engines) == partitions


def _folded() -> int:
    floor = Watched.made
    return int(floor.folded._value.get()) if floor else 0


def _durable() -> int:
    floor = Watched.made
    return sum(floor.durable.values()) if floor else 0


def _without_sink() -> None:
    """Every flush is frozen and settled as always, and written nowhere."""
    from sinks import storage

    class Nowhere(storage.ClickHouseStorage):
        """Reads revisions; knows and writes nothing else."""

        def stored(self, partitions: Any, epoch: int) -> dict[int, Any]:
            """Nothing is."""
            return {}

        def stored_groups(self, epoch: int) -> None:
            """Nothing is."""

        def look_up(self, identities: Any) -> dict[Any, Any]:
            """Nothing is known."""
            return {}

        def write(self, flush: Any) -> None:
            """Forget it."""

    storage.ClickHouseStorage = Nowhere  # type: ignore[misc]


def _whole(order: Order) -> Watched:
    """The floor once everything is restored."""
    while Watched.made is None or not Watched.made.is_whole(order.partitions):
        time.sleep(LOOK_S)
    return Watched.made


def _catch_up(order: Order) -> None:
    """Say how long it took until so many records were durable, and the memory at each eighth of them."""
    floor, process = _whole(order), psutil.Process()
    began, memory = time.time(), {}
    for eighth in range(1, 9):
        while sum(floor.durable.values()) < order.until * eighth / 8:
            time.sleep(LOOK_S)
        memory[eighth] = process.memory_info().rss / 1e6
    finish({"seconds": time.time() - began, "memory": memory, "peak_mb": peak_mb()})


def _live(order: Order) -> None:
    """Say that everything is restored; once stdin is closed, how long records took from the broker to the agent."""
    floor = _whole(order)
    sys.stdout.write(f"\n{READY}\n")  # Faust has left a control sequence on the line
    sys.stdout.flush()
    floor.waits_ms.clear()
    sys.stdin.read()
    waits = floor.waits_ms
    shares = {str(share): quantile(waits, share) for share in (0.5, 0.95, 0.99)}
    finish({"waits_ms": shares, "records": len(waits), "durable": sum(floor.durable.values()), "peak_mb": peak_mb()})


def _soak(order: Order) -> None:
    """Say that everything is restored; once stdin is closed, the resident MB of each minute."""
    Watched.is_timed = False
    _whole(order)
    process, closed = psutil.Process(), Event()
    sys.stdout.write(f"\n{READY}\n")
    sys.stdout.flush()
    Thread(target=lambda: (sys.stdin.read(), closed.set()), name="stdin", daemon=True).start()
    minutes: list[float] = []
    while not closed.wait(60.0):
        minutes.append(process.memory_info().rss / 1e6)
    finish({"minutes": minutes, "peak_mb": peak_mb()})


WATCHES: dict[str, Callable[[Order], None]] = {
    "catch_up": _catch_up,
    "live": _live,
    "soak": _soak,
}
"""Works that run beside the worker until they end the process."""


if __name__ == "__main__":
    main()
