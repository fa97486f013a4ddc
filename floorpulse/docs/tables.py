"""The page on ClickHouse: every table and view with the comments of its columns, out of the SQL that makes them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from floorpulse.docs.markdown import code, page, table
from sinks.schema import statements

_HEAD = re.compile(
    r"CREATE (?:TABLE IF NOT EXISTS|OR REPLACE VIEW|MATERIALIZED VIEW IF NOT EXISTS) (\w+)(?: TO \w+)? *(\(| AS|AS)"
)
_COLUMN = re.compile(r"^ {4}(\w+) (.+?) COMMENT '((?:[^']|'')*)'", re.MULTILINE)
_COMMENT = re.compile(r"COMMENT '((?:[^']|'')*)'\s*;?\s*$")
_DEFAULT = re.compile(r" DEFAULT .*")
_PARAMETER = re.compile(r"\{(\w+):([A-Za-z0-9]+(?:\([^{}]*\))?)\}")


@dataclass(frozen=True, slots=True)
class Relation:
    """A table or view: its comment, its columns (name, type, comment), the parameters it takes."""

    name: str
    is_view: bool
    comment: str
    columns: tuple[tuple[str, str, str], ...]
    parameters: tuple[tuple[str, str], ...]


def relations() -> Iterator[Relation]:
    """Every table and view in the order of the SQL."""
    for _file, text in statements():
        head = _HEAD.search(text)
        assert head is not None, text[:80]
        comment = _COMMENT.search(text)
        yield Relation(
            head[1],
            "VIEW" in head[0],
            comment[1].replace("''", "'") if comment else "",
            tuple(_columns(text)) if head[2] == "(" else (),
            tuple(dict(_PARAMETER.findall(text)).items()),
        )


def schema_page() -> str:
    """Tables first, then views."""
    found = list(relations())
    parts = ["## Tables"]
    for relation in found:
        parts += [] if relation.is_view else _shown(relation)
    parts.append("## Views")
    for relation in found:
        parts += _shown(relation) if relation.is_view else []
    return page(
        "Tables and views",
        "What ClickHouse holds, in the database of the setting `clickhouse_database`. Read views first: they hold "
        "what counts, and ratios are made there. The same words stand in the comments of ClickHouse itself.",
        parts,
    )


def _columns(text: str) -> Iterator[tuple[str, str, str]]:
    for name, kind, comment in _COLUMN.findall(text):
        yield name, _DEFAULT.sub("", kind), comment.replace("''", "'")


def _shown(relation: Relation) -> list[str]:
    parts = [f"### {relation.name}", f"{relation.comment}."]
    if relation.parameters:
        given = ", ".join(f"`{name}` {kind}" for name, kind in relation.parameters)
        parts.append(f"Parameters: {given}.")
    if relation.columns:
        rows = [(code(name), code(kind), comment) for name, kind, comment in relation.columns]
        parts.append(table(("column", "type", "meaning"), rows))
    return parts
