"""floorpulse's own engine in a plain loop around kafka-python's consumer: what the worker adds to it is the rest."""

from __future__ import annotations

from benchmarks.engine import EngineRun, Spent, settled
from benchmarks.events import LogOfLists
from benchmarks.meter import Meter, Order
from benchmarks.runs.kafka_python_loop import batches


def main() -> None:
    """Consume until the meter ends the process."""
    order = Order.of_arguments()
    run, spent = EngineRun(LogOfLists(order.partitions, 0), order.extra["agents"]), Spent()
    settled()
    Meter(order, lambda: run.folded).start()
    for partition, records in batches(order):
        run.inboxes[partition].fetched.extend(records)
        run.fold(2**62, spent)


if __name__ == "__main__":
    main()
