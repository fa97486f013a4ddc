"""`floorpulse topics`: create the topics, list them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from floorpulse.cli.exits import guarded
from floorpulse.cli.output import NO_DATA, Data, Format, FormatOption, print_rows
from schemas.topics import TOPICS, Topic

if TYPE_CHECKING:
    from sinks.topics import TopicState

_COLUMNS = ("topic", "partitions", "epoch", "kept", "key", "value")


def register(app: typer.Typer) -> None:
    """Add `topics apply` and `topics list` to the program."""
    topics = typer.Typer(help="Kafka topics: create them, list them.", no_args_is_help=True)
    topics.command("apply")(guarded(apply))
    topics.command("list")(guarded(list_topics))
    app.add_typer(topics, name="topics")


def apply(data: Data = NO_DATA) -> None:
    """Create the topics that are missing. The number of partitions of one that exists is never changed."""
    from floorpulse.offsets import admin_client
    from floorpulse.settings import load_settings
    from floorpulse.wiring import clickhouse_client
    from sinks.schema import apply_schema
    from sinks.topics import apply_topics, ensure_epochs

    settings = load_settings(data)
    client = clickhouse_client(settings, database="default")
    apply_schema(client, settings.clickhouse_database, settings.retention())
    with admin_client(settings) as admin:
        created = apply_topics(admin, settings.partitions)
        ensure_epochs(client, admin)
    typer.echo(f"created: {', '.join(created) if created else 'nothing, all topics are there'}", err=True)


def list_topics(output: FormatOption = Format.TABLE, data: Data = NO_DATA) -> None:
    """List the topics as Kafka has them; partitions and epoch are empty where one is missing."""
    from floorpulse.offsets import admin_client
    from floorpulse.settings import load_settings
    from floorpulse.wiring import clickhouse_client
    from sinks.topics import known_epochs, topic_states

    settings = load_settings(data)
    with admin_client(settings) as admin:
        states = topic_states(admin)
    epochs = known_epochs(clickhouse_client(settings))
    rows = [_row(topic, states, epochs) for topic in TOPICS]
    print_rows(_COLUMNS, rows, output)


def _row(topic: Topic, states: dict[str, TopicState], epochs: dict[str, dict[str, int]]) -> list[Any]:
    state = states.get(topic.name)
    epoch = epochs.get(topic.name, {}).get(state.topic_id) if state else None
    return [topic.name, state.partitions if state else None, epoch, topic.kept, topic.key, topic.value]
