"""docs/query: every question with its SQL gives the rows that are printed below it, on a floor that is known."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from floorpulse.cli.query import reading_statement
from tests.analyst_floor import put_analyst_floor

PAGES = sorted((Path(__file__).parents[2] / "docs/query").glob("*.md"))
QUESTION = re.compile(r"^## (.+?)\n(.*?)^```sql\n(.*?)^```\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
QUESTIONS = [
    (f"{page.stem}: {title}", sql, printed)
    for page in PAGES
    for title, _words, sql, printed in QUESTION.findall(page.read_text(encoding="utf-8"))
]


@pytest.fixture(scope="module")
def morning(shared_schema: Client) -> Client:
    """A client on a database with the known floor."""
    put_analyst_floor(shared_schema)
    return shared_schema


def as_table(answer: str) -> list[list[str]]:
    """Head and rows of an answer in TabSeparatedWithNames; NULL is empty, as in the pages."""
    return [[cell.replace("\\N", "") for cell in line.split("\t")] for line in answer.splitlines()]


def printed_table(text: str) -> list[list[str]]:
    """Head and rows of the table that a page prints."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if not line.startswith("| --- ")]


def test_there_are_at_least_twenty_questions() -> None:
    """And each heading of a page is one."""
    headings = [
        line for page in PAGES for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("## ")
    ]

    assert len(QUESTIONS) == len(headings) >= 20


@pytest.mark.parametrize(("sql", "printed"), [q[1:] for q in QUESTIONS], ids=[q[0] for q in QUESTIONS])
def test_a_question_has_the_answer_that_is_printed(morning: Client, sql: str, printed: str) -> None:
    """Head and rows, to the last digit, as `floorpulse query` takes the statement."""
    answer = morning.raw_query(reading_statement(sql), fmt="TabSeparatedWithNames").decode()

    assert printed_table(printed) == as_table(answer)
