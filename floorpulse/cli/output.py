"""What commands that print rows share: `--data`, `--format`, and the three ways to print."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from floorpulse.plain_text import as_text

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


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], right: Iterable[str] = ()) -> None:
    """A table on stdout, wide enough for its rows where stdout is no terminal; `right` are columns of numbers."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table()
    numbers = set(right)
    for column in columns:
        table.add_column(Text(column), justify="right" if column in numbers else "left")
    for row in rows:
        table.add_row(*map(Text, row))
    console = Console()
    (console if console.is_terminal else Console(width=_WIDE)).print(table)


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
