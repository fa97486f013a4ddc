"""A real Kafka and a real ClickHouse for a measurement: started in a fresh folder, gone afterwards."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from pydantic import SecretStr

from floorpulse.embedded import gate, kafka
from floorpulse.embedded.jars import installed_libs
from floorpulse.embedded.parts import answers_http, listens
from floorpulse.embedded.ports import PortClaims
from floorpulse.prepare import prepare
from floorpulse.publish import publish_registry
from floorpulse.settings import TOKEN_FILE, Settings
from schemas.errors import Unavailable
from schemas.registry import Floor

READY_WITHIN_S = 120.0
BY = "benchmarks"


@contextmanager
def running_servers(partitions: int, clock: str) -> Iterator[Settings]:
    """Kafka and the store without topics and tables; the settings to reach them. Unavailable: one does not start."""
    folder = Path(tempfile.mkdtemp(prefix="floorpulse-bench-"))
    try:
        with ExitStack() as stack:
            ports = stack.enter_context(PortClaims())
            broker = kafka.Broker(folder / "kafka", ports.claim(39_092), ports.claim(39_093))
            stack.enter_context(_running_broker(broker))
            stack.enter_context(_running_store(folder, store := ports.claim(38_123)))
            yield Settings().model_copy(
                update={
                    "data": folder,
                    "kafka_bootstrap": broker.bootstrap,
                    "clickhouse_url": f"http://127.0.0.1:{store}",
                    "clickhouse_user": "default",
                    "clickhouse_password": SecretStr(gate.token_of(folder / TOKEN_FILE)),
                    "clickhouse_database": "floorpulse",
                    "clock": clock,
                    "partitions": partitions,
                    "metrics_port": ports.claim(38_323),
                }
            )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running_floor(floor: Floor, partitions: int, clock: str) -> Iterator[Settings]:
    """The servers with topics, tables, a registry and the starter rules."""
    with running_servers(partitions, clock) as settings:
        prepare(settings)
        publish_registry(settings, floor, BY)
        yield settings


def as_given(settings: Settings) -> dict[str, object]:
    """The settings as plain values for another process."""
    values = settings.model_dump(mode="json")
    return values | {"clickhouse_password": settings.clickhouse_password.get_secret_value()}


def as_environment(settings: Settings) -> dict[str, str]:
    """The environment of a command of floorpulse that shall use these settings."""
    return {**os.environ, **{f"FLOORPULSE_{key.upper()}": str(value) for key, value in as_given(settings).items()}}


@contextmanager
def _running_broker(broker: kafka.Broker) -> Iterator[None]:
    libs = installed_libs()
    kafka.write_files(broker)
    kafka.format_storage(broker, libs)
    log = broker.folder / "kafka.log"
    with _running(
        kafka.command_line(broker, libs), log, lambda: listens(broker.port) and kafka.answers(broker.bootstrap)
    ):
        yield


@contextmanager
def _running_store(folder: Path, port: int) -> Iterator[None]:
    command = [sys.executable, "-m", "floorpulse.embedded.store", "--data", str(folder), "--port", str(port)]
    with _running(command, folder / "store.log", lambda: answers_http(port, "/ping")):
        yield


@contextmanager
def _running(command: list[str], log: Path, ready: Callable[[], bool]) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        deadline = time.monotonic() + READY_WITHIN_S
        while not ready():
            if process.poll() is not None or time.monotonic() > deadline:
                raise Unavailable(f"{command[0]} did not start: {log.read_text(encoding='utf-8')[-500:]}")
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(30)
