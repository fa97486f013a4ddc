"""A plain loop around kafka-python's consumer, in batches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.meter import Meter, Order
from benchmarks.work import Workload

BATCH = 5_000


def batches(order: Order) -> Iterator[tuple[int, list[Any]]]:
    """(partition, records) of the topic, without end."""
    from kafka import KafkaConsumer

    consumer = KafkaConsumer(
        order.topic,
        bootstrap_servers=order.bootstrap,
        group_id=order.group,
        auto_offset_reset="earliest",
        max_poll_records=BATCH,
    )
    while True:
        for place, records in consumer.poll(timeout_ms=500).items():
            yield place.partition, records


def main() -> None:
    """Consume until the meter ends the process."""
    order = Order.of_arguments()
    workload = Workload(order.work)
    Meter(order, lambda: workload.records, more=workload.said).start()
    for partition, records in batches(order):
        for record in records:
            workload.take(partition, record.value)


if __name__ == "__main__":
    main()
