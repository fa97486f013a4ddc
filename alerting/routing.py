"""Who is told of an alert."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.alerts import ReceiverRole
from schemas.registry import Registry, Team

_ORDER: dict[ReceiverRole, tuple[ReceiverRole, ...]] = {
    "lead": ("lead", "deputy", "manager"),
    "deputy": ("deputy", "lead", "manager"),
    "manager": ("manager", "lead", "deputy"),
}
_OF_MANY: tuple[ReceiverRole, ...] = ("manager", "lead", "deputy")


def receiver_of(
    registry: Registry, role: ReceiverRole, *, team: str, site: str, off_duty: frozenset[str] = frozenset()
) -> str:
    """
    The id of the person to tell: the one with the role in the team, else lead, deputy, floor manager; `''` for nobody.

    An alert of no team (a queue, a site, a client) goes to a floor manager of the site. `off_duty` are the people who
    are not there now.
    """
    known = registry.teams.get(team)
    people = _people(known, _ORDER[role]) if known else _of_site(registry, site)
    return next((person for person in people if person and person not in off_duty), "")


def _of_site(registry: Registry, site: str) -> Iterator[str]:
    teams = [team for team in registry.floor.teams if team.site == site]
    for role in _OF_MANY:
        for team in teams:
            yield from _people(team, (role,))


def _people(team: Team, roles: tuple[ReceiverRole, ...]) -> Iterator[str]:
    for role in roles:
        yield {"lead": team.lead, "deputy": team.deputy, "manager": team.manager}[role]
