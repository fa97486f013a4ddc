"""Servers of a test's own: a Kafka that nobody else writes to, and workers on it for one database after the other."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from floorpulse.embedded import kafka
from floorpulse.embedded.jars import installed_libs
from floorpulse.embedded.ports import PortClaims
from floorpulse.settings import Settings

WITHIN_S = 120
"""Whole servers on a busy machine take their time."""


def wait_for(condition: Callable[[], object]) -> None:
    """Wait until a condition is true; fails after two minutes."""
    deadline, pause = time.monotonic() + WITHIN_S, threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"not within {WITHIN_S} s"
        pause.wait(0.05)


@contextmanager
def own_broker(folder: Path, ports: PortClaims) -> Iterator[str]:
    """The address of a Kafka that runs until the end of the context."""
    broker = kafka.Broker(folder, ports.claim(29_192), ports.claim(29_193))
    libs = installed_libs()
    kafka.write_files(broker)
    kafka.format_storage(broker, libs)
    with _process(kafka.command_line(broker, libs), folder / "kafka.log", os.environ.copy()):
        wait_for(lambda: kafka.answers(broker.bootstrap))
        yield broker.bootstrap


@contextmanager
def worker(settings: Settings, folder: Path) -> Iterator[None]:
    """A worker of a floor, stopped as a person would stop it at the end of the context."""
    given = {
        "FLOORPULSE_KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
        "FLOORPULSE_CLICKHOUSE_URL": settings.clickhouse_url,
        "FLOORPULSE_CLICKHOUSE_PASSWORD": settings.clickhouse_password.get_secret_value(),
        "FLOORPULSE_CLICKHOUSE_DATABASE": settings.clickhouse_database,
        "FLOORPULSE_CLOCK": settings.clock,
        "FLOORPULSE_METRICS_PORT": "0",
    }
    command = [sys.executable, "-m", "floorpulse.cli.main", "worker", "--data", str(folder)]
    with _process(command, folder / f"{settings.clickhouse_database}.log", os.environ | given):
        yield


@contextmanager
def _process(command: list[str], log: Path, environment: dict[str, str]) -> Iterator[None]:
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment, cwd=log.parent)
    try:
        yield
        assert process.poll() is None, log.read_text()[-2_000:]
    finally:
        process.terminate()
        process.wait(WITHIN_S)
