"""Pathway: its own sliding windows, or the fold in a subscriber."""

from __future__ import annotations

from typing import Any

from benchmarks.meter import Meter, Order
from benchmarks.work import SUMS, Workload, event_of, kpis_of, sums_of
from schemas.events import subject_of
from schemas.times import MINUTE_MS, to_ms

HOP_MINUTES = {"hop5": 5, "hop30": 30}
BACKLOG = 5_000
"""Without it the whole topic is read before the first window is computed."""


class Counted:
    """How many records are in windows that went out or stand up to date, and how many windows went out."""

    def __init__(self) -> None:
        """None so far."""
        self.records = self.windows = 0
        self.latest: tuple[float, ...] = ()
        self._read: list[tuple[int, int]] = []

    def row(self, value: bytes) -> tuple[str, int, list[int]]:
        """Subject, instant (ms) and sums of a message; a control record has no subject."""
        event = event_of(value)
        if event is None:
            return "", 0, [0] * len(SUMS)
        return subject_of(event), to_ms(event.at), list(sums_of(event))

    def read(self, time: int, records: int) -> None:
        """So many records were read up to an instant of the engine; their windows are not computed yet."""
        self._read.append((time, records))

    def computed(self, time: int) -> None:
        """The windows are computed up to an instant of the engine."""
        while self._read and self._read[0][0] <= time:
            self.records = self._read.pop(0)[1]

    def close(self, row: dict[str, Any]) -> None:
        """A window is final."""
        self.windows += 1
        self.latest = kpis_of([row[name] for name in SUMS])


def main() -> None:
    """Run the graph until the meter ends the process."""
    import pathway as pw  # type: ignore[import-not-found]

    order = Order.of_arguments()
    settings = {
        "bootstrap.servers": order.bootstrap,
        "group.id": order.group,
        "auto.offset.reset": "earliest",
        "queued.max.messages.kbytes": "8192",
        "queued.min.messages": "10000",
    }
    table = pw.io.kafka.read(
        settings,
        topic=order.topic,
        format="raw",
        autocommit_duration_ms=100,
        autogenerate_key=True,
        max_backlog_size=BACKLOG,
    )
    if order.work in {"count", "fold"}:
        workload = Workload(order.work)
        pw.io.subscribe(table, on_change=lambda key, row, time, is_addition: workload.take(row["key"], row["data"]))
        Meter(order, lambda: workload.records, more=workload.said).start()
    else:
        counted = Counted()
        _own_windows(table, HOP_MINUTES[order.work], counted)
        Meter(order, lambda: counted.records, more=lambda: {"windows": counted.windows}).start()
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)


def _own_windows(table: Any, minutes: int, counted: Counted) -> None:
    import pathway as pw

    unpacked = pw.udf(counted.row, return_type=tuple[str, int, list[int]], deterministic=True)
    rows = table.select(row=unpacked(table.data))
    rows = rows.select(subject=rows.row[0], at=rows.row[1], sums=rows.row[2])
    events = rows.filter(rows.subject != "")
    flat = events.select(events.subject, events.at, **{name: events.sums[i] for i, name in enumerate(SUMS)})
    window = pw.temporal.sliding(hop=MINUTE_MS, duration=minutes * MINUTE_MS)
    behavior = pw.temporal.exactly_once_behavior(shift=MINUTE_MS)
    windows = flat.windowby(flat.at, window=window, behavior=behavior, instance=flat.subject)
    summed = windows.reduce(
        subject=pw.this._pw_instance, start=pw.this._pw_window_start, **{n: pw.reducers.sum(pw.this[n]) for n in SUMS}
    )
    _count(rows.reduce(records=pw.reducers.count()), summed, counted)


def _count(read: Any, summed: Any, counted: Counted) -> None:
    """One call for each commit tells what was read; the end of an instant of the windows, what was computed."""
    import pathway as pw

    def on_read(key: Any, row: dict[str, Any], time: int, is_addition: bool) -> None:
        if is_addition:
            counted.read(time, row["records"])

    def on_window(key: Any, row: dict[str, Any], time: int, is_addition: bool) -> None:
        if is_addition:
            counted.close(row)

    pw.io.subscribe(read, on_change=on_read)
    pw.io.subscribe(summed, on_change=on_window, on_time_end=counted.computed)


if __name__ == "__main__":
    main()
