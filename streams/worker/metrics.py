"""The worker's own figures. Labels are bounded: never an agent."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from schemas.topics import EVENTS


class WorkerMetrics:
    """Metric objects on one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register all."""
        self.records = Counter("floorpulse_records_total", "Records folded.", registry=registry)
        self.alerts = Counter(
            "floorpulse_alert_transitions_total",
            "Alert steps, by rule and state.",
            ["rule", "state"],
            registry=registry,
        )
        self.rows = Counter("floorpulse_rows_written_total", "Rows written to ClickHouse.", registry=registry)
        self.flush_seconds = Histogram(
            "floorpulse_flush_seconds", "Time from the freeze to the checkpoint.", registry=registry
        )
        self.buffered = Gauge("floorpulse_buffered_rows", "Events that wait for a flush.", registry=registry)
        self.unacknowledged = Gauge(
            "floorpulse_unacknowledged_messages",
            "Messages that the broker has not acknowledged yet.",
            registry=registry,
        )
        self.retries = Counter(
            "floorpulse_flush_retries_total", "Flushes that ClickHouse did not take at once.", registry=registry
        )
        self.waiting = Gauge(
            "floorpulse_waiting_records", "Fetched records that wait to be folded.", ["partition"], registry=registry
        )
        self.boundary = Gauge(
            "floorpulse_boundary_offset", "Last offset that is durable.", ["topic", "partition"], registry=registry
        )
        self.clock = Gauge(
            "floorpulse_clock_timestamp_seconds", "Time of a partition, by its log.", ["partition"], registry=registry
        )
        self.dead = Gauge(
            "floorpulse_dead_letters", "Dead letters so far, by partition.", ["partition"], registry=registry
        )
        self.duplicates = Gauge(
            "floorpulse_duplicates", "Duplicates dropped so far, by partition.", ["partition"], registry=registry
        )
        self.paused = Gauge(
            "floorpulse_paused", "1 while consumption is paused, as the buffer is full.", registry=registry
        )

    def given_up(self, topic: str, partition: int) -> None:
        """A partition is somebody else's now: where it stood here would be told as where it stands."""
        self.boundary.remove(topic, str(partition))
        if topic == EVENTS:
            for gauge in (self.waiting, self.clock, self.dead, self.duplicates):
                gauge.remove(str(partition))

    def flushed(self, rows: int, seconds: float) -> None:
        """A flush is durable."""
        self.rows.inc(rows)
        self.flush_seconds.observe(seconds)
