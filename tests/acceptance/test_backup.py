"""A lost ClickHouse comes back from a backup and the log, to the last number (P1, P2, F20)."""

from __future__ import annotations

import json
import shutil
import threading
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from floorpulse.settings import load_settings
from floorpulse.wiring import clickhouse_client
from tests.acceptance.conftest import MakeFloor
from tests.acceptance.floors import WholeFloor

pytestmark = pytest.mark.timeout(600)

Wait = Callable[[Callable[[], object]], None]

FLOOR = """
sites: [{id: main, timezone: UTC}]
teams: [{id: t1, name: One}]
people: [{id: a0001, teams: [{team: t1}]}]
"""


def send(floor: WholeFloor, events: list[dict[str, Any]]) -> None:
    """POST events; all of them are taken."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{floor.part('gateway')['ports']['http']}/v1/events",
        data=json.dumps(events).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 202


def handled(*numbers: int) -> list[dict[str, Any]]:
    """Contacts of the last ten minutes, of ten agents."""
    now = datetime.now(UTC)
    return [
        {
            "type": "contact_handled", "source": "acd", "id": f"h{n}", "contact": f"c{n}", "agent": f"a{n % 10:04}",
            "queue": "sales", "at": (now - timedelta(seconds=n % 600)).isoformat(), "talk_s": 60.0, "wrap_s": 5.0,
            "started_at": (now - timedelta(seconds=n % 600 + 65)).isoformat(),
        }
        for n in numbers
    ]  # fmt: skip


def fatal(number: int) -> list[dict[str, Any]]:
    """An evaluation that opens a case."""
    at = datetime.now(UTC).isoformat()
    event = {"type": "quality_scored", "source": "qa", "id": f"q{number}", "agent": f"a{number:04}", "at": at}
    return [event | {"contact": "c1", "score": 0, "fatal": True}]


def in_the_future(number: int) -> dict[str, Any]:
    """An event that becomes a dead letter."""
    at = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    return {"type": "state_changed", "source": "acd", "id": f"s{number}", "agent": "a0001", "at": at, "state": "ready"}


def state_of(floor: WholeFloor) -> dict[str, Any]:
    """What must be the same afterwards."""
    assert floor.run("drain").code == 0
    asked = {
        "events": "SELECT subject, id, revision FROM events_current ORDER BY ALL",
        "minutes": "SELECT agent, minute, handled, talk_ms FROM agent_minutes FINAL ORDER BY ALL",
        "ledger": "SELECT stream, sequence, id, hash FROM record_events FINAL ORDER BY ALL",
        "letters": "SELECT topic, partition, offset, reason, value FROM dead_letters FINAL ORDER BY ALL",
        "registry": "SELECT kind, max(revision) FROM revisions GROUP BY kind ORDER BY ALL",
        "people": "SELECT id, body FROM registry_current WHERE kind = 'people' ORDER BY ALL",
    }
    client = clickhouse_client(load_settings(floor.data))
    try:
        return {name: client.query(sql).result_rows for name, sql in asked.items()}
    finally:
        client.close()


@pytest.fixture(scope="module")
def floor(make_floor: MakeFloor, wait_until: Wait) -> WholeFloor:
    """A floor with events, a case and a dead letter."""
    made = make_floor()
    send(made, handled(*range(500)))
    send(made, fatal(1) + handled(900))
    send(made, [in_the_future(1), *handled(901)])
    assert made.run("drain").code == 0
    wait_until(lambda: made.ask("cases", "list"))
    return made


@pytest.fixture(scope="module")
def backup(floor: WholeFloor) -> Path:
    """A backup that was made while events came in."""
    folder, done = floor.data.parent / "backup", threading.Event()

    def feed() -> None:
        for first in range(1_000, 9_000, 100):
            send(floor, handled(*range(first, first + 100)))
            if done.wait(0.02):
                return

    feeding = threading.Thread(target=feed)
    feeding.start()
    answer = floor.run("backup", str(folder))
    done.set()
    feeding.join()
    assert answer.code == 0, answer.err
    return folder


@pytest.fixture(scope="module")
def before(floor: WholeFloor, backup: Path, wait_until: Wait) -> dict[str, Any]:
    """Everything as it was when ClickHouse was lost, long after the backup."""
    (case,) = floor.ask("cases", "list")
    assert floor.run("cases", "acknowledge", case["id"], "--as", "lead").code == 0
    (floor.data.parent / "floor.yaml").write_text(FLOOR)
    assert floor.run("registry", "apply", str(floor.data.parent / "floor.yaml")).code == 0
    send(floor, [in_the_future(2), *handled(*range(9_000, 9_300))])
    send(floor, fatal(2))
    wait_until(lambda: len(floor.ask("cases", "list")) == 2)
    return state_of(floor)


def test_a_backup_of_a_running_floor_is_that_of_a_prefix(backup: Path, floor: WholeFloor) -> None:
    """It has a checkpoint for each partition, and nothing of what came later."""
    manifest = json.loads((backup / "manifest.json").read_text())
    accepted = sum(mark["boundary"] + 1 for mark in manifest["marks"] if mark["topic"] == "floor.events")

    assert {mark["partition"] for mark in manifest["marks"] if mark["topic"] == "floor.events"} == {0, 1, 2, 3}
    assert 500 <= sum(part["rows"] for part in manifest["tables"]["events"]) <= accepted


def test_a_lost_clickhouse_comes_back(floor: WholeFloor, backup: Path, before: dict[str, Any]) -> None:
    """Events, minutes, cases, dead letters and registry, from the backup and what the log has since."""
    refused = floor.run("restore", str(backup))
    assert (refused.code, "the floor runs" in refused.err) == (2, True)
    assert floor.run("down").code == 0
    shutil.rmtree(floor.data / "store")

    restored = floor.run("restore", str(backup))
    again = floor.run("restore", str(backup))
    up = floor.run("up", "--detach")

    assert restored.code == 0, restored.err
    assert "registry: revisions 2 to 2 came back from floor.registry" in restored.err
    assert (again.code, "--replace drops them" in again.err) == (2, True)
    assert up.code == 0, up.err
    after = state_of(floor)
    for name, found in before.items():
        assert after[name] == found, name
    reconciled = floor.run("reconcile")
    assert reconciled.code == 0, reconciled.out


def test_a_backup_goes_to_another_machine(floor: WholeFloor, backup: Path, before: dict[str, Any]) -> None:
    """Without its log: the floor stands as of the backup, and goes on from there."""
    other = WholeFloor(floor.data.parent / "other")
    restored = other.run("restore", str(backup))
    assert restored.code == 0, restored.err
    assert other.run("up", "--detach").code == 0
    try:
        held = state_of(other)
        assert other.run("reconcile").code == 0
        manifest = json.loads((backup / "manifest.json").read_text())
        assert len(held["ledger"]) == sum(part["rows"] for part in manifest["tables"]["record_events"]) > 0

        send(other, handled(*range(20_000, 20_100), *range(100)))

        assert len(state_of(other)["events"]) == len(held["events"]) + 100
        assert other.run("reconcile").code == 0
    finally:
        other.run("down")
