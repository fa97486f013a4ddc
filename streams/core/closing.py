"""When the days of the sites are closed: rules over days are judged then, once for each."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

from schemas.registry import Registry
from schemas.times import MINUTE_MS, day_end, day_of

DAY_GRACE_MS = 15 * MINUTE_MS
"""Rules over days are judged this long after the end of the site day."""

Closing = tuple[int, date]
"""(instant, the day that is closed then)."""


def closings(known: Mapping[str, Closing], registry: Registry, now: int) -> dict[str, Closing]:
    """
    The next closing of each site of a registry, after `now`; `known`: those of the registry before.

    A site's days go on one by one, by the zone that it has now: in another one a day ends earlier or later.
    """
    found = {}
    for site in registry.sites:
        day = known[site][1] if site in known else day_of(now, registry.zone(site))
        found[site] = _closing(site, day, registry, now)
    return found


def following(site: str, closed: date, registry: Registry, now: int) -> Closing:
    """The closing, after `now`, that follows that of a day."""
    return _closing(site, closed + timedelta(days=1), registry, now)


def _closing(site: str, day: date, registry: Registry, now: int) -> Closing:
    return max(day_end(day, registry.zone(site)) + DAY_GRACE_MS, now + 1), day
