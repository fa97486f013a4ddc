"""
Erase a person: who it is, the revision of the registry that says so, and everything of them deleted.

    registry: erased ── every partition hears of it between two records ── sweep: what is left anywhere, and again later

The entry `erased` of the registry is the only order: workers, delivery and a restore follow it by themselves.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from schemas.errors import InputError, Unavailable
from schemas.registry import Alias, Erased, Floor, Registry
from schemas.topics import DELIVERIES

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

    from floorpulse.settings import Settings

HEARD_WITHIN_S = 600.0
ASK_EVERY_S = 0.2
_ROLES = ("lead", "deputy", "manager")
_OWNERS = """(
    SELECT subject, JSONExtractUInt(body, 'registry') AS heard FROM subjects FINAL
    WHERE kind = 'partition' AND (hop = 2 OR partition < (
        SELECT if(count() = 0, 65536, argMax(partitions, epoch)) FROM topics WHERE topic = 'floor.events'
    ))
)"""
"""Every partition with the revision of the registry that its checkpoint is behind."""


@dataclass(frozen=True, slots=True)
class Found:
    """Rows, or messages, that hold something of a person, and what becomes of them."""

    table: str
    rows: int
    what: str


def who(client: Client, registry: Registry, agent: str, now: datetime) -> Erased:
    """
    The person of a work id, as they are to be refused from now on; as they are refused already if they are.

    A vendor's id that the roster gives to somebody else too is not taken along. InputError: nobody knows the id.
    """
    for gone in registry.floor.erased:
        if gone.id == agent:
            return gone
    person = registry.people.get(agent)
    if person is None and not _has_rows(client, agent):
        raise InputError(f"{agent}: no such agent: neither the roster nor any event knows this work id")
    others = [one for one in registry.floor.people if one.id != agent]
    shared = {(alias.source, alias.id) for one in others for alias in one.aliases}
    theirs = {(alias.source, alias.id) for alias in person.aliases} if person else set()
    return Erased(id=agent, at=now, aliases=[Alias(source=source, id=id_) for source, id_ in sorted(theirs - shared)])


def without(floor: Floor, gone: Erased) -> Floor:
    """The floor without a person: no entry, no target, no team that they lead; and with the word that they are gone."""
    subjects = {f"agent:{id_}" for id_ in (gone.id, *gone.vendor_ids())}
    teams = [
        team.model_copy(update={role: "" for role in _ROLES if getattr(team, role) == gone.id}) for team in floor.teams
    ]
    return floor.model_copy(
        update={
            "people": [person for person in floor.people if person.id != gone.id],
            "teams": teams,
            "targets": [target for target in floor.targets if target.subject not in subjects],
            "erased": [*floor.erased, gone],
        }
    )


def _has_rows(client: Client, agent: str) -> bool:
    from sinks.erasure import OWNED, found

    return any(rows for _, rows in found(client, {agent}, OWNED))


def count(settings: Settings, client: Client, ids: Collection[str]) -> list[Found]:
    """Everything that holds something of some agents, table by table."""
    from floorpulse.delivery.forgetting import messages_about
    from records.store.erasing import count_entries, streams_about
    from sinks.erasure import ELSEWHERE, NAMED, OWNED, found, keys_of

    keys = keys_of(ids)
    rows = [Found(one.table, n, one.what) for one, n in found(client, ids, (*OWNED, *ELSEWHERE, *NAMED))]
    entries = count_entries(client, streams_about(client, keys))
    messages = len(messages_about(settings, keys))
    return [
        *rows,
        Found("record_events", entries, "stay as place and hash, without content and name"),
        Found(DELIVERIES, messages, "deleted from the topic"),
    ]


def sweep(client: Client, ids: Collection[str], *, thorough: bool = True) -> int:
    """
    Delete everything of some agents from ClickHouse; returns how many rows there were. Done again it does nothing.

    `thorough`: look also through the text of every event and dead letter, which takes its time.
    """
    from records.store.erasing import count_entries, streams_about, strip_streams
    from sinks.erasure import ELSEWHERE, NAMED, OWNED, erase_elsewhere, erase_owned, keys_of, purge

    streams = streams_about(client, keys_of(ids))
    done = count_entries(client, streams)
    strip_streams(client, streams)
    done += erase_owned(client, ids)
    done += erase_elsewhere(client, ids, (*ELSEWHERE, *NAMED) if thorough else ELSEWHERE)
    if done or thorough:
        purge(client, {"record_events", *(one.table for one in (*OWNED, *ELSEWHERE))})
    return done


def forget_deliveries(settings: Settings, ids: Iterable[str]) -> int:
    """Delete from the compacted topic what was told about some agents; returns how many messages that were."""
    from contextlib import closing

    from floorpulse.delivery.forgetting import forget_messages, messages_about
    from floorpulse.wiring import producer
    from sinks.erasure import keys_of

    messages = messages_about(settings, keys_of(ids))
    with closing(producer(settings)) as sender:
        forget_messages(sender, messages)
    return len(messages)


def unheard(client: Client, revision: int) -> list[str]:
    """The partitions whose owner has not come to a revision of the registry yet."""
    sql = f"SELECT subject FROM {_OWNERS} WHERE heard < {{revision:UInt32}} ORDER BY subject"
    return [str(subject) for (subject,) in client.query(sql, parameters={"revision": revision}).result_rows]


def wait_until_heard(client: Client, revision: int, progress: Callable[[int], None]) -> None:
    """Wait until the checkpoint of every partition is behind a revision; `progress` is told how many are not."""
    deadline = time.monotonic() + HEARD_WITHIN_S
    while left := unheard(client, revision):
        progress(len(left))
        if time.monotonic() >= deadline:
            raise Unavailable(
                f"revision {revision} holds, but {left[0]} and {len(left) - 1} more have not come to it: "
                "is a worker running? Erase again then, for the rest and the receipt"
            )
        time.sleep(ASK_EVERY_S)


def erased_everywhere(client: Client) -> frozenset[str]:
    """The ids of everybody whom every partition knows as erased: nobody writes of them any more."""
    from sinks.registry import load_registry

    revision = int(client.query(f"SELECT min(heard) FROM {_OWNERS}").result_rows[0][0])
    return load_registry(client, revision).erased
