"""Whole floors for acceptance runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance.floors import WholeFloor

MakeFloor = Callable[..., WholeFloor]


@pytest.fixture(scope="module")
def make_floor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeFloor]:
    """Starts floors (`up --detach` with the given options) and stops them at the end."""
    started: list[WholeFloor] = []

    def make(*options: str) -> WholeFloor:
        floor = WholeFloor(tmp_path_factory.mktemp("floor") / "data")
        started.append(floor)
        answer = floor.run("up", "--detach", *options)
        assert answer.code == 0, answer.err
        return floor

    yield make
    for floor in started:
        floor.run("down")


@pytest.fixture(scope="session")
def february() -> Path:
    """The real calls of February 1999, where this machine has them."""
    file = Path(__file__).parents[2].parent / "shared" / "data" / "anonymous_bank_feb1999.txt"
    if not file.exists():
        pytest.skip("the calls of February 1999 are not on this machine: no redistribution licence")
    return file
