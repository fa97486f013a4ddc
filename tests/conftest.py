"""Real servers for the tests: one Kafka and one store for the whole run, a database of its own for each test."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr

from floorpulse.embedded import gate, kafka
from floorpulse.embedded.jars import installed_libs
from floorpulse.embedded.parts import answers_http
from floorpulse.embedded.ports import PortClaims
from floorpulse.settings import TOKEN_FILE, Settings
from floorpulse.wiring import clickhouse_client

Wait = Callable[[Callable[[], object]], None]


def _wait_until(condition: Callable[[], object], within_s: float = 30.0) -> None:
    deadline = time.monotonic() + within_s
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s} s"
        pause.wait(0.02)


@pytest.fixture(scope="session")
def wait_until() -> Wait:
    """Waits for a condition, and fails the test when it does not come true within 30 s."""
    return _wait_until


@contextmanager
def _running(command: list[str], log: Path, ready: Callable[[], bool]) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        _wait_until(lambda: process.poll() is not None or ready(), within_s=120)
        assert process.poll() is None, log.read_text()
        yield
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="session")
def port_claims() -> Iterator[PortClaims]:
    """Ports that no other floor on this machine takes while the tests run."""
    with PortClaims() as claims:
        yield claims


@pytest.fixture(scope="session")
def kafka_bootstrap(tmp_path_factory: pytest.TempPathFactory, port_claims: PortClaims) -> Iterator[str]:
    """The address of a real Kafka that runs for the whole session; topics live on from test to test."""
    folder = tmp_path_factory.mktemp("kafka")
    broker = kafka.Broker(folder, port_claims.claim(29_092), port_claims.claim(29_093))
    libs = installed_libs()
    kafka.write_files(broker)
    kafka.format_storage(broker, libs)
    command = kafka.command_line(broker, libs)
    with _running(command, folder / "kafka.log", lambda: kafka.answers(broker.bootstrap)):
        yield broker.bootstrap


@pytest.fixture(scope="session")
def clickhouse(tmp_path_factory: pytest.TempPathFactory, port_claims: PortClaims) -> Iterator[Settings]:
    """Settings of a real store that runs for the whole session; its database `floorpulse` is empty."""
    data = tmp_path_factory.mktemp("store")
    port = port_claims.claim(28_123)
    command = [sys.executable, "-m", "floorpulse.embedded.store", "--data", str(data), "--port", str(port)]
    with _running(command, data / "store.log", lambda: answers_http(port, "/ping")):
        yield Settings().model_copy(
            update={
                "data": data,
                "clickhouse_url": f"http://127.0.0.1:{port}",
                "clickhouse_user": "default",
                "clickhouse_password": SecretStr(gate.token_of(data / TOKEN_FILE)),
                "clickhouse_database": "floorpulse",
            }
        )


@pytest.fixture(scope="session")
def floor_settings(clickhouse: Settings, kafka_bootstrap: str) -> Settings:
    """Settings of the session's Kafka and store together."""
    return clickhouse.model_copy(update={"kafka_bootstrap": kafka_bootstrap})


@contextmanager
def _own_database(settings: Settings) -> Iterator[Settings]:
    name = f"test_{uuid.uuid4().hex}"
    client = clickhouse_client(settings, database="default")
    client.command(f"CREATE DATABASE {name}")
    try:
        yield settings.model_copy(update={"clickhouse_database": name})
    finally:
        client.command(f"DROP DATABASE IF EXISTS {name} SYNC")
        client.close()


@pytest.fixture
def own_database(clickhouse: Settings) -> Iterator[Settings]:
    """The session's store with an empty database that only this test uses."""
    with _own_database(clickhouse) as settings:
        yield settings


@pytest.fixture
def own_floor(floor_settings: Settings) -> Iterator[Settings]:
    """The session's Kafka, and its store with an empty database that only this test uses."""
    with _own_database(floor_settings) as settings:
        yield settings
