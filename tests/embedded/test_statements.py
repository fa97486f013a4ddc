"""What one HTTP request asks the engine to do."""

from __future__ import annotations

import pytest

from floorpulse.embedded.statements import Rows, Statement, read_statement
from schemas.errors import InputError

KNOWN = frozenset({"async_insert", "max_threads", "enable_http_compression"})


def rows_of(query: dict[str, str], body: bytes) -> Rows:
    """The rows of a request that is an insert."""
    rows = read_statement(query, body, KNOWN).rows
    assert rows is not None
    return rows


def test_settings_and_parameters_are_taken_apart() -> None:
    """The engine gets the settings it knows and the bound parameters, and nothing of HTTP's own."""
    query = {"database": "d", "async_insert": "0", "session_id": "x", "nosuch": "1", "param_a": "1"}

    statement = read_statement(query | {"enable_http_compression": "1"}, b"SELECT 1", KNOWN)

    assert statement == Statement("SELECT 1", "d", params={"a": "1"}, settings={"async_insert": "0"})


def test_statement_and_body_are_one_text() -> None:
    """A statement in the address goes on in the body."""
    assert read_statement({"query": "SELECT"}, b"1", KNOWN).sql == "SELECT\n1"


@pytest.mark.parametrize(
    "head",
    [
        "INSERT INTO t FORMAT Native",
        "insert into `d`.`t` (`a b`, `c)`) format native",
        "INSERT INTO TABLE d.t (a, b)\n FORMAT Native",
    ],
)
def test_rows_begin_after_the_first_line_end(head: str) -> None:
    """The bytes behind an INSERT's format and its line end are its rows."""
    assert bytes(rows_of({}, head.encode() + b"\n\n\x00 FORMAT x\n").data) == b"\n\x00 FORMAT x\n"


def test_the_whole_body_is_rows_when_the_statement_is_in_the_address() -> None:
    """Nothing of the body is read as SQL then."""
    rows = rows_of({"query": "INSERT INTO t SETTINGS async_insert = 0 FORMAT Native"}, b"INSERT")

    assert bytes(rows.data) == b"INSERT"
    assert (
        rows.from_file("/a'b")
        == "INSERT INTO t FROM INFILE '/a\\'b' COMPRESSION 'none' SETTINGS async_insert = 0 FORMAT Native"
    )


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO t SELECT 1 FORMAT Native\n",
        "INSERT INTO t VALUES (1)",
        "INSERT INTO t (a) VALUES (' FORMAT Native\n')",
        'INSERT INTO t FORMAT JSONEachRow {"a": 1}',
    ],
)
def test_other_inserts_are_left_to_the_engine(sql: str) -> None:
    """An INSERT that carries its rows in its own text, or selects them, runs as it is."""
    assert read_statement({}, sql.encode(), KNOWN).sql == sql


def test_a_hostile_head_is_read_in_no_time() -> None:
    """A megabyte that never becomes an INSERT does not make the reader search for ever."""
    body = b"INSERT INTO t (" + b"`a`, b " * 100_000

    assert read_statement({}, body, KNOWN).rows is None


@pytest.mark.parametrize("body", [b"", b"  \n", b"\xff\xfe"])
def test_what_is_no_statement_is_refused(body: bytes) -> None:
    """Nothing, and what is not UTF-8, is bad input."""
    with pytest.raises(InputError):
        read_statement({}, body, KNOWN)


@pytest.mark.parametrize("sql", ["SET a = 1", " use d", "CREATE TEMPORARY TABLE t (a Int8)"])
def test_session_statements_are_known(sql: str) -> None:
    """Statements that leave something on their connection are recognised."""
    assert Statement(sql).changes_session
    assert not Statement("SELECT 'SET a'").changes_session
