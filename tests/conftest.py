"""Real servers for the tests: one Kafka and one store for the whole run, a database of its own for each test."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from floorpulse.embedded import gate, kafka
from floorpulse.embedded.jars import installed_libs
from floorpulse.embedded.parts import answers_http
from floorpulse.embedded.ports import PortClaims
from floorpulse.settings import TOKEN_FILE, Settings
from floorpulse.wiring import clickhouse_client
from sinks.schema import apply_schema

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

Wait = Callable[[Callable[[], object]], None]


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--soak`: the long runs."""
    parser.addoption("--soak", action="store_true", help="runs in full length, and the page of the fault runs")


@pytest.fixture(scope="session")
def soak(request: pytest.FixtureRequest) -> bool:
    """True for the long runs."""
    return bool(request.config.getoption("--soak"))


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


class Schemas:
    """
    Databases with the whole schema and no row, lent to one test or file at a time and emptied after it.

    Making one takes as long as many a test does.
    """

    def __init__(self, settings: Settings) -> None:
        """None is there yet."""
        self._settings = settings
        self._free: list[str] = []
        self._columns: list[tuple[str, ...]] = []

    @contextmanager
    def lent(self) -> Iterator[Settings]:
        """Settings of a store with such a database; whoever changes the schema itself makes one of its own."""
        name = self._free.pop() if self._free else self._made()
        yield self._settings.model_copy(update={"clickhouse_database": name})
        with closing(clickhouse_client(self._settings, database=name)) as client:
            assert _columns_of(client) == self._columns, "the schema was changed: `own_database` is for that"
            sql = "SELECT name FROM system.tables WHERE database = currentDatabase() AND total_rows > 0"
            for (table,) in client.query(sql).result_rows:
                client.command(f"TRUNCATE TABLE `{table}` SYNC")
        self._free.append(name)

    def _made(self) -> str:
        name = f"whole_{uuid.uuid4().hex}"
        with closing(clickhouse_client(self._settings, database="default")) as client:
            apply_schema(client, name)
            self._columns = _columns_of(client)
        return name


def _columns_of(client: Client) -> list[tuple[str, ...]]:
    sql = "SELECT table, name, type FROM system.columns WHERE database = currentDatabase() ORDER BY ALL"
    return [tuple(row) for row in client.query(sql).result_rows]


@pytest.fixture(scope="session")
def schemas(clickhouse: Settings) -> Schemas:
    """Lends databases of the session's store."""
    return Schemas(clickhouse)


@pytest.fixture
def own_schema(schemas: Schemas) -> Iterator[Settings]:
    """The session's store with a database that has the whole schema, no row, and only this test."""
    with schemas.lent() as settings:
        yield settings


@pytest.fixture(scope="module")
def shared_schema(schemas: Schemas) -> Iterator[Client]:
    """A client on a database with the whole schema and no row, for the tests of one file."""
    with schemas.lent() as settings, closing(clickhouse_client(settings)) as client:
        yield client


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
