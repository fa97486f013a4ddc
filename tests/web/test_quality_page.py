"""The page on trouble with the data, over a real store."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from starlette.testclient import TestClient

from floorpulse.settings import Settings
from floorpulse.web.app import create_web
from floorpulse.wiring import clickhouse_client
from schemas.times import from_ms
from sinks.quality import CHECKS

Wait = Callable[[Callable[[], object]], None]


@pytest.fixture
def web(web_settings: Settings, stored_floor: Any, ledger: Any, wait_until: Wait) -> Iterator[TestClient]:
    """The web of a floor with a dead letter of now and one of two days ago."""
    now = from_ms(stored_floor.now_ms)
    rows = [["floor.events", 0, 1, "future", now], ["floor.events", 0, 2, "future", now - timedelta(days=2)]]
    stored_floor.client.insert("dead_letters", rows, column_names=["topic", "partition", "offset", "reason", "at"])
    with TestClient(create_web(web_settings, partial(clickhouse_client, web_settings), ledger)) as client:
        wait_until(lambda: client.get("/readyz").status_code == 200)
        yield client


def count_of(page: str, check: str) -> str:
    """The number in the row of a check."""
    match = re.search(rf'data-check="{check}".*?<td class="r">(.*?)</td>', page)
    assert match is not None
    return match[1]


def test_every_check_stands_on_the_page_with_its_rule(web: TestClient) -> None:
    """What was found, and what was looked for and not found; and the page is in the navigation."""
    page = web.get("/data-quality").text

    assert [check.name for check in CHECKS if check.name not in page] == []
    assert (count_of(page, "future"), count_of(page, "conflict")) == ("1", "0")
    assert "1 finding<" in page
    assert '<a href="/data-quality" aria-current="page">' in page


def test_the_span_is_the_one_asked_for(web: TestClient) -> None:
    """A week holds both letters; nonsense is the last day."""
    assert count_of(web.get("/data-quality?hours=168").text, "future") == "2"
    assert count_of(web.get("/data-quality?hours=x").text, "future") == "1"
