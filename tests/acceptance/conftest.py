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
KILLS_IN_A_WEEK = 1
"""A flush takes most of a week at once."""
KILLED_AFTER = 500
"""Events: so many more than at the last kill. A flush that breaks off again and again would be killed in one place."""
WEEK_ENDS = "990207"
_PAUSE = threading.Event()
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
def february(soak: bool, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real calls of February 1999, where this machine has them: those of the first week, all with `--soak`."""
    file = Path(__file__).parents[2].parent / "shared" / "data" / "anonymous_bank_feb1999.txt"
    if not file.exists():
        pytest.skip("the calls of February 1999 are not on this machine: no redistribution licence")
    if soak:
        return file
    head, *calls = file.read_text(encoding="utf-8").splitlines(keepends=True)
    place = head.split("\t").index("date")
    week = tmp_path_factory.mktemp("calls") / file.name
    week.write_text(head + "".join(call for call in calls if call.split("\t")[place] <= WEEK_ENDS), encoding="utf-8")
    return week


@pytest.fixture
def whole_month(soak: bool) -> None:
    """For what the first week cannot show."""
    if not soak:
        pytest.skip("all of February 1999: with --soak only; tests/sources/test_technion.py counts it as it is read")


@pytest.fixture(scope="session")
def kills(soak: bool) -> int:
    """How often the worker is killed while the first copy goes in; once more follows with the second."""
    return KILLS if soak else KILLS_IN_A_WEEK


@pytest.fixture(scope="module")
def february_floor(tmp_path_factory: pytest.TempPathFactory, february: Path, kills: int) -> Iterator[WholeFloor]:
    """The calls, sent twice while the worker is killed."""
    with _floors(tmp_path_factory) as make:
        floor = make("--clock", "event", *FEBRUARY_ZONE)
        _ingest_with_kills(floor, kills, str(february))
        _ingest_with_kills(floor, 1, str(february), "--again")
        drained = floor.run("drain")
        assert drained.code == 0, drained.err
        yield floor


def _ingest_with_kills(floor: WholeFloor, kills: int, *what: str) -> None:
    """Kill the worker each time it has stored the outcome of some more, while the file goes in and after."""
    with closing(clickhouse_client(load_settings(floor.data))) as client:
        stored, killed = _stored(client), 0
        ingest = floor.start("ingest", "technion", *what, *FEBRUARY_ZONE)
        for _ in range(kills):
            while (now := _stored(client)) < stored + KILLED_AFTER or floor.part("worker")["pid"] in {None, killed}:
                _PAUSE.wait(0.1)
            stored, killed = now, floor.kill("worker")
    code, _, errors = ingest.wait(300)
    assert code == 0, errors


def _stored(client: Client) -> int:
    """How many events have a checkpoint behind them, duplicates too."""
    return int(client.query("SELECT sum(rows + duplicates) FROM subjects FINAL WHERE hop = 1").result_rows[0][0])
