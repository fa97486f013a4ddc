"""Who an id of a pane is, and in which team and at which site, over time: the rows of `places` for a registry."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING

from schemas.registry import Alias, Registry, Validity
from schemas.times import to_ms

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

ALWAYS_MS = -(2**62)
"""The beginning of time."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an id of panes belongs from each of `starts` (ms, the first is `ALWAYS_MS`) until the next one."""

    agent: str
    starts: tuple[int, ...]
    people: tuple[str, ...]
    teams: tuple[str, ...]
    sites: tuple[str, ...]


def places_of(registry: Registry) -> list[Place]:
    """A place for everybody and every alias of the registry; who is not among them is in no team and at `main`."""
    return [_place(registry, person.id, ()) for person in registry.floor.people] + [
        _place(registry, alias, held) for alias, held in sorted(_aliases(registry).items())
    ]


def store_places(client: Client, revision: int, places: Sequence[Place]) -> None:
    """Keep the places of a revision; the same again changes nothing."""
    if places:
        rows = [[revision, *astuple(place)] for place in places]
        client.insert("places", rows, column_names=["revision", "agent", "starts", "people", "teams", "sites"])


def _aliases(registry: Registry) -> dict[str, list[tuple[Alias, str]]]:
    found: dict[str, list[tuple[Alias, str]]] = {}
    for person in registry.floor.people:
        for alias in person.aliases:
            found.setdefault(f"{alias.source}:{alias.id}", []).append((alias, person.id))
    return found


def _place(registry: Registry, agent: str, held: Iterable[tuple[Alias, str]]) -> Place:
    people = {agent, *(person for _, person in held)}
    spells = [alias for alias, _ in held]
    memberships = [m for id_ in people if id_ in registry.people for m in registry.people[id_].teams]
    spans: list[tuple[int, str, str, str]] = []
    for start in sorted({ALWAYS_MS, *_edges(spells), *_edges(memberships)}):
        person = next((id_ for alias, id_ in held if alias.covers(start)), agent)
        team = registry.team_of(person, start)
        span = (person, team, registry.site_of_team(team))
        if not spans or spans[-1][1:] != span:
            spans.append((start, *span))
    starts, persons, teams, sites = zip(*spans, strict=True)
    return Place(agent, starts, persons, teams, sites)


def _edges(spells: Iterable[Validity]) -> Iterator[int]:
    for spell in spells:
        yield from (to_ms(bound) for bound in (spell.valid_from, spell.valid_to) if bound)
