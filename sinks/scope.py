"""Whose facts make up a figure: which subjects, and at which minutes they belong to the one who is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from schemas.panes import AGENT_COLUMNS, MAPS, QUEUE_COLUMNS
from schemas.registry import Alias, Person, Registry
from schemas.times import MINUTE_MS, minute_of
from sinks.kpi_groups import OF_CONTACTS
from streams.core.explained import Scope
from streams.core.facts import CellKey

Kind = Literal["agent", "team", "queue"]

COLUMNS: dict[Kind, frozenset[str]] = {
    "agent": frozenset((*AGENT_COLUMNS, *MAPS)),
    "team": frozenset((*AGENT_COLUMNS, *MAPS)),
    "queue": frozenset((*QUEUE_COLUMNS, *OF_CONTACTS)),
}
"""The sums that are one's own: who holds all that a KPI is made from can be asked for it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Who, and [from, to) in epoch ms, whole minutes."""

    kind: Kind
    id: str
    from_ms: int
    to_ms: int

    def holds(self, minute: int) -> bool:
        """True when a minute lies in the range."""
        return minute_of(self.from_ms) <= minute < minute_of(self.to_ms)


class Owners:
    """By one revision of the registry: whose a subject's minutes are, and what of it belongs to who is asked for."""

    def __init__(self, registry: Registry, asked: Asked) -> None:
        self.asked = asked
        self._registry = registry
        self._aliases: dict[str, list[tuple[Alias, str]]] = {}
        for person in registry.floor.people:
            for alias in person.aliases:
                self._aliases.setdefault(f"{alias.source}:{alias.id}", []).append((alias, person.id))

    @property
    def names(self) -> list[str]:
        """The ids, aliases included, whose panes may hold something; empty for a queue: it is told by each event."""
        if self.asked.kind == "queue":
            return []
        if self.asked.kind == "agent":
            people = [person for person in self._registry.floor.people if person.id == self.asked.id]
            return [self.asked.id, *_aliases_of(people)]
        people = [p for p in self._registry.floor.people if any(m.team == self.asked.id for m in p.teams)]
        return [*(person.id for person in people), *_aliases_of(people)]

    def person(self, name: str, at_ms: int) -> str:
        """Who a name of a pane is at an instant: the person of an alias that holds then, else the name itself."""
        return next((person for alias, person in self._aliases.get(name, ()) if alias.covers(at_ms)), name)

    def scope(self, subject: str) -> Scope:
        """What of a subject's panes counts."""
        kind, _, name = subject.partition(":")
        if self.asked.kind == "queue":
            return self._of_queue
        if kind != "agent":
            return lambda _minute, _cell: False
        return lambda minute, _cell: self.asked.holds(minute) and self._is_mine(name, minute * MINUTE_MS)

    def why_not(self, subject: str) -> str:
        """Why minutes of a subject out of `names` do not count."""
        if self.asked.kind == "team":
            return "not in the team then"
        is_own = subject == f"agent:{self.asked.id}"
        return "belongs to somebody else then" if is_own else "the alias does not hold then"

    def is_known(self, name: str) -> bool:
        """True for the work id or any alias of a person."""
        return name in self._registry.people or name in self._aliases

    def where(self) -> tuple[str, dict[str, Any]]:
        """SQL over `events`, with its parameters, of the facts that may count or have counted."""
        if self.asked.kind == "queue":
            of_agents = "startsWith(subject, 'agent:') AND JSONExtractString(payload, 'queue') = {queue:String}"
            return f"(subject = concat('queue:', {{queue:String}}) OR ({of_agents}))", {"queue": self.asked.id}
        return "subject IN {subjects:Array(String)}", {"subjects": [f"agent:{name}" for name in self.names]}

    def _of_queue(self, minute: int, cell: CellKey) -> bool:
        return self.asked.holds(minute) and cell[0] == self.asked.id

    def _is_mine(self, name: str, at_ms: int) -> bool:
        person = self.person(name, at_ms)
        if self.asked.kind == "agent":
            return person == self.asked.id
        return self._registry.team_of(person, at_ms) == self.asked.id


def _aliases_of(people: Sequence[Person]) -> list[str]:
    return [f"{alias.source}:{alias.id}" for person in people for alias in person.aliases]
