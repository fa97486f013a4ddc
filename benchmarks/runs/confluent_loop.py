"""A plain loop around confluent-kafka's consumer, in batches."""

from __future__ import annotations

from benchmarks.meter import Meter, Order
from benchmarks.work import Workload

BATCH = 5_000
PREFETCH = {"queued.max.messages.kbytes": 8_192, "queued.min.messages": 10_000}
"""The default of 64 MB would hold most of the topic before the clock starts."""


def main() -> None:
    """Consume until the meter ends the process."""
    from confluent_kafka import Consumer  # type: ignore[import-not-found]

    order = Order.of_arguments()
    workload = Workload(order.work)
    consumer = Consumer(
        {
            "bootstrap.servers": order.bootstrap,
            "group.id": order.group,
            "auto.offset.reset": "earliest",
            **PREFETCH,
        }
    )
    consumer.subscribe([order.topic])
    Meter(order, lambda: workload.records, more=workload.said).start()
    while True:
        for message in consumer.consume(BATCH, 0.5):
            if message.error() is None:
                workload.take(message.partition(), message.value())


if __name__ == "__main__":
    main()
