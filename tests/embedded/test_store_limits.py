"""What the store refuses, without an engine behind it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest
from aiohttp.test_utils import TestClient, TestServer

from floorpulse.embedded.engine import NOT_ENOUGH_SPACE, Answer, Engine, EngineError, refused_by_disk
from floorpulse.embedded.statements import Statement
from floorpulse.embedded.store import Store, make_app, serve
from schemas.errors import ConfigError

HEADERS = {"X-ClickHouse-User": "default", "X-ClickHouse-Key": "token"}


@dataclass
class FakeEngine:
    """Answers every statement with its own text."""

    pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))

    def run(self, statement: Statement) -> Answer:
        if statement.sql == "full":
            with refused_by_disk(Path("spool")), open("/dev/full", "wb", buffering=0) as disk:
                disk.write(b"x")
        return Answer(statement.sql.encode(), 1, 1, 1)

    def close(self) -> None:
        self.pool.shutdown()


def server(largest_body: int = 100) -> TestClient:  # type: ignore[type-arg]
    """A client of a store with a fake engine."""
    store = Store(cast(Engine, FakeEngine()), frozenset(), "token")
    return TestClient(TestServer(make_app(store, largest_body)))


async def test_the_key_header_is_the_token() -> None:
    """The token may come in ClickHouse's own headers as well."""
    async with server() as client:
        answer = await client.post("/", data="SELECT 1", headers=HEADERS)

        assert await answer.text() == "SELECT 1"


@pytest.mark.parametrize("headers", [{}, {"X-ClickHouse-Key": "tokem"}, {"Authorization": "Bearer token"}])
async def test_no_token_no_answer(headers: dict[str, str]) -> None:
    """A missing, a wrong and a misplaced token are all refused with ClickHouse's code."""
    async with server() as client:
        answer = await client.post("/", data="SELECT 1", headers=headers)

        assert (answer.status, answer.headers["X-ClickHouse-Exception-Code"]) == (403, "516")


async def test_a_body_beyond_the_limit_is_refused() -> None:
    """No request may fill the memory of the store."""
    async with server(largest_body=100) as client:
        answer = await client.post("/", data=b"x" * 101, headers=HEADERS)

        assert answer.status == 413


async def test_a_full_disk_is_the_engines_code() -> None:
    """A full disk is answered as ClickHouse answers it, so that clients keep their rows and retry."""
    async with server() as client:
        answer = await client.post("/", data="full", headers=HEADERS)

        assert (answer.status, answer.headers["X-ClickHouse-Exception-Code"]) == (500, str(NOT_ENOUGH_SPACE))


def test_other_disk_faults_keep_their_words() -> None:
    """A fault that is not a full disk is not called one."""
    with pytest.raises(EngineError, match="No such file") as refused, refused_by_disk(Path("spool")):
        Path("/nowhere/at/all").read_bytes()

    assert refused.value.code != NOT_ENOUGH_SPACE


def test_a_path_with_wildcards_is_refused(tmp_path: Path) -> None:
    """The engine would read a star in the path as a pattern."""
    with pytest.raises(ConfigError, match="must not hold"):
        serve(tmp_path / "a*b", 1)
