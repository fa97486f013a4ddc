"""Whole floors for acceptance runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from floorpulse.settings import load_settings
from floorpulse.wiring import clickhouse_client
from tests.acceptance.floors import WholeFloor

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

MakeFloor = Callable[..., WholeFloor]
KILLS = 5
KILLED_AFTER = 500
"""Events: so many more than at the last kill. A flush that breaks off again and again would be killed in one place."""
FEBRUARY_ZONE = ("--timezone", "Asia/Jerusalem")


@contextmanager
def _floors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeFloor]:
    """Starts floors (`up --detach` with the given options) and stops them at the end."""
    started: list[WholeFloor] = []

    def make(*options: str) -> WholeFloor:
        floor = WholeFloor(tmp_path_factory.mktemp("floor") / "data")
        started.append(floor)
        answer = floor.run("up", "--detach", *options)
        assert answer.code == 0, answer.err
        return floor

    try:
        yield make
    finally:
        for floor in started:
            floor.run("down")


@pytest.fixture(scope="module")
def make_floor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeFloor]:
    """Starts floors for the tests of one module."""
    with _floors(tmp_path_factory) as make:
        yield make


@pytest.fixture(scope="session")
def february() -> Path:
    """The real calls of February 1999, where this machine has them."""
    file = Path(__file__).parents[2].parent / "shared" / "data" / "anonymous_bank_feb1999.txt"
    if not file.exists():
        pytest.skip("the calls of February 1999 are not on this machine: no redistribution licence")
    return file


@pytest.fixture(scope="module")
def february_floor(tmp_path_factory: pytest.TempPathFactory, february: Path) -> Iterator[WholeFloor]:
    """The month, sent once while the worker is killed five times, and once more."""
    with _floors(tmp_path_factory) as make:
        floor = make("--clock", "event", *FEBRUARY_ZONE)
        _ingest_with_kills(floor, february)
        assert floor.run("ingest", "technion", str(february), *FEBRUARY_ZONE, "--again").code == 0
        drained = floor.run("drain")
        assert drained.code == 0, drained.err
        yield floor


def _ingest_with_kills(floor: WholeFloor, file: Path) -> None:
    """Kill the worker each time it has stored some more, while the file goes in and after."""
    ingest = floor.start("ingest", "technion", str(file), *FEBRUARY_ZONE)
    pause, stored, killed = threading.Event(), 0, 0
    with closing(clickhouse_client(load_settings(floor.data))) as client:
        for _ in range(KILLS):
            while (now := _stored(client)) < stored + KILLED_AFTER or floor.part("worker")["pid"] in {None, killed}:
                pause.wait(0.1)
            stored, killed = now, floor.kill("worker")
    code, _, errors = ingest.wait(300)
    assert code == 0, errors


def _stored(client: Client) -> int:
    return int(client.query("SELECT count() FROM events FINAL").result_rows[0][0])
