"""Whom a notice goes to: the person by the registry, the receivers of that person by `receivers.yaml`."""

from __future__ import annotations

from alerting.routing import receiver_of
from floorpulse.delivery.config import Receivers
from floorpulse.delivery.messages import Notice
from schemas.registry import Registry
from schemas.times import from_ms


def receivers_of(receivers: Receivers, registry: Registry, notice: Notice) -> list[str]:
    """
    Names of the receivers of a notice: those of whom its rule names, when off duty of lead, deputy, floor manager.

    Somebody who has no receiver reads the web inbox; nobody else is told instead.
    """
    people = (_person_of(receivers, registry, notice, site) for site in _sites_of(registry, notice))
    person = next(filter(None, people), "")
    return [receiver.name for receiver in receivers.receivers if receiver.person == person]


def _person_of(receivers: Receivers, registry: Registry, notice: Notice, site: str) -> str:
    off_duty = receivers.off_duty(from_ms(notice.at_ms).astimezone(registry.zone(site)))
    return receiver_of(registry, notice.receiver, team=_team_of(notice), site=site, off_duty=off_duty)


def _team_of(notice: Notice) -> str:
    """The team of the agent, or the team that the notice itself is about; `''` for a queue, a site, a client."""
    kind, _, name = notice.subject.partition(":")
    return name if kind == "team" else notice.team


def _sites_of(registry: Registry, notice: Notice) -> list[str]:
    """
    The sites whose people are asked, one after the other: that of the team, those of a client's queues.

    Where no team is at any of them, all that have one: who is not on the roster is at `main`, where nobody may be.
    """
    team = registry.teams.get(_team_of(notice))
    if team is not None:
        return [team.site]
    kind, _, name = notice.subject.partition(":")
    floor = registry.floor
    sites = [queue.site for queue in floor.queues if queue.client == name] if kind == "client" else [notice.site]
    led = list(dict.fromkeys(team.site for team in floor.teams))
    return [site for site in dict.fromkeys(sites) if site in led] or led
