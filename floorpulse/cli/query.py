"""`floorpulse query`: SQL on the floor's ClickHouse, read-only."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from floorpulse.cli.exits import guarded
from floorpulse.cli.output import NO_DATA, Data, Format, FormatOption, print_json, print_table
from schemas.errors import InputError

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_READING = ("SELECT", "WITH", "SHOW", "DESCRIBE", "DESC", "EXPLAIN", "EXISTS")
_NO_CODE = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^'\\]|\\.|'')*'", re.DOTALL)
_READ_ONLY = {"readonly": "2", "format_csv_null_representation": ""}
"""2: nothing is written, and the settings that each request brings are still taken."""


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(guarded(query))


def query(
    sql: Annotated[str, typer.Argument(help="One statement that reads, e.g. 'SELECT count() FROM events_current'.")],
    output: FormatOption = Format.TABLE,
    data: Data = NO_DATA,
) -> None:
    """Ask the floor's ClickHouse; nothing can be changed."""
    from floorpulse.settings import load_settings
    from floorpulse.wiring import clickhouse_client

    statement = reading_statement(sql)
    answer = run_query(clickhouse_client(load_settings(data)), statement, output)
    if output is Format.CSV:
        typer.echo(answer, nl=False)
        return
    found = json.loads(answer)
    columns = [column["name"] for column in found["meta"]]
    if output is Format.JSON:
        print_json([dict(zip(columns, row, strict=True)) for row in found["data"]])
    else:
        numbers = [
            column["name"] for column in found["meta"] if re.match(r"(Nullable\()?(U?Int|Float)", column["type"])
        ]
        print_table(columns, ([_cell(value) for value in row] for row in found["data"]), numbers)


def reading_statement(sql: str) -> str:
    """The statement without a semicolon at its end; InputError when it is not one, or none that only reads."""
    statement = sql.strip().rstrip("; \n\t")
    code = _NO_CODE.sub(" ", statement).strip().lstrip("(").upper()
    if not code.startswith(_READING):
        raise InputError(f"only statements that read are taken: expected one of {', '.join(_READING)}")
    if ";" in code:
        raise InputError("one statement is taken: expected nothing after the semicolon")
    if re.search(r"\bINTO\s+OUTFILE\b", code):
        raise InputError("INTO OUTFILE is not taken: use --format and redirect the output")
    return statement


def run_query(client: Client, statement: str, output: Format) -> str:
    """The answer as CSV with a head line, else as ClickHouse's JSONCompact; InputError in one line."""
    form = "CSVWithNames" if output is Format.CSV else "JSONCompact"
    with refusals_in_one_line():
        return client.raw_query(statement, fmt=form, settings=_READ_ONLY).decode("utf-8", "replace")


@contextmanager
def refusals_in_one_line() -> Iterator[None]:
    """InputError with the words of ClickHouse where it refuses a statement."""
    from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError

    try:
        yield
    except OperationalError:
        raise
    except DatabaseError as error:
        raise InputError(clickhouse_words(str(error))) from None


def clickhouse_words(message: str) -> str:
    """What ClickHouse said, in one line, without what the client put around it."""
    text = " ".join(message.split())
    said = (
        text[text.find("DB::Exception:") :].removeprefix("DB::Exception:").strip() if "DB::Exception:" in text else text
    )
    return said[:500]


def _cell(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
