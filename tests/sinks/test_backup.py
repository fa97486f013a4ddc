"""A backup is the floor as of its checkpoints, whole and checked (P1, P2)."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from floorpulse.settings import Settings
from floorpulse.wiring import clickhouse_client
from schemas.errors import InputError
from schemas.topics import EVENTS
from sinks import backup_files
from sinks.backup import Progress, dump
from sinks.backup_files import MANIFEST, Manifest, new_folder, read_manifest, write_manifest, write_parts
from sinks.backup_load import load
from sinks.reconcile import reconcile
from sinks.restore import read_stored
from sinks.schema import apply_schema
from tests.sinks.rolling import rolled_up
from tests.sinks.test_clickhouse_sink import Crash
from tests.sinks.test_restore import flushed, panes
from tests.streams.runs import new_engine
from tests.streams.test_identity import fact
from tests.streams.test_restart import away, handled

Empty = Callable[[], Client]
LETTER = [b"\xff\x00\t\n\\'\r", "a\tb\\n"]


@pytest.fixture
def empty(own_database: Settings) -> Iterator[Client]:
    """A client on another database with the schema and no rows; to load a backup takes views out."""
    with closing(clickhouse_client(own_database)) as found:
        apply_schema(found, own_database.clickhouse_database)
        yield found


def backup(client: Client, folder: Path, progress: Progress = lambda _table, _rows: None) -> Manifest:
    """A backup of everything in a folder of its own; read as a restore reads it."""
    with new_folder(folder) as unfinished:
        dumped = dump(client, unfinished, progress)
        about = {"made_at": "now", "database": "d", "clickhouse": "c", "topics": {}, "committed": {}}
        fields = {"marks": dumped.marks, "refolds": dumped.refolds, "tables": dumped.tables}
        write_manifest(unfinished, Manifest(**about, **fields))
    return read_manifest(folder)


def everything(client: Client, table: str) -> bytes:
    final = "" if table == "access_log" else "FINAL"
    return client.raw_query(f"SELECT * FROM {table} {final} ORDER BY ALL", fmt="TabSeparated")


def test_what_was_stored_comes_back(client: Client, empty: Client, tmp_path: Path) -> None:
    """Every table, to the last byte; nothing differs, and the worker finds the same state."""
    flushed(client, new_engine(event_clock=False), handled(0, 0.1), away(1, 0.5), away(2, 2.5, "ready"), fact(3))
    columns = ["topic", "partition", "offset", "value", "detail"]
    client.insert("dead_letters", [[EVENTS, 0, 99, *LETTER]], column_names=columns)

    manifest = backup(client, tmp_path / "b")
    rows = load(empty, tmp_path / "b", manifest)

    assert rows == manifest.rows() > 0
    for table in manifest.tables:
        assert everything(empty, table) == everything(client, table), table
    assert as_found(empty) == as_found(client)
    assert reconcile(empty).differences == []


@pytest.mark.parametrize("step", ["after_events", "after_panes", "before_subjects"])
def test_what_stands_above_the_checkpoint_is_left_out(client: Client, empty: Client, tmp_path: Path, step: str) -> None:
    """A running floor writes events and panes before their checkpoint: a backup in between is that of a prefix."""
    engine = new_engine(event_clock=False)
    flushed(client, engine, fact(0), away(1, 1.5), handled(2, 1.6))
    later = (handled(3, 1.7), away(4, 3.0, "ready"), fact(5, 2, revision=1, talk_s=7.0))
    with pytest.raises(Crash):
        flushed(client, engine, *later, step=step)

    load(empty, tmp_path / "b", backup(client, tmp_path / "b"))

    assert empty.query("SELECT max(offset), max(superseded_by), max(version) FROM events").result_rows == [
        (2, 0, (1 << 48) + 2)
    ]
    assert empty.query("SELECT max(version) FROM agent_minutes").result_rows == [((1 << 48) + 2,)]
    assert reconcile(empty).differences == []
    wanted = new_engine(event_clock=False)
    for item in (fact(0), away(1, 1.5), handled(2, 1.6)):
        wanted.apply(item)
    assert as_found(empty)[0] == panes_of(wanted)


def as_found(client: Client) -> Any:
    """What a worker finds at its start: panes, checkpoint, subjects, ids."""
    stored = read_stored(client, EVENTS, [0], 1).get(0)
    assert stored is not None
    engine = new_engine(event_clock=False)
    engine.load(stored)
    return panes_of(engine), stored.checkpoint, stored.bodies, stored.known


def panes_of(engine: Any) -> Any:
    """Panes that are not empty, by place."""
    return {place: found for place, found in panes(engine).items() if any(found[0].values())}


def test_rolled_up_days_stay_clean(client: Client, empty: Client, tmp_path: Path) -> None:
    """They are read from quarter hours, and once their minutes expire from nowhere else."""
    flushed(client, new_engine(event_clock=False), handled(0, 0.1), away(1, 0.5))
    _roll_up(client)

    load(empty, tmp_path / "b", backup(client, tmp_path / "b"))

    assert empty.query("SELECT toString(day) FROM clean_days").result_rows == [("2026-03-02",)]


def test_days_that_are_folded_again_are_rolled_up_again(client: Client, empty: Client, tmp_path: Path) -> None:
    """Their quarter hours may hold what stood above the checkpoint."""
    engine = new_engine(event_clock=False)
    flushed(client, engine, handled(0, 0.1))
    with pytest.raises(Crash):
        flushed(client, engine, handled(1, 0.2), step="after_panes")
    _roll_up(client)

    load(empty, tmp_path / "b", backup(client, tmp_path / "b"))

    assert client.query("SELECT count() FROM clean_days").result_rows == [(1,)]
    assert empty.query("SELECT count() FROM clean_days").result_rows == [(0,)]


@pytest.mark.parametrize("table", ["agent_minutes", "events"])
@pytest.mark.parametrize("rolled_before", [False, True])
def test_days_that_are_rolled_up_meanwhile_lose_nothing(
    client: Client, empty: Client, tmp_path: Path, table: str, *, rolled_before: bool
) -> None:
    """Before or after quarter hours are written, and whether or not the day had older ones."""
    engine = new_engine(event_clock=False)
    flushed(client, engine, handled(0, 0.1))
    if rolled_before:
        rolled_up(client)
    flushed(client, engine, handled(1, 0.2))

    def roll_once(written: str, _rows: int) -> None:
        if written == table:
            rolled_up(client)

    load(empty, tmp_path / "b", backup(client, tmp_path / "b", roll_once))
    apply_schema(empty, str(empty.database))

    assert counted(empty) == counted(client) == [2]
    rolled_up(empty)
    assert counted(empty) == [2]


def counted(client: Client) -> list[int]:
    """Contacts handled by each agent, as a query says it."""
    ask = "from = '2026-03-02', to = '2026-03-03', step_s = 0, zone = 'UTC', threshold_s = 20, short_s = 5, only = ''"
    return [int(row[0]) for row in client.query(f"SELECT handled FROM kpi_agent({ask})").result_rows]


def _roll_up(client: Client) -> None:
    """Say that every day was rolled up as it stands."""
    client.command(
        "INSERT INTO rolled_days (day, rolled_at, covers, panes)"
        " SELECT day, now64(3) - INTERVAL 1 SECOND, max(last_stored), sum(panes) FROM pane_days GROUP BY day"
    )


def test_a_backup_before_the_first_flush_is_empty(client: Client, empty: Client, tmp_path: Path) -> None:
    """A floor without events can be kept too."""
    manifest = backup(client, tmp_path / "b")

    assert load(empty, tmp_path / "b", manifest) == 0


@pytest.fixture
def folder(client: Client, tmp_path: Path) -> Path:
    """A backup with rows."""
    flushed(client, new_engine(event_clock=False), handled(0, 0.1))
    backup(client, tmp_path / "b")
    return tmp_path / "b"


def test_a_damaged_file_is_found_before_anything_is_loaded(folder: Path) -> None:
    """One flipped byte is named."""
    file = next(folder.glob("events.*"))
    file.write_bytes(file.read_bytes()[:-1] + b"?")

    with pytest.raises(InputError, match=rf"{file.name}: is not as it was written: the backup is damaged"):
        read_manifest(folder)


def test_a_missing_file_is_found(folder: Path) -> None:
    """As is a missing manifest: a folder without one is no backup."""
    next(folder.glob("events.*")).unlink()
    with pytest.raises(InputError, match="is missing: the backup is not whole"):
        read_manifest(folder)

    (folder / MANIFEST).unlink()
    with pytest.raises(InputError, match=r"no backup: expected a folder with manifest\.json"):
        read_manifest(folder)


def test_a_backup_of_a_later_format_is_refused(folder: Path) -> None:
    """Rather than half understood."""
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps(manifest | {"format": 2}))

    with pytest.raises(InputError, match="expected a backup of format 1, found 2"):
        read_manifest(folder)


def test_a_column_that_this_version_does_not_know_is_named(folder: Path, empty: Client) -> None:
    """Before anything is loaded."""
    manifest = read_manifest(folder)
    empty.command("ALTER TABLE subjects DROP COLUMN reason")

    with pytest.raises(InputError, match="holds the column reason of subjects, which this version does not know"):
        load(empty, folder, manifest)

    assert empty.query("SELECT count() FROM events").result_rows == [(0,)]


def test_a_broken_off_backup_leaves_nothing(tmp_path: Path) -> None:
    """The folder takes its name when it is whole."""
    with pytest.raises(Crash), new_folder(tmp_path / "b") as unfinished:
        _break_off(unfinished)

    assert list(tmp_path.iterdir()) == []


def _break_off(folder: Path) -> None:
    (folder / "x").touch()
    raise Crash


def test_a_folder_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    """Also an empty one."""
    with pytest.raises(InputError, match="is there already: name a new folder"), new_folder(tmp_path):
        raise AssertionError


def test_long_tables_are_cut_between_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file has the names of the columns; together they hold every row once, in order."""
    monkeypatch.setattr(backup_files, "PART_BYTES", 100)
    rows = [b"%d\t%s\n" % (number, b"x" * (number % 40)) for number in range(300)]
    text = b"a\tb\n" + b"".join(rows)

    parts = write_parts(tmp_path, "t", (text[i : i + 7] for i in range(0, len(text), 7)), 2)

    texts = [gzip.decompress((tmp_path / part.file).read_bytes()) for part in parts]
    assert len(parts) > 10
    assert all(found.startswith(b"a\tb\n") for found in texts)
    assert b"".join(found.removeprefix(b"a\tb\n") for found in texts) == b"".join(rows)
    assert [part.rows for part in parts] == [found.count(b"\n") - 1 for found in texts]


@pytest.mark.parametrize("end", [b"2\ty", b"Code: 241. DB::Exception: memory\n"])
def test_an_answer_that_breaks_off_is_no_backup(tmp_path: Path, end: bytes) -> None:
    """ClickHouse may say that something went wrong in the middle of its rows."""
    with pytest.raises(InputError, match="t: ClickHouse broke off in the middle of its rows"):
        write_parts(tmp_path, "t", [b"a\tb\n", b"1\tx\n", end], 2)
