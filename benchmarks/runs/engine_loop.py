"""floorpulse's own engine in a plain loop around kafka-python's consumer: what the worker adds to it is the rest."""

from __future__ import annotations

from kafka import KafkaConsumer

from benchmarks.engine import EngineRun, Spent, settled
from benchmarks.events import LogOfLists
from benchmarks.meter import Meter, Order

BATCH = 5_000


def main() -> None:
    """Consume until the meter ends the process."""
    order = Order.of_arguments()
    run, spent = EngineRun(LogOfLists(order.partitions, 0), order.extra["agents"]), Spent()
    consumer = KafkaConsumer(
        order.topic,
        bootstrap_servers=order.bootstrap,
        group_id=order.group,
        auto_offset_reset="earliest",
        max_poll_records=BATCH,
    )
    settled()
    Meter(order, lambda: run.folded).start()
    while True:
        for place, records in consumer.poll(timeout_ms=500).items():
            run.inboxes[place.partition].fetched.extend(records)
        run.fold(2**62, spent)


if __name__ == "__main__":
    main()
