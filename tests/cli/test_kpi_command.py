"""`floorpulse kpi`: its texts, its three formats."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook

from floorpulse.cli.kpi_shown import as_people_read
from floorpulse.settings import Settings
from floorpulse.wiring import clickhouse_client
from schemas.registry import Floor, Site
from sinks.registry import store_registry

Run = Callable[..., Any]
DAY = ("--from", "2026-03-02", "--to", "2026-03-03")


@pytest.fixture
def counted(own_schema: Settings) -> None:
    """A floor in Manila where two contacts were answered at 09:10 local time, one within 20 s, and one abandoned."""
    client = clickhouse_client(own_schema)
    at = datetime(2026, 3, 2, 1, 10, tzinfo=UTC)
    store_registry(client, Floor(sites=[Site(id="main", timezone="Asia/Manila")]), "tests", at)
    waits = [0, 1, *[0] * 12, 1]
    names = ["queue", "minute", "channel", "offered", "answered", "abandoned", "answered_wait_ms", "answered_waits"]
    client.insert("queue_minutes", [["q", at, "voice", 4, 2, 1, 410_000, waits]], column_names=names)


@pytest.mark.usefixtures("counted")
def test_json_is_a_list_of_rows(run_on_schema: Run) -> None:
    """Days are those of the site main; shares are fractions of 1; what cannot be is null."""
    ended = run_on_schema("kpi", "--by", "queue", *DAY, "--step", "30m", "--format", "json")

    (row,) = json.loads(ended.out)
    assert list(row) == [
        "queue", "from", "to", "offered", "answered", "abandoned", "handled", "abandon_rate", "asa_s", "aht_s",
        "avg_talk_s", "avg_hold_s", "avg_wrap_s", "service_level", "short_call_share", "occupancy", "away_s", "n",
    ]  # fmt: skip
    assert (row["from"], row["to"]) == ("2026-03-02T09:00:00+08:00", "2026-03-02T09:30:00+08:00")
    assert (row["abandon_rate"], row["asa_s"], row["service_level"], row["aht_s"]) == (0.25, 205.0, 1 / 3, None)
    assert (row["n"]["service_level"], row["n"]["aht_s"], row["n"]["occupancy"]) == (3, 0, None)


@pytest.mark.usefixtures("counted")
def test_variant_and_zone_can_be_said(run_on_schema: Run) -> None:
    """The formula of the service level and the zone of days are options."""
    ended = run_on_schema(
        "kpi", "--by", "site", *DAY, "--timezone", "UTC", "--service-level-variant", "2", "--format", "json"
    )

    (row,) = json.loads(ended.out)
    assert (row["site"], row["from"], row["service_level"]) == ("main", "2026-03-02T00:00:00+00:00", 0.5)


@pytest.mark.usefixtures("counted")
def test_csv_has_plain_values_and_each_n(run_on_schema: Run) -> None:
    """CSV has the same values as JSON, empty for null, and n in columns of its own."""
    ended = run_on_schema("kpi", "--by", "queue", *DAY, "--format", "csv")

    (row,) = csv.DictReader(io.StringIO(ended.out))
    assert (row["queue"], row["asa_s"], row["aht_s"], row["n_asa_s"]) == ("q", "205.0", "", "2")


@pytest.mark.usefixtures("counted")
def test_a_table_speaks_as_people_do(run_on_schema: Run) -> None:
    """Seconds as minutes and seconds, shares in per cent."""
    ended = run_on_schema("kpi", "--by", "queue", *DAY)

    assert ended.code == 0
    assert "3:25" in ended.out
    assert "33.3 %" in ended.out


@pytest.mark.usefixtures("counted")
def test_a_sheet_has_values_and_definitions(run_on_schema: Run, tmp_path: Path) -> None:
    """XLSX is written to a file: values with each n, and on a second sheet what each figure is."""
    file = tmp_path / "kpis.xlsx"

    ended = run_on_schema(
        "kpi", "--by", "queue", *DAY, "--kpi", "asa_s,service_level", "--format", "xlsx", "--output", str(file)
    )

    book = load_workbook(file)
    assert ended.code == 0
    assert [cell.value for cell in book["KPIs"][2]][3:] == [205, 1 / 3, 2, 3]
    assert book["Definitions"]["B3"].value.endswith("T = 20 s, S = 5 s.")


@pytest.mark.usefixtures("counted")
@pytest.mark.parametrize("form", ["json", "csv"])
def test_a_file_holds_what_would_be_printed(run_on_schema: Run, tmp_path: Path, form: str) -> None:
    """Whatever the format is, `--output` writes it, and stdout stays empty."""
    ask = ("kpi", "--by", "queue", *DAY, "--kpi", "asa_s", "--format", form)
    file = tmp_path / "kpis"

    printed = run_on_schema(*ask)
    written = run_on_schema(*ask, "--output", str(file))

    assert (written.code, written.out) == (0, "")
    assert file.read_text(encoding="utf-8") == printed.out


@pytest.mark.usefixtures("counted")
@pytest.mark.parametrize("form", ["json", "csv", "xlsx"])
def test_a_file_that_cannot_be_written_is_one_line(run_on_schema: Run, tmp_path: Path, form: str) -> None:
    """It names option, file and reason: exit 2."""
    file = tmp_path / "missing" / "kpis"

    ended = run_on_schema("kpi", "--by", "queue", *DAY, "--kpi", "asa_s", "--format", form, "--output", str(file))

    said = f"--output {file}: cannot be written: No such file or directory\n"
    assert (ended.code, ended.out, ended.err) == (2, "", said)


def test_an_id_is_never_a_formula(run_on_schema: Run, own_schema: Settings, tmp_path: Path) -> None:
    """In CSV as in XLSX a queue that begins with = is text, and figures below zero stay numbers."""
    with closing(clickhouse_client(own_schema)) as client:
        row = ["=1+1", datetime(2026, 3, 2, 9, tzinfo=UTC), "", 1, 1]
        names = ["agent", "minute", "queue", "nps_answered", "nps_detractors"]
        client.insert("agent_minutes", [row], column_names=names)
    file = tmp_path / "kpis.xlsx"
    ask = ("kpi", "--by", "agent", *DAY, "--timezone", "UTC", "--kpi", "nps", "--format")

    ended = run_on_schema(*ask, "csv")
    run_on_schema(*ask, "xlsx", "--output", str(file))

    (shown,) = csv.DictReader(io.StringIO(ended.out))
    cells = [cell.value for cell in load_workbook(file)["KPIs"][2]]
    assert (shown["agent"], shown["nps"]) == ("'=1+1", "-100.0")
    assert (cells[0], cells[3]) == ("'=1+1", -100)


@pytest.mark.usefixtures("counted")
def test_all_that_fit_and_only_one(run_on_schema: Run) -> None:
    """`all` gives every KPI of the kind of group; `--only` one group."""
    ended = run_on_schema("kpi", "--by", "queue", *DAY, "--kpi", "all", "--only", "q", "--format", "json")
    none = run_on_schema("kpi", "--by", "queue", *DAY, "--only", "other", "--format", "json")

    (row,) = json.loads(ended.out)
    assert {"abandon_rate_beyond_short", "transfer_rate", "reopen_rate"} <= set(row)
    assert "occupancy" not in row
    assert json.loads(none.out) == []


@pytest.mark.usefixtures("counted")
def test_the_definitions_are_printed(run_on_schema: Run) -> None:
    """`--definitions` says what each figure is."""
    ended = run_on_schema("kpi", "--by", "queue", *DAY, "--kpi", "asa_s", "--definitions")

    assert "Speed of answer: Queue wait of the answered contacts divided by answered." in ended.out


def test_time_of_agents_is_no_figure_of_a_queue(run: Run) -> None:
    """Agent time cannot be divided by queue: the refusal says by what it can be asked."""
    ended = run("kpi", "--by", "queue", *DAY, "--kpi", "occupancy")

    assert (ended.code, ended.err) == (2, "--kpi occupancy: not a figure of a queue; ask it by agent or team or site\n")


@pytest.mark.usefixtures("counted")
def test_where_nothing_was_counted_there_is_no_row(run_on_schema: Run) -> None:
    """A range without anything is an empty list."""
    ended = run_on_schema("kpi", "--by", "queue", "--from", "2025-03-02", "--to", "2025-03-03", "--format", "json")

    assert json.loads(ended.out) == []


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--timezone", "Asia/Manilla"), "unknown time zone 'Asia/Manilla'"),
        (("--threshold", "21"), "--threshold 21: expected one of 5, 10"),
        (("--service-level-variant", "6"), "--service-level-variant 6: expected 1, 2, 3, 4, 5, g, gf"),
        (("--short", "6"), "--short 6: expected one of 5, 10"),
        (("--kpi", "ocupancy"), "--kpi ocupancy: unknown; did you mean occupancy?"),
        (("--format", "xlsx"), "--format xlsx: expected --output"),
        (("--output", "kpis.txt"), "--output: expected --format json, csv or xlsx"),
        (("--step", "7m"), "--step 7m: expected minutes, hours or a day"),
        (("--step", "2d"), "--step 2d: expected"),
        (("--step", "0m"), "--step 0m: expected"),
        (("--from", "yesterday"), "--from yesterday: expected a date"),
        (("--from", "2026-03-02T10:00:30"), "--from 2026-03-02T10:00:30: expected a whole minute"),
        (("--to", "2026-03-02"), "--to 2026-03-02: expected an instant after --from"),
        (("--to", "2999-03-02"), "--to 2999-03-02: expected an instant from 1970 to 2105"),
    ],
)
def test_bad_input_is_one_line(run: Run, args: tuple[str, str], said: str) -> None:
    """What cannot be asked is refused with the option, before anybody is asked: exit 2."""
    ended = run("kpi", "--by", "site", *DAY, *args)

    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(said)
    assert ended.err.count("\n") == 1


def test_a_store_without_tables_is_one_line(run_on_store: Run) -> None:
    """What ClickHouse refuses is shown in its words: exit 2."""
    ended = run_on_store("kpi", "--by", "site", *DAY)

    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "Unknown table" in ended.err


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("asa_s", 205.4, "3:25"),
        ("away_s", 3_725, "1:02:05"),
        ("service_level", 0.5612, "56.1 %"),
        ("offered", 31_125, "31,125"),
        ("aht_s", None, ""),
    ],
)
def test_figures_as_people_read_them(name: str, value: float | None, text: str) -> None:
    """Each unit has its own way to be read."""
    assert as_people_read(name, value) == text
