"""`floorpulse audit`: a list of heads that is kept, and what it tells of a ledger that somebody changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from floorpulse.settings import Settings
from floorpulse.wiring import clickhouse_client
from records.store.clickhouse import ClickHouseLedgerStore
from records.store.erasing import strip_streams
from schemas.registry import Floor
from sinks.registry import store_registry
from tests.records.test_audit import WHOLE

Run = Callable[..., Any]


@pytest.fixture
def key(tmp_path: Path) -> str:
    """A file with a secret."""
    file = tmp_path / "audit.key"
    file.write_text("a secret kept elsewhere\n")
    return str(file)


@pytest.fixture
def command(own_schema: Settings, run_on_schema: Run) -> Callable[[str], None]:
    """Runs SQL on a store whose ledger has two chains with four entries."""
    with closing(clickhouse_client(own_schema)) as client:
        ClickHouseLedgerStore(client).append(WHOLE)

    def change(sql: str) -> None:
        with closing(clickhouse_client(own_schema)) as client:
            client.command(sql, settings={"mutations_sync": 2})

    return change


def test_a_kept_list_tells_of_entries_that_are_gone(
    run_on_schema: Run, key: str, command: Callable[[str], None]
) -> None:
    """A ledger that nobody touched holds; where the last entry of a stream is missing, its place is named."""
    made = run_on_schema("audit", "heads", "--key", key, "--out", "kept.jsonl")
    assert (made.code, made.out, made.err) == (0, "", "2 chains, 4 entries: 0 do not hold\n")
    held = run_on_schema("audit", "verify", "kept.jsonl", "--key", key)
    assert (held.code, held.out) == (0, "")

    command("DELETE FROM record_events WHERE stream = 'agent:a1' AND sequence = 3")
    alone = run_on_schema("audit", "verify")
    beside = run_on_schema("audit", "verify", "kept.jsonl", "--format", "json")

    assert (alone.code, beside.code) == (0, 1)
    (found,) = json.loads(beside.out)
    assert (found["stream"], found["sequence"]) == ("agent:a1", 3)
    assert beside.err.splitlines() == [
        "signatures were not checked: give the key with --key",
        "2 chains, 3 entries: 1 do not hold",
    ]


def test_a_ledger_that_does_not_hold_is_not_listed(run_on_schema: Run, command: Callable[[str], None]) -> None:
    """The broken place is printed instead, and no file is made."""
    command("ALTER TABLE record_events UPDATE by = 'somebody-else' WHERE stream = 'agent:a1' AND sequence = 2")

    ended = run_on_schema("audit", "heads", "--out", "kept.jsonl")

    assert ended.code == 1
    assert "agent:a1" in ended.out
    assert not Path("kept.jsonl").exists()


@pytest.mark.parametrize(("erased", "code"), [([], 1), ([{"id": "a1", "at": "2026-03-02T12:00:00Z"}], 0)])
def test_a_case_without_its_content_is_that_of_somebody_who_was_erased(
    run_on_schema: Run, own_schema: Settings, command: Callable[[str], None], erased: list[dict[str, str]], code: int
) -> None:
    """Else somebody who may write to ClickHouse has hidden it, in a way that breaks no chain."""
    command("INSERT INTO alert_transitions (alert, subject) VALUES ('x', 'agent:a1')")
    with closing(clickhouse_client(own_schema)) as client:
        strip_streams(client, ["agent:a1"])
        store_registry(client, Floor.model_validate({"erased": erased}), "cli", datetime(2026, 3, 2, tzinfo=UTC))

    ended = run_on_schema("audit", "verify", "--format", "json")

    told = [one["stream"] for one in json.loads(ended.out)]
    assert (ended.code, told) == (code, ["agent:a1"] if code else [])


@pytest.mark.usefixtures("command")
@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("heads", "--out", "there"), "there: exists already: expected the name of a new file"),
        (("heads", "--out", "no/where"), "no/where: cannot be written: No such file or directory"),
        (("heads", "--key", "there"), "there: expected a secret of 16 bytes or more, found 5"),
        (("verify", "--key", "nowhere"), "nowhere: cannot be read: No such file or directory"),
        (("verify", "there"), "there:1: expected an object with at, heads and sha256"),
        (("verify", "bytes"), "bytes: expected a list of heads in UTF-8"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_line(run_on_schema: Run, args: tuple[str, ...], message: str) -> None:
    """Exit code 2, with the file and what was expected."""
    Path("there").write_text("words")
    Path("bytes").write_bytes(b"\xff\xfe")

    ended = run_on_schema("audit", *args)

    assert (ended.code, ended.out) == (2, "")
    assert ended.err.splitlines()[-1] == message
