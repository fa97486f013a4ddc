"""`/metrics` of a process that serves nothing else."""

from __future__ import annotations

import socket

import pytest
from prometheus_client import CollectorRegistry

from floorpulse.serving import serve_metrics
from schemas.errors import ConfigError


def test_a_port_that_is_taken_is_named() -> None:
    """A second delivery on one machine ends with one line that says which port it wanted."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(ConfigError, match=f"127.0.0.1:{port}: no place for /metrics: Address already in use"):
            serve_metrics(("127.0.0.1", port), CollectorRegistry(), lambda: "")
