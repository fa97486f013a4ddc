"""The schema of ClickHouse: numbered SQL, applied in order, each file once; and its columns out of `schemas.panes`."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

import structlog

from schemas.panes import AGENT_COLUMNS, COLUMNS, QUEUE_COLUMNS, THRESHOLDS_S
from sinks.kpi_views import GROUPS, agent_day_view, kpi_view, rolling_view

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_MEANING = {column.name: column.meaning for column in COLUMNS}


def statements() -> list[tuple[str, str]]:
    """(file, statement) of the whole schema in the order of the files."""
    found = []
    for file in sorted(resources.files("sinks").joinpath("sql").iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".sql"):
            found += [(file.name, text) for text in _split(_filled(file.read_text(encoding="utf-8")))]
    return found


def apply_schema(client: Client, database: str) -> int:
    """Create what is missing; returns the number of statements. Views are replaced, tables are kept."""
    client.command(f"CREATE DATABASE IF NOT EXISTS {database}")
    client.database = database
    done = 0
    for _file, statement in statements():
        client.command(statement)
        done += 1
    structlog.get_logger(__name__).info("schema_applied", database=database, count=done)
    return done


def _filled(text: str) -> str:
    """The text with the columns of the panes and the KPIs put in."""
    filled = (
        text.replace("{agent_columns}", _columns(AGENT_COLUMNS))
        .replace("{queue_columns}", _columns(QUEUE_COLUMNS))
        .replace("{thresholds}", ", ".join(map(str, THRESHOLDS_S)))
        .replace("{agent_day}", agent_day_view())
        .replace("{rolling}", rolling_view())
    )
    for by in GROUPS:
        filled = filled.replace(f"{{kpi_{by}}}", kpi_view(by))
    return filled


def _columns(names: tuple[str, ...]) -> str:
    return "\n".join(f"    {name} UInt64 COMMENT '{_MEANING[name]}' CODEC(T64, ZSTD(1))," for name in names)


def _split(text: str) -> list[str]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("--")]
    return [statement.strip() for statement in "\n".join(lines).split(";\n") if statement.strip(" ;\n")]
