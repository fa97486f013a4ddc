"""Revisions of registry and rules in ClickHouse."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from alerting.load import load_rules
from alerting.starter import starter_text
from schemas.errors import ConfigError, Unavailable
from schemas.registry import Floor, Membership, Person, Site, Target, Team
from sinks.registry import (
    APPLIED_WITHIN_S,
    bring_back_registry,
    bring_back_rules,
    latest_revision,
    load_registry,
    load_rules_text,
    rules_before,
    store_registry,
    store_rules,
)
from tests.sinks.test_ingest_numbers import Interrupted

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
FLOOR = Floor(
    sites=[Site(id="main", timezone="Asia/Manila")],
    teams=[Team(id="t1", name="Ones")],
    people=[Person(id="a1", name="somebody", teams=[Membership(team="t1", valid_from=NOW)])],
    targets=[Target(kpi="aht_s", value=240), Target(kpi="aht_s", value=300, subject="team:t1")],
)


def test_before_the_first_revision_there_is_the_site_main(client: Client) -> None:
    """An empty store answers with revision 0: the site `main`, and nobody."""
    registry = load_registry(client)

    assert (registry.revision, list(registry.sites), registry.people) == (0, ["main"], {})


def test_a_revision_comes_back_whole(client: Client) -> None:
    """What was stored is what is loaded, to the last field; its number is the next one."""
    store_registry(client, Floor(sites=[Site(id="main")]), "tests", NOW)
    revision = store_registry(client, FLOOR, "tests", NOW)

    registry = load_registry(client)

    assert (revision, registry.revision) == (2, 2)
    assert registry.floor == FLOOR


def test_an_older_revision_can_be_loaded(client: Client) -> None:
    """A worker loads exactly the revision that its log names, not the newest."""
    store_registry(client, FLOOR, "tests", NOW)
    store_registry(client, Floor(sites=[Site(id="main")]), "tests", NOW)

    assert load_registry(client, 1).floor == FLOOR


def test_a_revision_that_was_broken_off_never_holds(client: Client) -> None:
    """Entries without their row in `revisions` are skipped: the next revision gets a higher number."""
    store_registry(client, FLOOR, "tests", NOW)
    client.insert("registry", [[2, "people", "half", "{}"]], column_names=["revision", "kind", "id", "body"])

    assert load_registry(client).revision == 1
    assert store_registry(client, FLOOR, "tests", NOW) == 3


@pytest.mark.parametrize(("after", "holds"), [("query", "theirs"), ("insert", "mine")])
def test_of_two_that_apply_at_the_same_time_one_holds(client: Client, after: str, holds: str) -> None:
    """The other is told, and its entries mix with nobody's; each of the two looks at the other half-way."""
    floors = {whose: Floor(teams=[Team(id=whose)]) for whose in ("mine", "theirs")}
    refused = []

    def apply(client: Any, whose: str) -> None:
        try:
            store_registry(client, floors[whose], "tests", NOW, after=0)
        except Unavailable:
            refused.append(whose)

    apply(Interrupted(client, after, lambda: apply(client, "theirs")), "mine")

    assert [team.id for team in load_registry(client).floor.teams] == [holds]
    assert refused == [whose for whose in floors if whose != holds]


def test_what_was_made_of_a_revision_that_holds_no_longer_is_refused(client: Client) -> None:
    """Somebody may have been erased in between: nothing brings them back."""
    first = store_registry(client, FLOOR, "tests", NOW)
    second = store_registry(client, Floor(sites=[Site(id="main")]), "tests", NOW, after=first)

    with pytest.raises(Unavailable, match="nothing was applied"):
        store_registry(client, FLOOR, "tests", NOW, after=first)

    assert load_registry(client).revision == second
    assert store_rules(client, starter_text(), "tests", NOW) == 1


