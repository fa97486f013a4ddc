"""Wait until everything accepted so far has gone through all hops and is in ClickHouse."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from floorpulse.offsets import admin_client, committed_offsets, end_offsets, last_values
from floorpulse.settings import Settings
from floorpulse.wiring import clickhouse_client
from schemas.errors import FloorpulseError
from schemas.topics import COMMANDS, CONTRIBUTIONS, DEAD_LETTERS, EVENTS, WORKER_GROUP

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

CHECKPOINTS = (
    "SELECT subject, boundary FROM subjects FINAL"
    " WHERE kind = 'partition' AND startsWith(subject, concat({topic:String}, ':'))"
    " AND bitShiftRight(version, 48) >= (SELECT max(epoch) FROM topics WHERE topic = {topic:String})"
)
"""Those of a topic that was made anew since say nothing: it begins at 0 again."""
ASK_EVERY_S = 0.2
_TAIL = 50
_OF_REVISIONS = {"registry_changed", "rules_applied", "refold_asked"}
"""Control records that people send at any time, also after the end of an input."""

Offsets = dict[int, int]
Reached = Literal["stored", "committed"]


class NotDrained(FloorpulseError):
    """It is not all through: the time is up, or under the event clock the input has no end."""


@dataclass(frozen=True, slots=True)
class Hop:
    """A topic, and where it is said how far the worker is through with it."""

    topic: str
    reached: Reached
    """`stored`: the checkpoints in ClickHouse; `committed`: the offsets that the worker committed to Kafka."""


HOPS = (
    Hop(EVENTS, "stored"),
    Hop(CONTRIBUTIONS, "stored"),
    Hop(COMMANDS, "committed"),
    Hop(DEAD_LETTERS, "committed"),
)
"""In the order of the way: what a hop sends on is in the next topic before the hop's own checkpoint stands."""

Progress = Callable[[str, int], None]
"""Told the topic and how many of its records are not through yet."""


def drain(settings: Settings, timeout_s: float, progress: Progress) -> dict[str, int]:
    """
    Wait for every hop in turn; returns topic -> records that were waited for, those long through included.

    NotDrained: after `timeout_s` something is missing, or under the event clock an input has not ended.
    """
    deadline = time.monotonic() + timeout_s
    client = clickhouse_client(settings)
    waited: dict[str, int] = {}
    with admin_client(settings) as admin:
        if settings.clock == "event":
            refuse_open_input(last_values(settings, EVENTS, end_offsets(admin, EVENTS), _TAIL))
        for hop in HOPS:
            ends = end_offsets(admin, hop.topic)
            _wait(hop, ends, partial(_reached, hop, client, admin), deadline, progress)
            waited[hop.topic] = sum(ends.values())
    return waited


def refuse_open_input(tails: Mapping[int, Sequence[bytes | None]]) -> None:
    """NotDrained when a partition whose last values are given does not end with `input_ended`."""
    for partition, values in sorted(tails.items()):
        types = [kind for kind in map(_type_of, values) if kind not in _OF_REVISIONS]
        if types and types[-1] != "input_ended":
            raise NotDrained(
                f"the input has not ended: the last record of {EVENTS}:{partition} is {types[-1]}, not input_ended"
            )


def missing(ends: Offsets, reached: Offsets) -> Offsets:
    """Records of each partition that are not through yet, where there are any."""
    left = {partition: end - reached.get(partition, 0) for partition, end in ends.items()}
    return {partition: count for partition, count in left.items() if count > 0}


def stored_offsets(client: Client, topic: str) -> Offsets:
    """The next offset of each partition by the checkpoints in ClickHouse that are of the topic as it is now."""
    rows = client.query(CHECKPOINTS, parameters={"topic": topic}).result_rows
    return {int(str(subject).rpartition(":")[2]): int(boundary) + 1 for subject, boundary in rows}


def _wait(hop: Hop, ends: Offsets, reached: Callable[[], Offsets], deadline: float, progress: Progress) -> None:
    while left := missing(ends, reached()):
        progress(hop.topic, sum(left.values()))
        if time.monotonic() >= deadline:
            places = ", ".join(f"{hop.topic}:{partition} {count}" for partition, count in sorted(left.items()))
            raise NotDrained(f"not drained in time: records not {hop.reached} yet: {places}")
        time.sleep(ASK_EVERY_S)
    progress(hop.topic, 0)


def _reached(hop: Hop, client: Client, admin: Any) -> Offsets:
    if hop.reached == "stored":
        return stored_offsets(client, hop.topic)
    return committed_offsets(admin, hop.topic, WORKER_GROUP)


def _type_of(value: bytes | None) -> str:
    try:
        return str(json.loads(value or b"")["type"])
    except (ValueError, KeyError, TypeError):
        return "no event"
