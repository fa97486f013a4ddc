"""Faust as it is: an agent that gets message by message; with its own Tables, or with the fold in memory."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from benchmarks.meter import Meter, Order
from benchmarks.work import Workload, added, event_of, kpis_of, sums_of
from schemas.events import subject_of

HOP_MINUTES = {"hop5": 5, "hop30": 30}
KEPT = timedelta(days=400)
"""Tables drop windows by the wall clock; the events are months old."""


class Counted:
    """How many records went through."""

    def __init__(self) -> None:
        """None so far."""
        self.records = 0


def main() -> None:
    """Run the app until the meter ends the process."""
    import faust

    order = Order.of_arguments()
    app = faust.App(
        order.group,
        broker=f"aiokafka://{order.bootstrap}",
        store="memory://",
        datadir=order.folder,
        value_serializer="raw",
        key_serializer="raw",
        web_enabled=False,
        topic_disable_leader=True,
        consumer_auto_offset_reset="earliest",
        topic_partitions=order.partitions,
        table_standby_replicas=0,
    )
    topic = app.topic(order.topic, key_type=bytes, value_type=bytes)
    if order.work in {"count", "fold"}:
        workload = Workload(order.work)
        _carry(app, topic, workload)
        Meter(order, lambda: workload.records, more=workload.said).start()
    else:
        counted = Counted()
        _own_windows(app, topic, order, counted)
        Meter(order, lambda: counted.records).start()
    app.finalize()
    worker = faust.Worker(app, loglevel="WARNING", redirect_stdouts=False)
    worker.execute_from_commandline()


def _carry(app: Any, topic: Any, workload: Workload) -> None:
    @app.agent(topic)  # type: ignore[untyped-decorator]
    async def fold(stream: Any) -> None:
        async for event in stream.events():
            workload.take(event.message.partition, event.value)


def _own_windows(app: Any, topic: Any, order: Order, counted: Counted) -> None:
    table = app.Table("sums", default=_zeros, partitions=order.partitions)
    if order.work == "minute":
        windows = table.tumbling(timedelta(minutes=1), expires=KEPT)
    else:
        windows = table.hopping(timedelta(minutes=HOP_MINUTES[order.work]), timedelta(minutes=1), expires=KEPT)
    latest: dict[str, tuple[float, ...]] = {}

    @app.agent(topic)  # type: ignore[untyped-decorator]
    async def fold(stream: Any) -> None:
        async for event in stream.events():
            fact = event_of(event.value)
            if fact is not None:
                key = subject_of(fact)
                held = windows.relative_to(fact.at.timestamp())[key]
                held.apply(added, sums_of(fact))
                latest[key] = kpis_of(held.value())
            counted.records += 1


def _zeros() -> list[int]:
    return [0] * 8


if __name__ == "__main__":
    main()
