"""What commands that print rows share: `--data`, `--format`, and the three ways to print."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from floorpulse.plain_text import as_text
from schemas.errors import InputError

Data = Annotated[Path, typer.Option("--data", help="Data folder of the floor.")]
Viewer = Annotated[str, typer.Option("--as", help="Work id of the person who looks; else the name of the login.")]
NO_DATA = Path(".floorpulse")
_WIDE = 400


class Format(StrEnum):
    """How rows are printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


FormatOption = Annotated[Format, typer.Option("--format", help="table, json or csv.")]


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], right: Iterable[str] = (), whole: Iterable[str] = ()
) -> None:
    """
    A table on stdout, wide enough for its rows where stdout is no terminal; no text is cut, and none is markup.

    `right` are columns of numbers, `whole` those that a narrow terminal does not break either.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table()
    numbers, unbroken = set(right), set(whole)
    for column in columns:
        side: Literal["right", "left"] = "right" if column in numbers else "left"
        table.add_column(Text(column), justify=side, no_wrap=column in unbroken, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    console = Console()
    (console if console.is_terminal else Console(width=_WIDE)).print(table)


def print_rows(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], output: Format, right: Iterable[str] = ()
) -> None:
    """Rows in the format that was asked for; None is an empty cell, in JSON null."""
    if output is Format.JSON:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
    elif output is Format.CSV:
        print_csv(columns, rows)
    else:
        print_table(columns, (["" if value is None else str(value) for value in row] for row in rows), right)


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr, on a terminal only; what it gives is told how many are done of how many."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def write_output(file: Path, content: bytes) -> None:
    """Write the file of `--output`. InputError: it cannot be written."""
    try:
        file.write_bytes(content)
    except OSError as error:
        raise InputError(f"--output {file}: cannot be written: {error.strerror}") from None


def print_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """CSV with a head line on stdout; None is an empty field, and text is no formula to whoever opens it."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([as_text(value) for value in row] for row in rows)


def print_json(value: Any) -> None:
    """Indented JSON on stdout."""
    sys.stdout.write(as_json(value))


def as_json(value: Any) -> str:
    """Indented JSON, with a line end."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
