"""A floor to tell things to, with a ClickHouse of its own behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest
from clickhouse_connect.driver.client import Client

from floorpulse.wiring import clickhouse_client
from schemas.registry import Floor
from sinks.registry import store_registry
from tests.conftest import Schemas
from tests.traps.telling import Telling, at

MakeTelling = Callable[..., Telling]


@contextmanager
def tables(schemas: Schemas) -> Iterator[Client]:
    """A client on a database with all tables and views, which is emptied at the end of the context."""
    with schemas.lent() as settings, closing(clickhouse_client(settings)) as client:
        yield client


def told_to(client: Client, floor: Floor) -> Telling:
    """A floor whose facts go into a database, with its registry there."""
    store_registry(client, floor, "tests", at("2020-01-01T00:00"))
    return Telling(floor, client)


@pytest.fixture(scope="module")
def database(schemas: Schemas) -> Iterator[Client]:
    """A client on a database of the module's own."""
    with tables(schemas) as client:
        yield client


@pytest.fixture
def client(database: Client) -> Iterator[Client]:
    """The same client with every table empty."""
    yield database
    rows = database.query("SELECT name FROM system.tables WHERE database = currentDatabase() AND total_rows > 0")
    for (table,) in rows.result_rows:
        database.command(f"TRUNCATE TABLE `{table}` SYNC")


@pytest.fixture
def stored(client: Client) -> MakeTelling:
    """Makes a floor whose facts go into ClickHouse."""

    def make(floor: Floor | None = None) -> Telling:
        return told_to(client, floor or Floor())

    return make
