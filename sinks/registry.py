"""The registry and the rules in ClickHouse: each revision whole, entries first, then the row that makes it hold."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

from alerting.load import load_rules
from alerting.rules import Rule
from schemas.errors import ConfigError, Unavailable
from schemas.registry import DEFAULT_SITE, Floor, Registry, Site
from sinks.places import Place, places_of, store_places

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

APPLIED_WITHIN_S = 60
"""So long a revision that was begun keeps others away; by then it holds, or was broken off."""
RULES = "rules"
RULES_FILE = "rules.yaml"
"""Id of the entry that holds the text of the rule file; no rule can have it, as ids of rules know no dot."""

RULES_KEPT = 1_000
"""Definitions of rules that hold no longer; an episode that one of them began ends minutes after it was replaced."""

Kind = Literal["registry", "rules"]
Entry = tuple[str, str, dict[str, Any]]
"""(kind, id, body)"""

_ROWS = {"registry": "kind != 'rules'", "rules": "kind = 'rules'"}


def latest_revision(client: Client, kind: Kind) -> int:
    """The revision that holds; 0 before the first."""
    sql = "SELECT max(revision) FROM revisions WHERE kind = {kind:String}"
    return int(client.query(sql, parameters={"kind": kind}).result_rows[0][0])


def load_registry(client: Client, revision: int | None = None) -> Registry:
    """
    A revision of the registry, whole; the one that holds when none is named.

    Revision 0 has the site `main` in UTC and nothing else. ConfigError: it is not there, or not complete.
    """
    number = latest_revision(client, "registry") if revision is None else revision
    if number == 0:
        return Registry(Floor(sites=[Site(id=DEFAULT_SITE)]), 0)
    entries = _entries(client, "registry", number)
    return Registry(Floor.from_entries([(kind, body) for kind, _id, body in entries]), number)


def store_registry(client: Client, floor: Floor, by: str, now: datetime, after: int | None = None) -> int:
    """
    Keep a floor as the next revision; returns its number.

    Unavailable: somebody else applies one at the same time, or `after`, by which it was made, does not hold any more.
    """
    return _store(client, "registry", floor.entries(), by, now, places_of(Registry(floor)), after)


def load_rules_text(client: Client, revision: int | None = None) -> str | None:
    """The rule file of a revision (the one that holds when none is named); None before the first."""
    number = latest_revision(client, "rules") if revision is None else revision
    if number == 0:
        return None
    bodies = {entry_id: body for _kind, entry_id, body in _entries(client, "rules", number)}
    return str(bodies[RULES_FILE]["text"])


def rules_before(client: Client, revision: int) -> tuple[Rule, ...]:
    """
    The rules of earlier revisions, of all of them the newest `RULES_KEPT` definitions, the newest last.

    Those of revisions that never came to hold do no harm, and one that is no rule any more is left out.
    """
    rows = client.query(
        "SELECT body FROM registry WHERE kind = {kind:String} AND id != {file:String} AND revision < {revision:UInt32}"
        " GROUP BY body ORDER BY max(revision) DESC, body LIMIT {most:UInt32}",
        parameters={"kind": RULES, "file": RULES_FILE, "revision": revision, "most": RULES_KEPT},
    ).result_rows
    found: list[Rule] = []
    for (body,) in reversed(rows):
        with suppress(ValueError):
            found.append(Rule.model_validate(json.loads(body)))
    return tuple(found)


def store_rules(client: Client, text: str, by: str, now: datetime) -> int:
    """
    Keep a rule file, and each rule of it, as the next revision; returns its number.

    ConfigError: a fault in it. Unavailable: somebody else applies one at the same time.
    """
    return _store(client, "rules", rule_entries(text), by, now)


def bring_back_registry(client: Client, floor: Floor, by: str, now: datetime, newest: int) -> None:
    """Keep a floor as each revision from the one after that which holds up to `newest`: the log names them."""
    _bring_back(client, "registry", floor.entries(), by, now, places_of(Registry(floor)), newest)


def bring_back_rules(client: Client, text: str, by: str, now: datetime, newest: int) -> None:
    """Keep a rule file as each revision from the one after that which holds up to `newest`: the log names them."""
    _bring_back(client, "rules", rule_entries(text), by, now, (), newest)


def rule_entries(text: str) -> list[Entry]:
    """(kind, id, body) of a rule file: its text, and each rule. ConfigError: a fault in it."""
    rules = load_rules(text, RULES_FILE).rules
    return [(RULES, RULES_FILE, {"text": text}), *((RULES, rule.id, rule.definition()) for rule in rules)]


def _entries(client: Client, kind: Kind, revision: int) -> list[Entry]:
    wanted = client.query(
        "SELECT max(entries), count() FROM revisions FINAL WHERE kind = {kind:String} AND revision = {revision:UInt32}",
        parameters={"kind": kind, "revision": revision},
    ).result_rows[0]
    rows = client.query(
        f"SELECT kind, id, body FROM registry FINAL WHERE {_ROWS[kind]} AND revision = {{revision:UInt32}}",
        parameters={"revision": revision},
    ).result_rows
    if not wanted[1] or len(rows) < wanted[0]:  # an erasure says how many are left before the others go
        raise ConfigError(f"{kind} revision {revision} is not complete in ClickHouse: apply the {kind} file again")
    return [(row[0], row[1], json.loads(row[2])) for row in rows]


def _store(
    client: Client,
    kind: Kind,
    entries: list[Entry],
    by: str,
    now: datetime,
    places: Sequence[Place] = (),
    after: int | None = None,
) -> int:
    revision = _take_revision(client, kind, after)
    _write(client, kind, revision, entries, by, now, places)
    return revision


def _bring_back(
    client: Client,
    kind: Kind,
    entries: list[Entry],
    by: str,
    now: datetime,
    places: Sequence[Place],
    newest: int,
) -> None:
    latest = latest_revision(client, kind)
    # a backup that was made while somebody applied holds entries of a revision that does not hold in it
    client.command(
        f"DELETE FROM registry WHERE {_ROWS[kind]} AND revision > {{latest:UInt32}}",
        parameters={"latest": latest},
        settings={"lightweight_deletes_sync": 1},
    )
    for revision in range(latest + 1, newest + 1):
        _write(client, kind, revision, entries, by, now, places)


def _write(
    client: Client,
    kind: Kind,
    revision: int,
    entries: list[Entry],
    by: str,
    now: datetime,
    places: Sequence[Place],
) -> None:
    store_places(client, revision, places)
    rows = [[revision, entry[0], entry[1], json.dumps(entry[2]), now, by] for entry in entries]
    if rows:
        columns = ["revision", "kind", "id", "body", "applied_at", "applied_by"]
        client.insert("registry", rows, column_names=columns)
    client.insert(
        "revisions",
        [[kind, revision, len(rows), now, by]],
        column_names=["kind", "revision", "entries", "applied_at", "applied_by"],
    )


def _take_revision(client: Client, kind: Kind, after: int | None) -> int:
    """
    A number for one that applies; Unavailable while another does, or where `after` does not hold any more.

    Each says what it wants before it looks, so of two that want the same one at most goes on, and whoever wants a
    higher one has seen the other. It is higher than any that was begun: entries of a revision that was broken off must
    not mix with the next.
    """
    revision, claim = _untaken(client, kind), uuid4().hex
    client.insert("revision_numbers", [[kind, revision, claim]], column_names=["kind", "revision", "claim"])
    latest = latest_revision(client, kind)
    ((others,),) = client.query(
        "SELECT count() FROM revision_numbers"
        " WHERE kind = {kind:String} AND revision > {latest:UInt32} AND revision <= {mine:UInt32}"
        " AND claim != {claim:String} AND claimed_at > now64(3) - toIntervalSecond({within:UInt32})",
        parameters={"kind": kind, "latest": latest, "mine": revision, "claim": claim, "within": APPLIED_WITHIN_S},
    ).result_rows
    if others or latest >= revision or after not in {None, latest}:
        raise Unavailable(f"nothing was applied: somebody else applies {kind} too. Look what holds, then apply yours")
    return revision


def _untaken(client: Client, kind: Kind) -> int:
    begun, asked = client.query(
        f"SELECT (SELECT max(revision) FROM registry WHERE {_ROWS[kind]}),"
        " (SELECT max(revision) FROM revision_numbers WHERE kind = {kind:String})",
        parameters={"kind": kind},
    ).result_rows[0]
    return int(max(begun, asked, latest_revision(client, kind))) + 1
