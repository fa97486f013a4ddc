"""Numbers of ingests: a run is taken back by its number, so no two runs may have the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from sources.readers.ingests import Ingests

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)


class Interrupted:
    """A client of a run: after its first question, or its first insert, another run does something."""

    def __init__(self, client: Client, after: str, between: Callable[[], object]) -> None:
        self._client = client
        self._between = {after: between}

    def query(self, query: str, parameters: dict[str, Any] | None = None) -> Any:
        """As the client."""
        answer = self._client.query(query, parameters=parameters)
        self._between.pop("query", lambda: None)()
        return answer

    def insert(self, table: str, data: Sequence[Sequence[Any]], column_names: Sequence[str]) -> Any:
        """As the client."""
        self._client.insert(table, data, column_names=column_names)
        self._between.pop("insert", lambda: None)()


def known(client: Any) -> Ingests:
    return Ingests(client, lambda: NOW)


def test_numbers_go_on_from_the_last_run(client: Client) -> None:
    """Of runs from before numbers were noted too; several files of one run have numbers in a row."""
    assert known(client).take_numbers(2) == 1
    assert known(client).take_numbers(1) == 3

    known(client).start(9, Path("old.csv"), "hash", "csv", "crm")

    assert known(client).take_numbers(1) == 10
    assert known(client).last_number() == 9


@pytest.mark.parametrize(("after", "others", "mine"), [("query", 1, 4), ("insert", 3, 6)])
def test_runs_that_begin_together_have_numbers_of_their_own(client: Client, after: str, others: int, mine: int) -> None:
    """Another run takes three once this one knows the last number, or has said what it wants: this one sees it."""
    taken: list[int] = []
    run = known(Interrupted(client, after, lambda: taken.append(known(client).take_numbers(3))))

    assert run.take_numbers(2) == mine
    assert taken == [others]
