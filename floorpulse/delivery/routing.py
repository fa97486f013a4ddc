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
    local = from_ms(notice.at_ms).astimezone(registry.zone(notice.site))
    off_duty = receivers.off_duty(local)
    person = receiver_of(registry, notice.receiver, team=_team_of(notice), site=notice.site, off_duty=off_duty)
    return [receiver.name for receiver in receivers.receivers if receiver.person == person]


def _team_of(notice: Notice) -> str:
    """The team of the agent, or the team that the notice itself is about; `''` for a queue, a site, a client."""
    kind, _, name = notice.subject.partition(":")
    return name if kind == "team" else notice.team
