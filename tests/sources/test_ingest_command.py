"""`floorpulse ingest` on a real Kafka and a real store: what it says, sends and remembers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from floorpulse import roster
from floorpulse.cli import ingest
from floorpulse.offsets import admin_client
from floorpulse.settings import Settings
from floorpulse.wiring import clickhouse_client
from schemas.errors import InputError
from schemas.events import ContactOffered, StateChanged, decode
from schemas.registry import DEFAULT_SITE, Alias, Floor, Person, Site
from schemas.topics import EVENTS
from sinks.registry import store_registry
from sinks.topics import apply_topics
from sources.core.technion import COLUMNS
from sources.readers.ingests import Ingests, hash_of
from tests.faults.harness.log import read_topic

ROW = "AA0101 90001 0 0 PS 990201 7:10:00 7:10:10 10 7:10:10 7:10:40 30 AGENT 7:10:39 7:12:39 120 AGENT_A"
ENVIRONMENT = ("kafka_bootstrap", "clickhouse_url", "clickhouse_database")
Run = Callable[..., Result]


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    """A file of three calls, one of them with letters in a number."""
    rows = [
        " ".join(COLUMNS),
        ROW,
        ROW.replace("90001", "90002").replace(" 120 ", " 12x "),
        ROW.replace("90001", "90003"),
    ]
    file = tmp_path / "calls.txt"
    file.write_bytes("".join(row.replace(" ", "\t") + "\r\n" for row in rows).encode())
    return file


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs `floorpulse ingest ARGS` in a folder where no settings are."""
    monkeypatch.chdir(tmp_path)
    app = typer.Typer()
    ingest.register(app)
    return lambda *args: CliRunner().invoke(app, [str(arg) for arg in args])


