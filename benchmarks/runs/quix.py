"""Quix Streams: its own hopping windows (RocksDB, no changelog), or the fold in memory."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from benchmarks.meter import Meter, Order
from benchmarks.runs.confluent_loop import PREFETCH
from benchmarks.work import Workload, added, event_of, kpis_of, sums_of
from schemas.events import FloorEvent

HOP_MINUTES = {"hop5": 5, "hop30": 30}


class Counted:
    """How many records came in, and windows went out."""

    def __init__(self) -> None:
        """None so far."""
        self.records = self.windows = 0
        self.latest: tuple[float, ...] = ()

    def see(self, _value: Any) -> bool:
        """A record came."""
        self.records += 1
        return True

    def close(self, result: dict[str, Any]) -> None:
        """A window is final."""
        self.windows += 1
        self.latest = kpis_of(result["value"])


def main() -> None:
    """Run the application until the meter ends the process."""
    from quixstreams import Application  # type: ignore[import-not-found]

    order = Order.of_arguments()
    app = Application(
        broker_address=order.bootstrap,
        consumer_group=order.group,
        auto_offset_reset="earliest",
        auto_create_topics=False,
        use_changelog_topics=False,
        state_dir=order.folder,
        consumer_extra_config=PREFETCH,
        loglevel="WARNING",
    )
    topic = app.topic(order.topic, key_deserializer="bytes", value_deserializer="bytes")
    frame = app.dataframe(topic)
    if order.work in {"count", "fold"}:
        workload = Workload(order.work)
        _carry(frame, workload)
        Meter(order, lambda: workload.records, more=workload.said).start()
    else:
        counted = Counted()
        _own_windows(frame, HOP_MINUTES[order.work], counted)
        Meter(order, lambda: counted.records, more=lambda: {"windows": counted.windows}).start()
    app.run()


def _carry(frame: Any, workload: Workload) -> None:
    from quixstreams import message_context

    frame.update(lambda value: workload.take(message_context().partition, value))


def _own_windows(frame: Any, minutes: int, counted: Counted) -> None:
    rows = frame.filter(counted.see).apply(event_of).filter(lambda event: event is not None)
    timed = rows.set_timestamp(_ms_of)
    sums = timed.apply(sums_of)
    window = sums.hopping_window(timedelta(minutes=minutes), timedelta(minutes=1), grace_ms=timedelta(seconds=60))
    window.reduce(reducer=added, initializer=list).final().update(counted.close)


def _ms_of(event: FloorEvent, *_message: Any) -> int:
    return int(event.at.timestamp() * 1000)


if __name__ == "__main__":
    main()
