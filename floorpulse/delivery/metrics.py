"""What delivery tells Prometheus. Labels are bounded: receivers are named in one file."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge


class DeliveryMetrics:
    """Metric objects on a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.waiting = Gauge(
            "floorpulse_delivery_waiting_messages",
            "Messages that a courier holds; at most 20 wait behind the one under way.",
            ["receiver"],
            registry=self.registry,
        )
        self.oldest = Gauge(
            "floorpulse_delivery_oldest_seconds", "Age of the oldest message that is not sent.", registry=self.registry
        )
        self.messages = Counter(
            "floorpulse_delivery_messages", "Messages by how they ended.", ["outcome"], registry=self.registry
        )
