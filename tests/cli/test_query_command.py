"""`floorpulse query`: reads, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from floorpulse.cli.query import reading_statement

Run = Callable[..., Any]


def test_json_is_a_list_of_objects(run_on_store: Run) -> None:
    """Numbers stay numbers, NULL is null."""
    ended = run_on_store("query", "SELECT 2 AS a, NULL AS b, 'x' AS c;", "--format", "json")

    assert json.loads(ended.out) == [{"a": 2, "b": None, "c": "x"}]


def test_csv_has_a_head_line(run_on_store: Run) -> None:
    """CSV is ClickHouse's own, but for NULL, which is an empty field as in every other CSV of this program."""
    ended = run_on_store("query", "SELECT number AS n, NULL AS nothing FROM numbers(2)", "--format", "csv")

    assert ended.out == '"n","nothing"\n0,\n1,\n'


def test_a_table_shows_text_as_it_is(run_on_store: Run) -> None:
    """Brackets in a value are no markup."""
    ended = run_on_store("query", "SELECT '[red]x' AS v")

    assert "[red]x" in ended.out


def test_an_error_of_clickhouse_is_one_line(run_on_store: Run) -> None:
    """The words of ClickHouse without a traceback: exit 2."""
    ended = run_on_store("query", "SELECT nonsense FROM system.one")

    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("Unknown expression identifier `nonsense`")
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize(
    "sql", ["DROP TABLE events", "INSERT INTO t VALUES (1)", "", "/* SELECT */ TRUNCATE t", "SET readonly = 0"]
)
def test_statements_that_change_are_refused(run: Run, sql: str) -> None:
    """Only statements that read are sent at all."""
    ended = run("query", sql)

    assert ended.code == 2
    assert ended.err.startswith("only statements that read are taken")


def test_one_statement_is_taken(run: Run) -> None:
    """Two are refused in one line, as their answers are not one; a semicolon in a text, or at the end, is no second."""
    ended = run("query", "SELECT ';' AS a; SELECT 2")

    assert (ended.code, ended.err) == (2, "one statement is taken: expected nothing after the semicolon\n")
    assert reading_statement("SELECT ';' AS a -- ;\n;") == "SELECT ';' AS a --"


def test_an_answer_is_not_written_to_files(run: Run) -> None:
    """INTO OUTFILE would write where the store runs."""
    ended = run("query", "SELECT 1 INTO  OUTFILE '/nowhere'")

    assert ended.code == 2
    assert ended.err.startswith("INTO OUTFILE is not taken")


def test_the_store_is_asked_read_only(run_on_store: Run) -> None:
    """What gets past the words is stopped by ClickHouse."""
    ended = run_on_store("query", "SELECT 1 SETTINGS readonly = 0")

    assert ended.code == 2
    assert "readonly" in ended.err


def test_no_floor_is_one_line(run: Run) -> None:
    """Without a floor the command says how to start one."""
    ended = run("query", "SELECT 1")

    assert ended.code == 2
    assert ended.err.startswith("no floor found in .floorpulse")
