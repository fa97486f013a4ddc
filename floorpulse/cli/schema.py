"""`floorpulse schema`: create tables and views, export the JSON Schema of every event and control record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from floorpulse.cli.exits import guarded
from floorpulse.cli.output import NO_DATA, Data, print_json
from schemas.errors import InputError


def register(app: typer.Typer) -> None:
    """Add `schema apply` and `schema events` to the program."""
    schema = typer.Typer(help="Tables and views of ClickHouse; JSON Schema of the events.", no_args_is_help=True)
    schema.command("apply")(guarded(apply))
    schema.command("events")(guarded(events))
    app.add_typer(schema, name="schema")


def apply(data: Data = NO_DATA) -> None:
    """Create what is missing in ClickHouse; views are replaced, tables are kept."""
    from floorpulse.settings import load_settings
    from floorpulse.wiring import clickhouse_client
    from sinks.schema import apply_schema

    settings = load_settings(data)
    client = clickhouse_client(settings, database="default")
    count = apply_schema(client, settings.clickhouse_database, settings.retention())
    typer.echo(f"{settings.clickhouse_database}: {count} statements applied", err=True)


def events(
    out: Annotated[Path | None, typer.Option("--out", help="Folder for one file per type; default: stdout.")] = None,
) -> None:
    """Export the JSON Schema of each event type and control record."""
    schemas = event_schemas()
    if out is None:
        print_json(schemas)
        return
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, schema in schemas.items():
            (out / f"{name}.json").write_text(json.dumps(schema, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(f"{out}: cannot be written: {error.strerror}") from None
    typer.echo(f"{out}: {len(schemas)} schemas written", err=True)


def event_schemas() -> dict[str, dict[str, Any]]:
    """Type -> JSON Schema (2020-12) of a message of that type."""
    from typing import get_args

    from schemas.controls import Control
    from schemas.events import FloorEvent

    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    schemas: dict[str, dict[str, Any]] = {}
    for model in (*get_args(FloorEvent), *get_args(Control)):
        schema = model.model_json_schema()
        schema["required"] = [*schema.get("required", []), "type"]
        schemas[model.model_fields["type"].default] = dialect | schema
    return schemas
