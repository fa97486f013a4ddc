"""A plain loop around kafka-python's consumer, in batches."""

from __future__ import annotations

from benchmarks.meter import Meter, Order
from benchmarks.work import Workload

BATCH = 5_000


def main() -> None:
    """Consume until the meter ends the process."""
    from kafka import KafkaConsumer

    order = Order.of_arguments()
    workload = Workload(order.work)
    consumer = KafkaConsumer(
        order.topic,
        bootstrap_servers=order.bootstrap,
        group_id=order.group,
        auto_offset_reset="earliest",
        max_poll_records=BATCH,
    )
    Meter(order, lambda: workload.records, more=workload.said).start()
    while True:
        for place, records in consumer.poll(timeout_ms=500).items():
            for record in records:
                workload.take(place.partition, record.value)


if __name__ == "__main__":
    main()
