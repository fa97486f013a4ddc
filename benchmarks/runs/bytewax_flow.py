"""Bytewax: its own sliding windows, or the fold in memory."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks.meter import Meter, Order
from benchmarks.work import SUMS, Workload, added, event_of, kpis_of, sums_of
from schemas.events import FloorEvent, subject_of

HOP_MINUTES = {"hop5": 5, "hop30": 30}
WAIT = timedelta(seconds=60)
"""Events of other partitions may be behind for as long."""
ALIGNED_TO = datetime(2026, 1, 1, tzinfo=UTC)


class Counted:
    """How many records came in, and windows went out."""

    def __init__(self) -> None:
        """None so far."""
        self.records = self.windows = 0
        self.latest: tuple[float, ...] = ()

    def keyed(self, messages: list[Any]) -> Iterable[tuple[str, FloorEvent]]:
        """The events of some messages with their subject."""
        for message in messages:
            event = event_of(message.value)
            if event is not None:
                yield subject_of(event), event
        self.records += len(messages)

    def close(self, keyed: tuple[str, tuple[int, list[int]]]) -> tuple[str, float]:
        """A window is final."""
        self.windows += 1
        self.latest = kpis_of(keyed[1][1])
        return keyed[0], self.latest[0]


class _Nowhere:
    """Takes what comes and keeps nothing."""

    def write_batch(self, _items: list[Any]) -> None:
        """Forget it."""

    def close(self) -> None:
        """Nothing is open."""


def main() -> None:
    """Run the flow until the meter ends the process."""
    from bytewax import operators as op  # type: ignore[import-not-found]
    from bytewax.connectors.kafka import KafkaSource  # type: ignore[import-not-found]
    from bytewax.dataflow import Dataflow  # type: ignore[import-not-found]
    from bytewax.run import cli_main  # type: ignore[import-not-found]

    order = Order.of_arguments()
    flow = Dataflow("bench")
    source = KafkaSource([order.bootstrap], [order.topic], tail=True, batch_size=1_000)
    messages = op.input("in", flow, source)
    if order.work in {"count", "fold"}:
        workload = Workload(order.work)
        _carry(messages, workload)
        Meter(order, lambda: workload.records, more=workload.said).start()
    else:
        counted = Counted()
        _own_windows(messages, HOP_MINUTES[order.work], counted)
        Meter(order, lambda: counted.records, more=lambda: {"windows": counted.windows}).start()
    cli_main(flow)


def _carry(messages: Any, workload: Workload) -> None:
    from bytewax import operators as op

    def take(batch: list[Any]) -> list[int]:
        for message in batch:
            workload.take(message.partition, message.value)
        return []

    op.output("out", op.flat_map_batch("fold", messages, take), _sink())


def _own_windows(messages: Any, minutes: int, counted: Counted) -> None:
    from bytewax import operators as op
    from bytewax.operators import windowing as w  # type: ignore[import-not-found]

    clock = w.EventClock(lambda event: event.at.astimezone(UTC), wait_for_system_duration=WAIT)
    windower = w.SlidingWindower(timedelta(minutes=minutes), timedelta(minutes=1), ALIGNED_TO)
    keyed = op.flat_map_batch("keyed", messages, counted.keyed)
    folded = w.fold_window(
        "hop",
        keyed,
        clock,
        windower,
        lambda: [0] * len(SUMS),
        lambda total, event: added(total, sums_of(event)),
        added,
        ordered=False,
    )
    op.output("out", op.map("close", folded.down, counted.close), _sink())


def _sink() -> Any:
    from bytewax.outputs import DynamicSink, StatelessSinkPartition  # type: ignore[import-not-found]

    class Partition(_Nowhere, StatelessSinkPartition):  # type: ignore[misc]
        """One worker's."""

    class Sink(DynamicSink):  # type: ignore[misc]
        """To nowhere."""

        def build(self, _step: str, _index: int, _count: int) -> Partition:
            """A partition of the sink."""
            return Partition()

    return Sink()


if __name__ == "__main__":
    main()
