"""`registry apply` and `rules apply`: what they show, what they send, what they refuse."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from alerting.starter import starter_text
from floorpulse.offsets import admin_client, end_offsets, last_values
from floorpulse.prepare import prepare
from floorpulse.registry_file import read_floor, with_main
from floorpulse.settings import Settings
from floorpulse.wiring import clickhouse_client
from schemas.controls import RegistryChanged, RulesApplied
from schemas.events import decode
from schemas.topics import CONTRIBUTIONS, EVENTS, REGISTRY
from sinks.registry import latest_revision, load_registry, store_registry, store_rules

Run = Callable[..., Any]
NOW = datetime(2026, 3, 2, tzinfo=UTC)
FLOOR = "teams: [{id: t1}]\npeople:\n- {id: a1, teams: [{team: t1}]}\n- {id: a2}\n"


@pytest.fixture
def prepared(own_floor: Settings) -> Settings:
    """A floor with revision 1 of registry and rules."""
    prepare(own_floor)
    return own_floor


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A floor file."""
    path = tmp_path / "floor.yaml"
    path.write_text(FLOOR)
    return path


def last_records(settings: Settings, topic: str) -> list[object]:
    """The last record of each partition."""
    with admin_client(settings) as admin:
        ends = end_offsets(admin, topic)
    assert all(ends.values())
    return [decode(values[-1] or b"") for values in last_values(settings, topic, ends, 1).values()]


def test_a_dry_run_changes_nothing(run_on_floor: Run, prepared: Settings, file: Path) -> None:
    """It shows the difference and leaves the revision."""
    ended = run_on_floor("registry", "apply", str(file), "--dry-run")

    assert ended.out.splitlines() == ["+ people a1", "+ people a2", "+ teams t1"]
    assert load_registry(clickhouse_client(prepared)).revision == 1


def test_apply_makes_the_file_hold_everywhere(run_on_floor: Run, prepared: Settings, file: Path) -> None:
    """The next revision is in ClickHouse, on floor.registry, and told to every partition."""
    ended = run_on_floor("registry", "apply", str(file))

    registry = load_registry(clickhouse_client(prepared))
    assert (ended.code, registry.revision, set(registry.people)) == (0, 2, {"a1", "a2"})
    told = last_records(prepared, EVENTS) + last_records(prepared, CONTRIBUTIONS)
    assert {(type(record), getattr(record, "revision", 0)) for record in told} == {(RegistryChanged, 2)}


def test_what_ends_is_deleted_from_the_topic(run_on_floor: Run, prepared: Settings, file: Path) -> None:
    """An entry that is gone leaves an empty value under its key, so that readers of the topic forget it."""
    run_on_floor("registry", "apply", str(file))
    file.write_text("people:\n- {id: a1}\n- {id: a2}\n")

    ended = run_on_floor("registry", "apply", str(file))

    with admin_client(prepared) as admin:
        ends = end_offsets(admin, REGISTRY)
    assert ended.out.splitlines() == ["~ people a1: teams", "- teams t1"]
    assert last_values(prepared, REGISTRY, ends, 1)[0] == [None]


def test_the_same_file_again_changes_nothing(run_on_floor: Run, prepared: Settings, file: Path) -> None:
    """No difference, no new revision."""
    run_on_floor("registry", "apply", str(file))

    ended = run_on_floor("registry", "apply", str(file))

    assert ended.err.endswith("nothing changes: revision 2 holds\n")
    assert load_registry(clickhouse_client(prepared)).revision == 2


def test_an_apply_that_broke_off_is_ended_by_the_same_file(run_on_floor: Run, prepared: Settings, file: Path) -> None:
    """Where a revision is stored and not every partition knows, the file again tells them, and the topic what ended."""
    run_on_floor("registry", "apply", str(file))
    file.write_text(FLOOR.replace("- {id: a2}", "- {id: a3}"))
    client = clickhouse_client(prepared)
    known = load_registry(client).floor
    store_registry(client, with_main(read_floor(file, known), known), "tests", NOW)

    ended = run_on_floor("registry", "apply", str(file))

    told = last_records(prepared, EVENTS) + last_records(prepared, CONTRIBUTIONS)
    with admin_client(prepared) as admin:
        ends = end_offsets(admin, REGISTRY)
    assert {(type(record), getattr(record, "revision", 0)) for record in told} == {(RegistryChanged, 3)}
    assert last_values(prepared, REGISTRY, ends, 1)[0] == [None], "a2 stands on the topic"
    assert (ended.code, ended.out) == (0, "")
    assert ended.err.endswith("had not come to it yet\nnothing changes: revision 3 holds\n")