@pytest.mark.parametrize(("age_s", "is_free"), [(APPLIED_WITHIN_S + 5, True), (APPLIED_WITHIN_S - 30, False)])
def test_a_revision_that_was_left_half_way_keeps_others_away_for_a_while(
    client: Client, age_s: int, is_free: bool
) -> None:
    """For a minute: nobody needs so long."""
    row = ["registry", 8, "somebody's", datetime.now(UTC) - timedelta(seconds=age_s)]
    client.insert("revision_numbers", [row], column_names=["kind", "revision", "claim", "claimed_at"])

    with nullcontext() if is_free else pytest.raises(Unavailable):
        store_registry(client, FLOOR, "tests", NOW)

    assert latest_revision(client, "registry") == (9 if is_free else 0)


def test_a_revision_that_is_not_there_is_an_error(client: Client) -> None:
    """Asking for an unknown revision is no empty registry."""
    with pytest.raises(ConfigError, match="registry revision 7"):
        load_registry(client, 7)


def test_a_revision_with_entries_missing_is_an_error(client: Client) -> None:
    """A revision counts its entries: with one too few it is not loaded."""
    columns = ["kind", "revision", "entries", "applied_at", "applied_by"]
    client.insert("revisions", [["registry", 1, 1, NOW, "tests"]], column_names=columns)

    with pytest.raises(ConfigError, match="not complete"):
        load_registry(client)


def test_revisions_come_back_under_the_numbers_that_the_log_names(client: Client) -> None:
    """Also where the backup was made while somebody applied, and holds a number and entries of a revision to come."""
    store_registry(client, FLOOR, "tests", NOW)
    store_rules(client, starter_text(), "tests", NOW)
    numbers = [[kind, 2, "of before the backup", NOW] for kind in ("registry", "rules")]
    client.insert("revision_numbers", numbers, column_names=["kind", "revision", "claim", "claimed_at"])
    client.insert("registry", [[2, "teams", "half", "{}"]], column_names=["revision", "kind", "id", "body"])
    later, text = Floor(teams=[Team(id="later")]), f"{starter_text()}# later\n"

    bring_back_registry(client, later, "restore", NOW, 3)
    bring_back_rules(client, text, "restore", NOW, 2)

    assert [load_registry(client, revision).floor for revision in (1, 2, 3)] == [FLOOR, later, later]
    assert [load_rules_text(client, revision) for revision in (1, 2)] == [starter_text(), text]
    assert (latest_revision(client, "registry"), latest_revision(client, "rules")) == (3, 2)


def test_rules_have_revisions_of_their_own(client: Client) -> None:
    """The text of a rule file comes back byte for byte, and each rule stands beside it."""
    store_registry(client, FLOOR, "tests", NOW)
    assert load_rules_text(client) is None

    revision = store_rules(client, starter_text(), "tests", NOW)

    assert (revision, latest_revision(client, "registry")) == (1, 1)
    assert load_rules_text(client, 1) == starter_text()
    assert load_registry(client).floor == FLOOR


def test_rules_with_a_fault_are_not_stored(client: Client) -> None:
    """A file that cannot be read changes nothing."""
    with pytest.raises(ConfigError):
        store_rules(client, "rules: [{id: x}]", "tests", NOW)

    assert latest_revision(client, "rules") == 0


def test_rules_that_hold_no_longer_are_known(client: Client) -> None:
    """As they were, the newest wording last; of an entry that is no rule nothing comes."""
    text = starter_text()
    changed = text.replace("severity: act", "severity: watch")
    for applied in (text, changed, text):
        store_rules(client, applied, "tests", NOW)
    client.insert("registry", [[3, "rules", "half", "{}"]], column_names=["revision", "kind", "id", "body"])

    def versions(*texts: str) -> set[int]:
        return {rule.version() for text in texts for rule in load_rules(text, "rules.yaml").rules}

    assert changed != text
    assert {rule.version() for rule in rules_before(client, 4)} == versions(text, changed)
    assert {rule.version() for rule in rules_before(client, 2)} == versions(text)
    assert rules_before(client, 1) == rules_before(client, 0) == ()
