"""What the web tells Prometheus, in a registry of its own."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest


class WebMetrics:
    """Pages served, polls and viewers."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "floorpulse_web_requests", "Requests answered.", ("page", "status"), registry=self.registry
        )
        self.poll_seconds = Histogram(
            "floorpulse_web_poll_seconds", "Time to read and build the board, s.", registry=self.registry
        )
        self.viewers = Gauge("floorpulse_web_viewers", "Live pages open now.", registry=self.registry)
        self.differences = Gauge(
            "floorpulse_differences",
            "What the proof found last that is not as it must be: offsets, rows, dead_letters, pane, quarter, chain.",
            ("what",),
            registry=self.registry,
        )
        self.proved = Gauge(
            "floorpulse_proof_timestamp_seconds", "When the proof was last done, or began.", registry=self.registry
        )

    def text(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self.registry)
