"""The parts of a floor as data: name, command, ports, when each counts as ready."""

from __future__ import annotations

import http.client
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from floorpulse.embedded import kafka
from floorpulse.embedded.ports import LOOPBACK, reached_at
from floorpulse.settings import Settings

Ready = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Part:
    """
    One process of the floor.

    `ready` is asked from `settle_s` after the start until it says yes; it may block for some seconds.
    """

    name: str
    command: tuple[str, ...]
    ready: Ready
    ports: dict[str, int] = field(default_factory=dict)
    stop_s: float = 10.0
    settle_s: float = 0.2


def base_parts(settings: Settings, broker: kafka.Broker, libs: Path) -> list[Part]:
    """Kafka and the store: what everything else needs."""
    store_port = settings.clickhouse().port
    store = [sys.executable, "-u", "-m", "floorpulse.embedded.store"]
    return [
        Part(
            "kafka",
            tuple(kafka.command_line(broker, libs)),
            ready=lambda: listens(broker.port) and kafka.answers(broker.bootstrap),
            ports={"kafka": broker.port, "controller": broker.controller_port},
            stop_s=20.0,
        ),
        Part(
            "store",
            (*store, "--data", str(settings.data), "--port", str(store_port)),
            ready=lambda: answers_http(store_port, "/ping"),
            ports={"http": store_port},
            stop_s=20.0,
        ),
    ]


def product_parts(settings: Settings) -> list[Part]:
    """The parts of floorpulse itself, in the order of their start; they stop in reverse."""
    data, metrics_host = settings.data, settings.metrics_host
    return [
        _command("worker", data, metrics_host, {"metrics": settings.metrics_port}, stop_s=20.0),
        _command("delivery", data, metrics_host, {"metrics": settings.delivery_metrics_port}),
        _command("gateway", data, settings.gateway_host, {"http": settings.gateway_port}),
        _command("web", data, settings.web_host, {"http": settings.web_port}),
    ]


def _command(name: str, data: Path, host: str, ports: dict[str, int], stop_s: float = 10.0) -> Part:
    """A part that says itself when it is ready, on its one port."""
    run = (sys.executable, "-u", "-m", "floorpulse.cli.main", name, "--data", str(data))
    (port,) = ports.values()
    return Part(name, run, lambda: answers_http(port, "/readyz", reached_at(host)), ports, stop_s)


def listens(port: int) -> bool:
    """Whether something accepts connections on the loopback port."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1):
            return True
    except OSError:
        return False


def answers_http(port: int, path: str, host: str = LOOPBACK) -> bool:
    """Whether the port answers a GET with anything but a server's error."""
    connection = http.client.HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
