"""`floorpulse backup` and `restore`: what they refuse, and what they say of the log."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import typer
from kafka.errors import CoordinatorLoadInProgressError
from typer.testing import CliRunner, Result

from floorpulse import backup as module
from floorpulse.backup import place_in_log, take_place, wait_for_workers
from floorpulse.cli import backup
from floorpulse.embedded import gate
from floorpulse.embedded.floor import LOCK_FILE
from floorpulse.revisions import newest_revisions
from floorpulse.settings import Settings
from floorpulse.wiring import clickhouse_client
from schemas.errors import InputError, Unavailable
from schemas.topics import WORKER_GROUP
from sinks.backup_files import Manifest, Mark, new_folder, write_manifest
from sinks.schema import apply_schema

Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs `floorpulse ARGS` in a folder where no settings are."""
    monkeypatch.chdir(tmp_path)
    app = typer.Typer()
    backup.register(app)
    return lambda *args: CliRunner().invoke(app, [str(arg) for arg in args])


@pytest.fixture
def empty_backup(tmp_path: Path) -> Path:
    """A backup of a floor without a row."""
    with new_folder(tmp_path / "b") as folder:
        nothing: dict[str, Any] = {"marks": [], "refolds": [], "tables": {}, "topics": {}, "committed": {}}
        write_manifest(folder, Manifest(made_at="", database="", clickhouse="", **nothing))
    return tmp_path / "b"


def test_without_a_floor_there_is_nothing_to_back_up(run: Run) -> None:
    """One line, exit code 2; no servers are started, no folder is made."""
    result = run("backup", "b", "--data", "nowhere")

    assert result.exit_code == 2
    assert result.stderr == "no floor found in nowhere: name its folder with --data, or set clickhouse_url\n"
    assert not Path("b").exists()


def test_a_folder_that_is_no_backup_is_refused_first(run: Run) -> None:
    """Before anything is started or dropped."""
    result = run("restore", ".", "--replace")

    assert (result.exit_code, result.stderr) == (2, ".: no backup: expected a folder with manifest.json\n")


def test_a_floor_that_runs_is_not_restored(run: Run, empty_backup: Path, tmp_path: Path) -> None:
    """Its worker would write into what is loaded."""
    (tmp_path / "floor").mkdir()
    with gate.lock(tmp_path / "floor" / LOCK_FILE, ""):
        result = run("restore", empty_backup, "--data", "floor")

    assert (result.exit_code, result.stderr) == (2, "floor: the floor runs: `floorpulse down --data floor` first\n")


@pytest.mark.parametrize(
    ("first", "end", "said"),
    [
        (0, 100, "floor.events:2 goes on at 42, 58 records to read again"),
        (42, 42, "floor.events:2 goes on at 42, 0 records to read again"),
        (50, 100, "floor.events:2 begins at 50, 42 is next: 8 records are gone; worker --accept-gap goes on"),
        (0, 10, "floor.events:2 ends at 10, but 42 is next: the log is not the one of the backup"),
    ],
)
def test_it_says_where_the_worker_goes_on(first: int, end: int, said: str) -> None:
    """And when the log does not hold that place any more."""
    mark = Mark(topic="floor.events", partition=2, epoch=1, boundary=41, version=0, clock_ms=0)

    assert place_in_log(mark, first, end) == said


class Groups:
    """Kafka's groups: the workers' has members the first times it is asked, once the broker has read its topic."""

    def __init__(self, times: int, reading: int = 0) -> None:
        self.times = times
        self.reading = reading

    def list_groups(self) -> list[dict[str, str]]:
        """As the admin client answers."""
        self.reading -= 1
        if self.reading >= 0:
            raise CoordinatorLoadInProgressError
        self.times -= 1
        state = "Stable" if self.times >= 0 else "Empty"
        return [{"group_id": "other", "group_state": "Stable"}, {"group_id": WORKER_GROUP, "group_state": state}]


def test_it_waits_until_stopped_workers_are_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that was stopped is a member for 30 s more; one that runs stays one."""
    monkeypatch.setattr(module, "ASK_EVERY_S", 0.0)
    said: list[str] = []
    wait_for_workers(Groups(2), lambda what, _: said.append(what))
    monkeypatch.setattr(module, "GONE_WITHIN_S", 0.0)

    with pytest.raises(InputError, match="a worker still runs: stop every worker before a restore"):
        wait_for_workers(Groups(2), lambda *_: None)

    assert len(said) == 2


def test_it_waits_for_a_broker_that_has_just_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the broker has read its groups nobody can say whether a worker runs: that is no reason to go on."""
    monkeypatch.setattr(module, "ASK_EVERY_S", 0.0)
    said: list[str] = []
    wait_for_workers(Groups(0, reading=3), lambda what, _: said.append(what))
    monkeypatch.setattr(module, "GONE_WITHIN_S", 0.0)

    with pytest.raises(Unavailable, match="Kafka cannot tell yet whether a worker runs"):
        wait_for_workers(Groups(0, reading=3), lambda *_: None)

    assert len(said) == 3


def entry(kind: str, id_: str, revision: int, body: Any = "") -> bytes:
    return json.dumps({"kind": kind, "id": id_, "revision": revision, "body": {"v": body}}).encode()


def test_the_newest_revision_is_taken_whole() -> None:
    """What an older one held alone ended with it; registry and rules are numbered apart; deletions are passed over."""
    values = [
        entry("people", "a1", 1), entry("people", "gone", 1), entry("rules", "rules.yaml", 7, "text"), None,
        entry("sites", "main", 2), entry("people", "a1", 2, "new"),
    ]  # fmt: skip

    assert newest_revisions({0: values}) == {
        "registry": (2, {("sites", "main"): {"v": ""}, ("people", "a1"): {"v": "new"}}),
        "rules": (7, {("rules", "rules.yaml"): {"v": "text"}}),
    }


def test_what_was_loaded_takes_the_place_of_the_database(own_database: Settings) -> None:
    """Views read the new tables, and what feeds a table on every insert feeds the new one."""
    client = clickhouse_client(own_database, database="default")
    name = own_database.clickhouse_database
    apply_schema(client, name)
    client.insert("gaps", [["floor.events", 0, 1, 2]], column_names=["topic", "partition", "from_offset", "to_offset"])
    apply_schema(client, f"{name}_restoring")

    take_place(client, f"{name}_restoring", own_database)

    now = clickhouse_client(own_database)
    now.insert("agent_minutes", [["a1", datetime(2026, 3, 2, tzinfo=UTC)]], column_names=["agent", "minute"])
    feeders = now.query(
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine = 'MaterializedView'"
    ).result_rows
    databases = now.query("SELECT count() FROM system.databases WHERE startsWith(name, {n:String})", {"n": name})
    assert (len(feeders), databases.result_rows) == (2, [(1,)])
    assert now.query("SELECT count() FROM pane_days").result_rows == [(1,)]
    assert now.query("SELECT count() FROM gaps").result_rows == [(0,)]
    assert now.query("SELECT count() FROM events_current").result_rows == [(0,)]
