"""
Make a revision of the registry or of the rules hold.

In this order: whole into ClickHouse, then onto `floor.registry`, then a control record into every partition of
`floor.events` and `floor.contributions`, each step acknowledged before the next. A worker that reads the control record
finds the revision it names.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any

import structlog

from floorpulse.clock import utc_now
from floorpulse.offsets import admin_client, end_offsets, last_values
from floorpulse.registry_file import ERASED_FOR_EVER, with_erased
from floorpulse.settings import Settings
from floorpulse.wiring import clickhouse_client, producer
from schemas.controls import RegistryChanged, RulesApplied
from schemas.errors import InputError, Unavailable
from schemas.events import encode
from schemas.registry import Floor, Registry
from schemas.topics import CONTRIBUTIONS, EVENTS, REGISTRY

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client
    from kafka import KafkaProducer

    from sinks.registry import Kind

ACKNOWLEDGED_WITHIN_S = 30.0

Entry = tuple[str, str, dict[str, Any]]
"""(kind, id, body)"""
EntryId = tuple[str, str]
Message = tuple[str, int | None, str | None, bytes | None]
"""(topic, partition, key, value); a value of None deletes the key from a compacted topic."""


def publish_registry(settings: Settings, floor: Floor, by: str) -> int:
    """
    Make a floor the next revision of the registry; returns its number. Who was erased stays erased.

    InputError: it holds somebody who was. Unavailable: not done, apply it again.
    """
    from sinks.registry import load_registry, store_registry

    client = clickhouse_client(settings)
    before = load_registry(client)
    known = before.floor
    floor = with_erased(floor, known)
    for gone_id in sorted({one.id for one in floor.erased} & {person.id for person in floor.people}):
        raise InputError(f"{gone_id}: {ERASED_FOR_EVER}")
    gone = _ids(known.entries()) - _ids(floor.entries())
    revision = store_registry(client, floor, by, utc_now(), before.revision)
    announce_registry(settings, Registry(floor, revision), gone)
    return revision


def publish_rules(settings: Settings, text: str, by: str) -> int:
    """Make a rule file the next revision; returns its number. ConfigError: a fault in it; Unavailable: not done."""
    from sinks.registry import load_rules_text, rule_entries, store_rules

    client = clickhouse_client(settings)
    gone = _ids(rule_entries(load_rules_text(client) or text)) - _ids(rule_entries(text))
    revision = store_rules(client, text, by, utc_now())
    announce_rules(settings, text, revision, gone)
    return revision


def announce_registry(settings: Settings, registry: Registry, gone: AbstractSet[EntryId] = frozenset()) -> None:
    """Tell everybody that a stored revision of the registry holds; `gone` is what no longer stands in it."""
    entries, revision = registry.floor.entries(), registry.revision
    _announce(settings, _messages(entries, revision, gone), RegistryChanged(at=utc_now(), revision=revision))
    structlog.get_logger(__name__).info("registry_applied", revision=revision, count=len(entries))


def announce_rules(settings: Settings, text: str, revision: int, gone: AbstractSet[EntryId] = frozenset()) -> None:
    """Tell everybody that a stored revision of the rules holds; `gone` is what no longer stands in it."""
    from sinks.registry import rule_entries

    entries = rule_entries(text)
    _announce(settings, _messages(entries, revision, gone), RulesApplied(at=utc_now(), revision=revision))
    structlog.get_logger(__name__).info("rules_applied", revision=revision, count=len(entries) - 1)


def tell_again(settings: Settings, client: Client, kind: Kind) -> list[str]:
    """
    Tell everybody once more of the revision that holds, where a partition has not come to it; returns these partitions.

    The one who applied it may have been broken off before everybody knew. Whoever hears of it twice changes nothing.
    """
    from sinks.registry import latest_revision, load_registry, load_rules_text, rule_entries

    revision = latest_revision(client, kind)
    behind = _not_come_to(client, kind, revision)
    if not behind:
        return behind
    if kind == "registry":
        registry = load_registry(client, revision)
        announce_registry(settings, registry, _left_over(settings, kind, registry.floor.entries()))
    elif (text := load_rules_text(client, revision)) is not None:
        announce_rules(settings, text, revision, _left_over(settings, kind, rule_entries(text)))
    return behind


def _not_come_to(client: Client, kind: Kind, revision: int) -> list[str]:
    """The partitions without a checkpoint that is behind a revision."""
    rows = client.query(
        "SELECT place FROM (SELECT concat(topic, ':', toString(arrayJoin(range(argMax(partitions, epoch))))) AS place"
        " FROM topics WHERE topic IN {topics:Array(String)} GROUP BY topic) WHERE place NOT IN (SELECT subject"
        " FROM subjects FINAL WHERE kind = 'partition' AND JSONExtractUInt(body, {kind:String}) >= {revision:UInt32})"
        " ORDER BY place",
        parameters={"topics": [EVENTS, CONTRIBUTIONS], "kind": kind, "revision": revision},
    ).result_rows
    return [str(place) for (place,) in rows]


def _left_over(settings: Settings, kind: Kind, entries: Iterable[Entry]) -> set[EntryId]:
    """What was on `floor.registry` once and holds no longer: whether it was deleted there is not known."""
    with admin_client(settings) as admin:
        ends = end_offsets(admin, REGISTRY)
    values = last_values(settings, REGISTRY, ends, max(ends.values())) if any(ends.values()) else {}
    told = [json.loads(value) for partition in values.values() for value in partition if value]
    of_kind = {(entry["kind"], entry["id"]) for entry in told if (entry["kind"] == "rules") == (kind == "rules")}
    return of_kind - _ids(entries)


def _announce(settings: Settings, messages: list[Message], control: RegistryChanged | RulesApplied) -> None:
    """Entries onto `floor.registry`, then the control record into every partition that reads by it."""
    sender = producer(settings)
    try:
        _send(sender, messages)
        places = [(topic, part) for topic in (EVENTS, CONTRIBUTIONS) for part in sorted(sender.partitions_for(topic))]
        _send(sender, [(topic, part, None, encode(control)) for topic, part in places])
    finally:
        sender.close(timeout=ACKNOWLEDGED_WITHIN_S)


def _messages(entries: list[Entry], revision: int, gone: AbstractSet[EntryId]) -> list[Message]:
    held: list[Message] = [
        (REGISTRY, None, f"{kind}:{entry_id}", _body(kind, entry_id, revision, body))
        for kind, entry_id, body in entries
    ]
    return held + [(REGISTRY, None, f"{kind}:{entry_id}", None) for kind, entry_id in sorted(gone)]


def _ids(entries: Iterable[Entry]) -> set[EntryId]:
    return {(kind, entry_id) for kind, entry_id, _body in entries}


def _body(kind: str, entry_id: str, revision: int, body: dict[str, Any]) -> bytes:
    return json.dumps({"kind": kind, "id": entry_id, "revision": revision, "body": body}).encode()


def _send(sender: KafkaProducer, messages: list[Message]) -> None:
    """Send messages and wait for every acknowledgement."""
    from kafka.errors import KafkaError

    try:
        futures = [
            sender.send(topic, value=value, key=key.encode() if key else None, partition=number)
            for topic, number, key, value in messages
        ]
        sender.flush(timeout=ACKNOWLEDGED_WITHIN_S)
        for future in futures:
            future.get(timeout=ACKNOWLEDGED_WITHIN_S)
    except KafkaError as error:
        raise Unavailable(f"Kafka did not acknowledge the revision, apply it again: {error}") from error
