"""What a new floor needs before its parts start: topics, schema, the default site, the starter rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog

from floorpulse.offsets import admin_client, end_offsets
from floorpulse.publish import announce_registry, announce_rules, publish_registry, publish_rules
from floorpulse.settings import Settings
from floorpulse.wiring import clickhouse_client
from schemas.registry import DEFAULT_SITE, Floor, Site
from schemas.topics import CONTRIBUTIONS, EVENTS

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

BY = "floorpulse"
_CONTROLS = 2
"""Each partition begins with a control record for the registry and one for the rules."""


def prepare(settings: Settings) -> None:
    """Bring topics, tables, the default site and the starter rules into being; the same call again changes nothing."""
    from sinks.schema import apply_schema
    from sinks.topics import apply_topics, ensure_epochs

    client = clickhouse_client(settings, database="default")
    apply_schema(client, settings.clickhouse_database, settings.retention())
    with admin_client(settings) as admin:
        apply_topics(admin, settings.partitions)
        ensure_epochs(client, admin)
        untold = _has_untold(admin)
    _prepare_registry(settings, client, untold=untold)
    _prepare_rules(settings, client, untold=untold)


def _prepare_registry(settings: Settings, client: Client, *, untold: bool) -> None:
    from sinks.registry import load_registry

    registry = load_registry(client)
    if registry.revision == 0:
        publish_registry(settings, Floor(sites=[Site(id=DEFAULT_SITE, timezone=settings.timezone)]), BY)
        return
    kept = registry.sites[DEFAULT_SITE].timezone
    if "timezone" in settings.model_fields_set and kept != settings.timezone:
        log = structlog.get_logger(__name__)
        log.warning("timezone_kept", site=DEFAULT_SITE, kept=kept, asked=settings.timezone)
    if untold:
        announce_registry(settings, registry)


def _prepare_rules(settings: Settings, client: Client, *, untold: bool) -> None:
    from alerting.starter import starter_text
    from sinks.registry import latest_revision, load_rules_text

    text = load_rules_text(client)
    if text is None:
        publish_rules(settings, starter_text(), BY)
    elif untold:
        announce_rules(settings, text, latest_revision(client, "rules"))


def _has_untold(admin: Any) -> bool:
    """True when a partition does not know what holds: its topic is new, or the first start was broken off."""
    return any(end < _CONTROLS for topic in (EVENTS, CONTRIBUTIONS) for end in end_offsets(admin, topic).values())
