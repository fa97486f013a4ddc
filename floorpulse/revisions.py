"""Revisions of registry and rules that were applied after a backup, out of `floor.registry`, which has the newest."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from floorpulse.clock import utc_now
from floorpulse.offsets import end_offsets, last_values
from floorpulse.settings import Settings
from schemas.registry import Floor
from schemas.topics import REGISTRY

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

BY = "floorpulse restore"
_RULES = "rules"


def bring_back_revisions(settings: Settings, client: Client, admin: Any) -> list[str]:
    """
    Store every revision that the log names and ClickHouse lost; returns what there is to say.

    The worker asks for each of them when it reads the log again. Only the newest is in `floor.registry`, so those in
    between get its content.
    """
    from sinks.registry import RULES_FILE, bring_back_registry, bring_back_rules, latest_revision

    ends = end_offsets(admin, REGISTRY)
    entries = (
        newest_revisions(last_values(settings, REGISTRY, ends, max(ends.values(), default=0)))
        if any(ends.values())
        else {}
    )
    notes = []
    for kind, (newest, bodies) in entries.items():
        known = latest_revision(client, kind)  # type: ignore[arg-type]
        if newest > known:
            if kind == _RULES:
                bring_back_rules(client, bodies[_RULES, RULES_FILE]["text"], BY, utc_now(), newest)
            else:
                floor = Floor.from_entries([(entry, body) for (entry, _), body in bodies.items()])
                bring_back_registry(client, floor, BY, utc_now(), newest)
            notes.append(f"{kind}: revisions {known + 1} to {newest} came back from {REGISTRY}, as the newest says")
    return notes


def erase_again(settings: Settings, client: Client) -> list[str]:
    """
    Delete what a backup brought back of people who were erased since; returns what there is to say.

    The workers are told once more, at the end of the log: it may no longer hold the first time.
    """
    from floorpulse.erasure import erased_everywhere, sweep
    from floorpulse.publish import announce_registry
    from sinks.registry import load_registry

    registry = load_registry(client)
    if registry.erased <= erased_everywhere(client):
        return []
    rows = sweep(client, registry.erased)
    announce_registry(settings, registry)
    return [f"{rows} rows of the backup are of people who were erased since: they are deleted again"]


def newest_revisions(
    values: dict[int, list[bytes | None]],
) -> dict[str, tuple[int, dict[tuple[str, str], dict[str, Any]]]]:
    """registry and rules -> their newest revision with all its entries; each revision is written whole."""
    found: dict[str, tuple[int, dict[tuple[str, str], dict[str, Any]]]] = {}
    for value in (value for partition in values.values() for value in partition if value):
        entry = json.loads(value)
        of = _RULES if entry["kind"] == _RULES else "registry"
        newest, bodies = found.get(of, (0, {}))
        if entry["revision"] > newest:
            newest, bodies = entry["revision"], {}
        if entry["revision"] == newest:
            bodies[entry["kind"], entry["id"]] = entry["body"]
        found[of] = (newest, bodies)
    return found
