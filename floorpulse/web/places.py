"""Which site a page is named after, and in which zone its times are. Pure."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from schemas.registry import DEFAULT_SITE, Registry


def site_of_floor(registry: Registry) -> str:
    """The site that the pages of the whole floor are named after: the first beside `main`, else `main`."""
    return next((site for site in sorted(registry.sites) if site != DEFAULT_SITE), DEFAULT_SITE)


def zone_of(subject: str, registry: Registry, at_ms: int) -> ZoneInfo:
    """The zone in which the subject's days are counted; the floor's own for no subject."""
    kind, _, id_ = subject.partition(":")
    sites = {
        "": lambda: site_of_floor(registry),
        "agent": lambda: registry.site_of_agent(id_, at_ms),
        "queue": lambda: registry.site_of_queue(id_),
        "team": lambda: registry.site_of_team(id_),
    }
    return registry.zone(sites[kind]() if kind in sites else id_)
