"""
Rows of people who were erased: found, and deleted again and again, as a worker thought dead may still write some.

A delete here is of ClickHouse's light kind: what it takes is seen by nobody from then on, and leaves the disk with the
next merge of its part, or as `purge` asks for it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from schemas.erasure import (
    NOBODY,
    STRIPPED,
    UNREADABLE,
    is_about,
    naming_pattern,
    quoted_pattern,
    word_pattern,
)

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_OF_OTHERS = "subject NOT IN {keys:Array(String)}"
_LEADS = r'"(lead|deputy|manager)"\s*:\s*'


@dataclass(frozen=True, slots=True)
class Held:
    """Rows of one table that hold something of a person."""

    table: str
    what: str
    """What becomes of them, in words."""
    where: str
    """SQL; parameters `ids`, `keys` (the ids as subjects), and patterns."""
    changed: str = ""
    """What is set in them; empty: they are deleted."""


OWNED: tuple[Held, ...] = (
    Held("events", "deleted; where they stood is kept", "subject IN {keys:Array(String)}"),
    Held("agent_minutes", "deleted", "agent IN {ids:Array(String)}"),
    Held("agent_quarters", "deleted", "agent IN {ids:Array(String)}"),
    Held("windows", "deleted", "subject IN {keys:Array(String)}"),
    Held("subjects", "deleted", "subject IN {keys:Array(String)}"),
)
"""What the owner of a partition writes of its agents."""
_PARTED = frozenset({"events", "agent_minutes", "subjects"})
"""Tables whose rows say which partition they are of."""

ELSEWHERE: tuple[Held, ...] = (
    Held(
        "subjects",
        "older checkpoints that note them are deleted",
        "kind = 'partition' AND match(body, {noted:String}) AND (subject, version) NOT IN"
        " (SELECT subject, max(version) FROM subjects WHERE kind = 'partition' GROUP BY subject)",
    ),
    Held("alert_transitions", "deleted", "subject IN {keys:Array(String)}"),
    Held("registry", "deleted", "kind = 'people' AND id IN {ids:Array(String)}"),
    Held("registry", "deleted", "kind = 'targets' AND JSONExtractString(body, 'subject') IN {keys:Array(String)}"),
    Held(
        "registry",
        "their name as lead is blanked",
        "kind = 'teams' AND match(body, {leads:String})",
        'body = replaceRegexpAll(body, {leads:String}, \'"\\\\1": ""\')',
    ),
    Held("places", "deleted", "hasAny({ids:Array(String)}, arrayPushBack(people, agent))"),
    Held("access_log", "deleted", "subject IN {keys:Array(String)}"),
)
"""What others hold of them, few rows each."""

NAMED: tuple[Held, ...] = (
    Held(
        "events",
        f"stay, with {NOBODY} for the id",
        f"{_OF_OTHERS} AND match(payload, {{naming:String}})",
        f'payload = replaceRegexpAll(payload, {{naming:String}}, \'"\\\\1":"{NOBODY}"\')',
    ),
    Held(
        "dead_letters",
        "stay, without their bytes",
        "value != '' AND (key IN {keys:Array(String)} OR match(value, {quoted:String})"
        " OR reason IN {unreadable:Array(String)} AND match(value, {word:String}))",
        "key = '', value = '', content = 0, detail = {stripped:String}",
    ),
)
"""What names them, to be looked for in the text of every row."""


def keys_of(ids: Iterable[str]) -> list[str]:
    """The subjects of agents."""
    return sorted(f"agent:{agent}" for agent in ids)


def found(client: Client, ids: Collection[str], held: Sequence[Held]) -> list[tuple[Held, int]]:
    """How many rows of each kind are there, in the order given."""
    selects = " UNION ALL ".join(
        f"SELECT {number} AS place, count() AS n FROM {one.table} WHERE {one.where}" for number, one in enumerate(held)
    )
    rows = client.query(f"SELECT * FROM ({selects})", parameters=_parameters(ids)).result_rows
    counts = {int(place): int(n) for place, n in rows}
    return [(one, counts[number]) for number, one in enumerate(held)]


def erase_owned(client: Client, ids: Collection[str], partitions: Collection[int] | None = None) -> int:
    """
    Delete what the owners of partitions wrote of some agents; returns how many rows there were.

    `partitions`: only of these, where a row says its partition; None: of all. Broken off and done again it comes to
    the same.
    """
    there = [(one, n) for one, n in found(client, ids, [_within(one, partitions) for one in OWNED]) if n]
    for one, _ in there:
        if one.table == "events":
            _keep_places(client, ids, one.where)
        _apply(client, ids, one)
    return sum(n for _, n in there)


def erase_elsewhere(client: Client, ids: Collection[str], held: Sequence[Held]) -> int:
    """Delete, or change, what others hold of some agents; returns how many rows there were."""
    there = [(one, n) for one, n in found(client, ids, held) if n]
    if any(one.table == "registry" for one, _ in there):
        _count_entries(client, ids)
    for one, _ in there:
        _apply(client, ids, one)
    return sum(n for _, n in there)


def keep_places(client: Client, topic: str, places: Iterable[tuple[int, int, int]]) -> None:
    """Note where events stood that were never written: (partition, epoch, offset)."""
    rows = [[topic, *place] for place in places]
    if rows:
        client.insert("erased_events", rows, column_names=["topic", "partition", "epoch", "offset"])


def purge(client: Client, tables: Collection[str]) -> None:
    """Have the disk let go of what was deleted, in the background."""
    rows = client.query(
        "SELECT DISTINCT table FROM system.parts WHERE database = currentDatabase() AND active"
        " AND has_lightweight_delete AND table IN {tables:Array(String)} AND table NOT IN"
        " (SELECT table FROM system.mutations WHERE database = currentDatabase() AND NOT is_done)",
        parameters={"tables": sorted(tables)},
    ).result_rows
    for (table,) in rows:
        client.command(f"ALTER TABLE {table} APPLY DELETED MASK", settings={"mutations_sync": 0})


def stripped(row: tuple[Any, ...], ids: Collection[str]) -> tuple[Any, ...]:
    """A row for `dead_letters` (`streams.worker.letters.letter_row`), without its bytes where they name one of them."""
    topic, partition, offset, origin, reason, _detail, key, value, ingest, _content, *rest = row
    if not is_about(ids, reason, key, value):
        return row
    return (topic, partition, offset, origin, reason, STRIPPED, "", b"", ingest, 0, *rest)


def _within(one: Held, partitions: Collection[int] | None) -> Held:
    if partitions is None or one.table not in _PARTED:
        return one
    numbers = ", ".join(map(str, sorted(partitions)))
    return Held(one.table, one.what, f"{one.where} AND partition IN ({numbers})", one.changed)


def _apply(client: Client, ids: Collection[str], one: Held) -> None:
    sql = (
        f"ALTER TABLE {one.table} UPDATE {one.changed} WHERE {one.where}"
        if one.changed
        else f"DELETE FROM {one.table} WHERE {one.where}"
    )
    client.command(sql, parameters=_parameters(ids), settings={"mutations_sync": 1, "lightweight_deletes_sync": 1})


def _keep_places(client: Client, ids: Collection[str], where: str) -> None:
    """Where events stood that counted when they were taken: every offset stays accounted for."""
    client.command(
        "INSERT INTO erased_events (topic, partition, epoch, offset, stored_at)"
        f" SELECT topic, partition, epoch, offset, max(stored_at) FROM events WHERE {where} AND version > 0"
        " GROUP BY topic, partition, epoch, offset",
        parameters=_parameters(ids),
    )


def _count_entries(client: Client, ids: Collection[str]) -> None:
    """A revision is whole with as many entries as are left to it: said before any of them goes."""
    client.command(
        "INSERT INTO revisions (kind, revision, entries, applied_at, applied_by)"
        " SELECT r.kind, r.revision, left_.n, r.applied_at, r.applied_by FROM (SELECT * FROM revisions FINAL) AS r"
        f" INNER JOIN (SELECT revision, countIf(NOT ({_GOING})) AS n, countIf({_GOING}) AS going"
        " FROM (SELECT * FROM registry FINAL WHERE kind != 'rules') GROUP BY revision) AS left_"
        " ON left_.revision = r.revision WHERE r.kind = 'registry' AND left_.going > 0",
        parameters=_parameters(ids),
    )


_GOING = " OR ".join(f"({one.where})" for one in ELSEWHERE if one.table == "registry" and not one.changed)
"""The entries of the registry that go."""


def _parameters(ids: Collection[str]) -> dict[str, Any]:
    agents = sorted(ids)
    return {
        "ids": agents,
        "keys": keys_of(agents),
        "leads": f'{_LEADS}"(?:{"|".join(map(re.escape, agents))})"',
        "naming": naming_pattern(agents),
        "noted": quoted_pattern(keys_of(agents)),
        "quoted": quoted_pattern(agents),
        "word": word_pattern(agents),
        "unreadable": list(UNREADABLE),
        "stripped": STRIPPED,
    }
