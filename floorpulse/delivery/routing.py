"""Whom a notice goes to: the person by the registry, the receivers of that person by `receivers.yaml`."""

from __future__ import annotations

from alerting.routing import receiver_of
from floorpulse.delivery.config import Receivers
from floorpulse.delivery.messages import Notice
from schemas.registry import Registry
from schemas.times import from_ms


def receivers_of(receivers: Receivers, registry: Registry, notice: Notice) -> list[str]:
    """
    Names of the receivers of a notice: those of the lead on duty, else of the deputy, else of the floor manager.

    Somebody who has no receiver reads the web inbox; nobody else is told instead.
    """
    local = from_ms(notice.at_ms).astimezone(registry.zone(notice.site))
    person = receiver_of(registry, "lead", team=notice.team, site=notice.site, off_duty=receivers.off_duty(local))
    return [receiver.name for receiver in receivers.receivers if receiver.person == person]
