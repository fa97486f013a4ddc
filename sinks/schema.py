"""The schema of ClickHouse: numbered SQL, applied in order; its columns out of `schemas.panes`, its KPIs too."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

import structlog

from schemas.panes import AGENT_COLUMNS, COLUMNS, MAPS, QUEUE_COLUMNS, THRESHOLDS_S
from sinks.card_views import AGENT_CARD, TEAM_DAY, card_view
from sinks.day_views import agent_day_view, rolling_view
from sinks.kpi_groups import GROUPS
from sinks.kpi_views import kpi_view
from sinks.places import places_of, store_places
from sinks.registry import load_registry
from sinks.retention import DEFAULT_RETENTION, Retention, note_retention
from sinks.upgrades import backfills, changes, standing

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_NUMBER = "toFloat64OrZero(told.started_at)"
_STARTED_AT = (
    "ifNull(parseDateTime64BestEffortOrNull(translateUTF8(told.started_at, 'tz,_\N{MINUS SIGN}', 'TZ.T-'), 3, 'UTC'),"
    f" fromUnixTimestamp64Milli(toInt64({_NUMBER} * if({_NUMBER} > 20000000000, 1, 1000)), 'UTC'))"
)
"""The start of a contact in a payload, `told`, in every way to write one that the decoder takes."""
_MEANING = {column.name: column.meaning for column in COLUMNS}


def statements(retention: Retention = DEFAULT_RETENTION) -> list[tuple[str, str]]:
    """(file, statement) of the whole schema in the order of the files."""
    found = []
    for file in sorted(resources.files("sinks").joinpath("sql").iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".sql"):
            text = _filled(file.read_text(encoding="utf-8"), retention)
            found += [(file.name, statement) for statement in _split(text)]
    return found


def apply_schema(client: Client, database: str, retention: Retention = DEFAULT_RETENTION) -> int:
    """
    Create what is missing; returns the number of statements of the schema.

    Views are replaced. Tables are kept: columns that they lack are added, and another retention is set and noted.
    """
    client.command(f"CREATE DATABASE IF NOT EXISTS {database}")
    client.database = database
    before = standing(client)
    schema = statements(retention)
    for _file, statement in schema:
        client.command(statement)
        for change in changes(before, statement):
            client.command(change)
    for backfill in backfills(before):
        client.command(backfill)
    if "registry" in before.columns and "places" not in before.columns:
        registry = load_registry(client)
        store_places(client, registry.revision, places_of(registry))
    note_retention(client, retention)
    structlog.get_logger(__name__).info("schema_applied", database=database, count=len(schema))
    return len(schema)


def _filled(text: str, retention: Retention) -> str:
    """The text with the columns of the panes, the KPIs and the retention put in."""
    filled = (
        text.replace("{agent_columns}", _columns(AGENT_COLUMNS))
        .replace("{agent_maps}", _maps())
        .replace("{queue_columns}", _columns(QUEUE_COLUMNS))
        .replace("{thresholds}", ", ".join(map(str, THRESHOLDS_S)))
        .replace("{agent_day}", agent_day_view())
        .replace("{agent_card}", card_view(AGENT_CARD))
        .replace("{team_day}", card_view(TEAM_DAY))
        .replace("{rolling}", rolling_view())
        .replace("{started_at}", _STARTED_AT)
        .replace("{events_days}", str(retention.events_days))
        .replace("{minutes_days}", str(retention.minutes_days))
        .replace("{quarters_months}", str(retention.quarters_months))
    )
    for by in GROUPS:
        filled = filled.replace(f"{{kpi_{by}}}", kpi_view(by))
    return filled


def _columns(names: tuple[str, ...]) -> str:
    return "\n".join(f"    {name} UInt64 COMMENT '{_MEANING[name]}' CODEC(T64, ZSTD(1))," for name in names)


def _maps() -> str:
    return "\n".join(
        f"    {name} Map(LowCardinality(String), UInt64) COMMENT '{meaning}'," for name, (_, meaning) in MAPS.items()
    )


def _split(text: str) -> list[str]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("--")]
    return [statement.strip() for statement in "\n".join(lines).split(";\n") if statement.strip(" ;\n")]