@pytest.fixture
def floor(own_schema: Settings, kafka_bootstrap: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A floor with its topics and tables, that the command finds by the environment."""
    floor = own_schema.model_copy(update={"kafka_bootstrap": kafka_bootstrap})
    for name in ENVIRONMENT:
        monkeypatch.setenv(f"FLOORPULSE_{name.upper()}", str(getattr(floor, name)))
    monkeypatch.setenv("FLOORPULSE_CLICKHOUSE_PASSWORD", floor.clickhouse_password.get_secret_value())
    with admin_client(floor) as admin:
        apply_topics(admin, floor.partitions)
    return floor


def runs(floor: Settings) -> list[tuple[Any, ...]]:
    query = "SELECT number, file, rows, events, rejected, state FROM ingests FINAL ORDER BY number"
    return [tuple(row) for row in clickhouse_client(floor).query(query).result_rows]


def test_a_file_goes_in_once(run: Run, floor: Settings, calls: Path) -> None:
    """The second time it says so, sends nothing and is fine; --again sends it under the next number."""
    first = run("technion", calls, "--timezone", "Asia/Jerusalem")
    second = run("technion", calls)
    third = run("technion", calls, "--again")

    assert (first.exit_code, second.exit_code, third.exit_code) == (0, 0, 0)
    assert "nothing sent" in second.stderr
    assert runs(floor) == [(n, "calls.txt", 3, 6, 1, "finished") for n in (1, 2)]


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    """Its hash is asked for first: Asterisk's log is not for everybody to read."""
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        hash_of(tmp_path)


def test_a_run_that_was_broken_off_goes_on_under_its_number(run: Run, floor: Settings, calls: Path) -> None:
    """What it had sent is then taken back with the rest, and is as old as it was."""
    began = datetime(2026, 3, 1, tzinfo=UTC)
    Ingests(clickhouse_client(floor), lambda: began).start(1, calls, hash_of(calls), "technion", "technion")

    assert run("technion", calls, "--timezone", "Asia/Jerusalem").exit_code == 0

    assert runs(floor) == [(1, "calls.txt", 3, 6, 1, "finished")]
    known = Ingests(clickhouse_client(floor), lambda: began).numbered(1)
    assert known is not None
    assert known.started_at == began


def test_local_times_are_those_of_the_floor(run: Run, floor: Settings, calls: Path) -> None:
    """Of site main as the registry has it, whatever the settings say; a zone that is named comes first."""
    manila = Floor(sites=[Site(id=DEFAULT_SITE, timezone="Asia/Manila")])
    store_registry(clickhouse_client(floor), manila, "tests", datetime(2026, 3, 1, tzinfo=UTC))

    assert run("technion", calls).exit_code == 0
    assert run("technion", calls, "--timezone", "America/Lima", "--again").exit_code == 0

    records = [decode(sent.value) for sent in read_topic(floor.kafka_bootstrap, EVENTS)]
    offered = {event.at for event in records if type(event) is ContactOffered}
    in_manila, in_lima = (datetime(1999, *at, 10, 10, tzinfo=UTC) for at in ((1, 31, 23), (2, 1, 12)))
    assert {in_manila, in_lima} <= offered


def test_an_alias_that_moves_while_a_log_is_followed_moves_its_facts(
    run: Run, floor: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log is followed for weeks: whose phone it is is asked for again, not only at the start."""
    log, people = tmp_path / "queue_log", ["grace"]
    monkeypatch.setattr(roster, "_REGISTRY_KEPT_S", -1.0)

    def hire(person: str) -> None:
        held = Floor(people=[Person(id=person, aliases=[Alias(source="queue_log", id="SIP/7")])])
        store_registry(clickhouse_client(floor), held, "tests", datetime(2026, 3, 1, tzinfo=UTC))

    def wait() -> bool:
        if not people:
            return False
        hire(people.pop())
        with log.open("a") as stream:
            stream.write("1772445700|NONE|q|SIP/7|PAUSE|lunch\n")
        return True

    hire("ada")
    log.write_text("1772445600|M|q|SIP/7|ADDMEMBER|\n")
    monkeypatch.setattr(ingest, "_wait", wait)

    assert run("queue_log", log, "--follow", "--state", tmp_path / "position.json").exit_code == 0

    records = [decode(sent.value) for sent in read_topic(floor.kafka_bootstrap, EVENTS)]
    said = [(event.agent, event.state) for event in records if type(event) is StateChanged]
    assert {("ada", "ready"), ("grace", "away")} <= set(said)


def test_a_rejected_row_is_reported_with_its_place(run: Run, floor: Settings, calls: Path) -> None:
    """On stderr, with the count; it is no failure."""
    result = run("technion", calls)

    assert "3 rows, 6 events, 1 rejected" in result.stderr
    assert "rejected 1 at calls.txt:3: ser_time: expected a whole number, found '12x'" in result.stderr
    assert (result.exit_code, result.stdout) == (0, "")


def test_a_file_of_another_format_leaves_no_trace(run: Run, floor: Settings, calls: Path) -> None:
    """One line with found and expected, exit code 2, no numbered run."""
    result = run("queue_log", calls)

    assert result.exit_code == 2
    assert "calls.txt: line 1: expected a queue_log line" in result.stderr
    assert runs(floor) == []


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (("technion", "calls.txt", "--timezone", "Mars/Base"), "unknown time zone 'Mars/Base'"),
        (("technion", "nowhere.txt"), "nowhere.txt: expected a file, found nothing"),
        (("technion", "."), ".: expected a file, found a folder"),
        (("csv", "calls.txt"), "csv needs a mapping of its columns: --mapping FILE"),
        (("csv", "calls.txt", "--mapping", "nowhere.yaml"), "nowhere.yaml: cannot be read"),
        (("jsonl", "calls.txt", "--source", "acd"), "each event of a jsonl file names its own source"),
        (("technion", "calls.txt", "--follow"), "--follow: expected the format queue_log and one file"),
    ],
)
@pytest.mark.usefixtures("calls")
def test_what_cannot_be_used_is_one_line(run: Run, args: tuple[str, ...], text: str) -> None:
    """Exit code 2, before anything is asked of Kafka or ClickHouse."""
    result = run(*args)

    assert result.exit_code == 2
    assert text in result.stderr
    assert result.stderr.count("\n") == 1
