"""The hops of the worker as a table: `floorpulse topology` prints it."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.topics import ALERTS, COMMANDS, CONTRIBUTIONS, DEAD_LETTERS, EVENTS, RECORD_EVENTS


@dataclass(frozen=True, slots=True)
class Hop:
    """One agent: what it reads, does and writes."""

    name: str
    reads: str
    does: str
    writes: tuple[str, ...]


HOPS: tuple[Hop, ...] = (
    Hop(
        "fold",
        EVENTS,
        "folds events into minute panes and windows, judges agents and queues",
        ("events, panes, windows, subjects, alert_transitions", CONTRIBUTIONS, ALERTS, COMMANDS, DEAD_LETTERS),
    ),
    Hop(
        "group",
        CONTRIBUTIONS,
        "adds the partitions up, judges teams, sites, clients and queues with their agents",
        ("windows, subjects, alert_transitions", ALERTS, COMMANDS, DEAD_LETTERS),
    ),
    Hop("record", COMMANDS, "decides commands, one writer per stream", ("record_events", RECORD_EVENTS, DEAD_LETTERS)),
    Hop("bury", DEAD_LETTERS, "keeps dead letters", ("dead_letters",)),
)