def test_rules_that_broke_off_are_told_by_the_same_file(run_on_floor: Run, prepared: Settings, tmp_path: Path) -> None:
    """The same holds for rules: whoever applies them again is not told that all is well while no worker has them."""
    file = tmp_path / "rules.yaml"
    file.write_text(starter_text() + "\n# looked through\n")
    store_rules(clickhouse_client(prepared), file.read_text(), "tests", NOW)

    ended = run_on_floor("rules", "apply", str(file))

    told = last_records(prepared, EVENTS) + last_records(prepared, CONTRIBUTIONS)
    assert (ended.code, ended.err.splitlines()[-1]) == (0, "nothing changes: revision 2 holds")
    assert {(type(record), getattr(record, "revision", 0)) for record in told} == {(RulesApplied, 2)}


def test_nobody_is_told_again_what_all_know(run_on_floor: Run, prepared: Settings, file: Path) -> None:
    """Once the checkpoint of each partition is behind the revision, the same file sends nothing."""
    run_on_floor("registry", "apply", str(file))
    client = clickhouse_client(prepared)
    with admin_client(prepared) as admin:
        ends = {topic: end_offsets(admin, topic) for topic in (EVENTS, CONTRIBUTIONS)}
        marks = [
            [f"{topic}:{number}", "partition", '{"registry":2,"rules":1}'] for topic in ends for number in ends[topic]
        ]
        client.insert("subjects", marks, column_names=["subject", "kind", "body"])

        run_on_floor("registry", "apply", str(file))

        assert {topic: end_offsets(admin, topic) for topic in ends} == ends


def test_a_file_without_most_people_must_be_meant(run_on_floor: Run, prepared: Settings, file: Path) -> None:
    """It is refused with exit 2, and taken with --allow-shrink."""
    run_on_floor("registry", "apply", str(file))
    file.write_text("people: [{id: a1}]\n")

    refused = run_on_floor("registry", "apply", str(file))
    taken = run_on_floor("registry", "apply", str(file), "--allow-shrink")

    assert (refused.code, taken.code) == (2, 0)
    assert "1 of 2 known people" in refused.err
    assert load_registry(clickhouse_client(prepared)).revision == 3


def test_a_fault_in_the_file_is_one_line(run: Run, file: Path) -> None:
    """Nothing is asked of the floor before the file is in order: exit 2."""
    file.write_text(FLOOR.replace("team: t1", "team: t7"))

    ended = run("registry", "apply", str(file))

    assert (ended.code, ended.err) == (2, f"{file}:3: people[0].teams[0].team: no team 't7'\n")


def test_show_prints_what_holds(run_on_floor: Run, prepared: Settings, file: Path) -> None:
    """The whole revision, as JSON that could be applied again."""
    run_on_floor("registry", "apply", str(file))

    shown = json.loads(run_on_floor("registry", "show", "--format", "json").out)

    assert shown["revision"] == 2
    assert [person["id"] for person in shown["people"]] == ["a1", "a2"]
    assert [site["id"] for site in shown["sites"]] == ["main"]


def test_rules_apply_makes_a_rule_file_hold(run_on_floor: Run, prepared: Settings, tmp_path: Path) -> None:
    """A changed rule is named; the next revision is told to every partition."""
    file = tmp_path / "rules.yaml"
    file.write_text(starter_text() + "\n# looked through\n")

    ended = run_on_floor("rules", "apply", str(file))

    assert (ended.code, ended.out) == (0, "")
    assert latest_revision(clickhouse_client(prepared), "rules") == 2
    told = last_records(prepared, EVENTS) + last_records(prepared, CONTRIBUTIONS)
    assert {(type(record), getattr(record, "revision", 0)) for record in told} == {(RulesApplied, 2)}


def test_preparing_again_changes_nothing(prepared: Settings) -> None:
    """A second start finds topics, tables and revisions as they are, and tells nobody anything."""
    with admin_client(prepared) as admin:
        before = end_offsets(admin, EVENTS)

        prepare(prepared)

        assert end_offsets(admin, EVENTS) == before
    assert latest_revision(clickhouse_client(prepared), "registry") == 1


def test_the_zone_of_the_first_start_is_kept(own_floor: Settings) -> None:
    """The site main gets the zone of the settings, once; another one later changes no past day."""
    prepare(own_floor.model_copy(update={"timezone": "Asia/Jerusalem"}))
    prepare(own_floor.model_copy(update={"timezone": "Asia/Manila"}))

    assert load_registry(clickhouse_client(own_floor)).sites["main"].timezone == "Asia/Jerusalem"
