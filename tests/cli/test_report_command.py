"""`floorpulse report`: what is in it, what is not, and that its figures are those of the contract."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from openpyxl import load_workbook

from floorpulse.reports.client import Asked, ClientReport, Interval, QueueReport, zone_of
from floorpulse.reports.sheets import as_csv, as_xlsx
from floorpulse.reports.words import oddities
from floorpulse.settings import Settings
from floorpulse.wiring import clickhouse_client
from schemas.errors import InputError
from schemas.kpis import KPIS, SERVICE_LEVEL_VARIANTS
from schemas.registry import Registry
from tests.analyst_floor import FLOOR, put_analyst_floor
from tests.cli.conftest import point_at
from tests.conftest import Schemas
from tests.sinks.rolling import rolled_up

Run = Callable[..., Any]
MONDAY = ("--client", "acme", "--from", "2026-03-02T09:00", "--to", "2026-03-02T11:00")


@pytest.fixture(scope="module")
def morning(schemas: Schemas) -> Iterator[Settings]:
    """The floor of docs/query: acme has sales (variant 3, 20 s) and help (variant 1, 30 s)."""
    with schemas.lent() as settings, closing(clickhouse_client(settings)) as client:
        put_analyst_floor(client)
        yield settings


@pytest.fixture
def run_there(run: Run, morning: Settings, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs commands on that floor."""
    point_at(morning, monkeypatch)
    return run


def rows_of(text: str) -> list[dict[str, str]]:
    """The rows of the CSV, without the lines that explain them."""
    plain = "\n".join(line for line in text.splitlines() if not line.startswith("# "))
    return list(csv.DictReader(io.StringIO(plain)))


def report(run: Run, form: str, *more: str) -> bytes:
    """The file that the command wrote."""
    ended = run("report", *MONDAY, "--format", form, "-o", "report.out", *more)
    assert (ended.code, ended.err) == (0, "")
    return Path("report.out").read_bytes()


def test_intervals_of_each_queue_by_its_own_contract(run_there: Run) -> None:
    """Half hours of the site's zone; offered and in progress before are all that left and in progress after."""
    rows = rows_of(report(run_there, "csv").decode())

    sales = [row for row in rows if row["queue"] == "sales" and row["from"]]
    assert [row["from"] for row in sales] == [f"2026-03-02 {t}:00+01:00" for t in ("09:00", "09:30", "10:00", "10:30")]
    first = {name: sales[0][name] for name in ("offered", "answered", "abandoned", "in_progress", "asa_s", "aht_s")}
    assert first == {
        "offered": "4", "answered": "3", "abandoned": "1", "in_progress": "0", "asa_s": "28.333333333333332",
        "aht_s": "300.0",
    }  # fmt: skip
    assert [row["service_level"] for row in sales] == ["0.5", "0.0", "", ""]
    help_ = [row for row in rows if row["queue"] == "help" and row["from"]]
    assert [row["in_progress"] for row in help_] == ["0", "1", "0", "1"]


def test_totals_are_pooled(run_there: Run) -> None:
    """A total is that of its contacts; over all queues each contact counts by the contract of its own queue."""
    rows = rows_of(report(run_there, "csv").decode())

    totals = {row["queue"]: row for row in rows if not row["from"]}
    assert set(totals) == {"sales", "help", "all queues"}
    assert (totals["sales"]["offered"], totals["sales"]["service_level"]) == ("6", "0.4")
    assert (totals["help"]["offered"], totals["help"]["service_level"]) == ("2", "0.0")
    everything = totals["all queues"]
    assert (everything["offered"], everything["in_progress"]) == ("8", "1")
    assert float(everything["service_level"]) == pytest.approx(2 / 6)
    assert float(everything["aht_s"]) == pytest.approx((360 + 420 + 240 + 720) / 4)


@pytest.mark.parametrize("form", ["html", "csv"])
def test_nothing_of_agents_and_of_other_clients_is_in_it(run_there: Run, form: str) -> None:
    """The client may pass it on."""
    text = report(run_there, form).decode()

    assert re.findall(r"\b(ann|bob|cyd|t1|t2|fleet|bolt)\b", text) == []


@pytest.mark.parametrize("form", ["html", "csv"])
def test_a_report_says_what_its_figures_mean(run_there: Run, form: str) -> None:
    """Definitions, contracts, zone, attribution and how far it is counted are printed in it."""
    text = " ".join(report(run_there, form).decode().split())

    for kpi in ("offered", "asa_s", "aht_s", "abandon_rate"):
        assert KPIS[kpi].words in text
    assert f"{SERVICE_LEVEL_VARIANTS[3][0]} T = 20 s; goal 80%; variant 3." in text
    assert f"{SERVICE_LEVEL_VARIANTS[1][0]} T = 30 s; goal 80%; variant 1." in text
    for said in ("Europe/Berlin", "the interval in which it happened", "Counted up to", "the range is over"):
        assert said in text


def test_a_workbook_has_numbers(run_there: Run) -> None:
    """Cells are numbers with a format, times are local with their offset beside them, definitions a sheet."""
    book = load_workbook(io.BytesIO(report(run_there, "xlsx", "--step", "1800")))

    assert book.sheetnames == ["Intervals", "Totals", "Definitions"]
    sheet = book["Intervals"]
    head, first = ([cell.value for cell in row] for row in list(sheet.iter_rows())[:2])
    assert head[:6] == ["Queue", "From", "To", "Offset", "Offered", "Answered"]
    assert (first[0], f"{first[1]:%H:%M}", first[3], first[4]) == ("help", "09:00", "+0100", 0)
    assert sheet["J6"].number_format == "0.0%"
    assert sheet["J6"].value == 0.5
    words = [row[0].value for row in book["Definitions"].iter_rows()]
    assert {"Time zone", "Attribution", "Counted up to", "Speed of answer", "Service level of sales"} <= set(words)


def test_no_id_and_no_name_is_a_formula() -> None:
    """A queue or client that a spreadsheet would take for one is text, in each cell that its words could begin."""
    queue = FLOOR.queues[0].model_copy(update={"id": "=1+1,@x"})
    asked = Asked("acme", 0, 3_600_000, ZoneInfo("UTC"), 1_800)
    empty = ClientReport(asked, "Acme,=2\n-3", [QueueReport(queue, [Interval(0, 1_800_000, {}, 0)], 0, 0)], 1, 0, 0)

    lines = list(csv.reader(io.StringIO(as_csv(empty).decode())))
    book = load_workbook(io.BytesIO(as_xlsx(empty)))

    assert ["# Client: Acme", "'=2 -3"] in lines
    assert "'=1+1,@x" in [line[0] for line in lines]
    assert [cell for line in lines for cell in line if cell[:1] in {"=", "+", "-", "@"}] == []
    assert book["Totals"]["A2"].value == "'=1+1,@x"


def test_the_day_of_a_client_may_be_in_another_zone(run_there: Run) -> None:
    """From and to, and the intervals, are those of the zone that was asked for."""
    ended = run_there(
        "report", "--client", "acme", "--from", "2026-03-02T03:00", "--to", "2026-03-02T04:00", "--step", "1h",
        "--zone", "America/New_York", "--format", "csv", "-o", "r.csv",
    )  # fmt: skip

    rows = rows_of(Path("r.csv").read_text(encoding="utf-8"))
    assert ended.code == 0
    first = next(row for row in rows if row["queue"] == "sales")
    assert (first["from"], first["offered"]) == ("2026-03-02 03:00:00-05:00", "6")


def test_a_range_that_is_not_over_says_so(run_there: Run) -> None:
    """Intervals that have not begun are left out, and the report says up to when it counts."""
    ended = run_there(
        "report", "--client", "acme", "--from", "2026-03-03", "--to", "2026-03-06", "--step", "1d", "-o", "r.html"
    )

    assert ended.code == 0
    text = Path("r.html").read_text(encoding="utf-8")
    assert "the range is not over" in text
    assert "2026-03-04 00:00+01:00</time>" in text
    assert "2026-03-05 00:00+01:00</time>" not in text


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--client", "nobody"), "--client nobody: no queue of the registry belongs to it; clients with queues: acme"),
        (("--to", "2026-03-01"), "--to 2026-03-01: expected an instant after"),
        (("--from", "2026-04-01", "--to", "2026-04-02"), "--from: nothing after it is counted yet"),
        (("--step", "7000"), "--step 7000: expected"),
        (("--zone", "Mars"), "unknown time zone 'Mars'"),
        (("-o", "no/such/folder.html"), "--output no/such/folder.html: cannot be written"),
    ],
)
def test_what_cannot_be_reported_is_one_line(run_there: Run, args: tuple[str, ...], said: str) -> None:
    """Exit 2, and what was expected."""
    ended = run_there("report", *MONDAY, "-o", "r.html", *args)

    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert ended.err.startswith(said)


def test_what_does_not_add_up_is_said() -> None:
    """A client can see that contacts are missing from one side; a queue in which all is well says nothing."""
    queue = FLOOR.queues[0]

    assert oddities(QueueReport(queue, [], 0, 0)) == oddities(QueueReport(queue, [], None, None)) == ""
    assert oddities(QueueReport(queue, [], 2, 1)).endswith("within 12 h, 1 that left the queue without being offered.")


@pytest.fixture
def expired(run_on_schema: Run, own_schema: Settings) -> Run:
    """Runs commands on that floor, 40 days later: its day is rolled up, its events and minutes have expired."""
    with closing(clickhouse_client(own_schema)) as client:
        put_analyst_floor(client)
        client.command("TRUNCATE TABLE pane_days SYNC")
        for table in ("agent_minutes", "queue_minutes"):
            client.command(
                "INSERT INTO pane_days SELECT toDate(minute), now64(3) - toIntervalDay(40),"
                f" now64(3) - toIntervalDay(40), count() FROM {table} GROUP BY toDate(minute)"
            )
        rolled_up(client)
        for table in ("events", "agent_minutes", "queue_minutes"):
            client.command(f"TRUNCATE TABLE {table} SYNC")
    return run_on_schema


def test_what_single_contacts_say_is_empty_once_they_have_expired(expired: Run) -> None:
    """Quarter hours have the counts for a year; who waited, and what did not add up, is not known and is no 0."""
    text = report(expired, "csv").decode()

    sales, help_ = ([row for row in rows_of(text) if row["queue"] == queue] for queue in ("sales", "help"))
    assert [row["offered"] for row in sales] == ["4", "2", "0", "0", "6"]
    assert [row["in_progress"] for row in (*sales, *help_)] == [""] * 10
    assert rows_of(text)[-1]["in_progress"] == ""
    assert "# Single contacts: known from 2026-03-06 01:00:00+01:00 on: " in text
    assert "Does not add up" not in text


@pytest.mark.parametrize(
    "more", [("--step", "10m"), ("--from", "2026-03-02T09:05"), ("--to", "2026-03-02T10:50")], ids=lambda more: more[1]
)
def test_what_needs_minutes_that_have_expired_is_refused(expired: Run, more: tuple[str, ...]) -> None:
    """It would say that there was nothing; quarter hours can still be asked for."""
    day = ("--from", "2026-03-02", "--to", "2026-03-03", "--timezone", "Europe/Berlin")
    said = "--from: minutes are kept from 2026-03-04 00:00 UTC on; before that, expected whole quarter hours\n"

    report_ended = expired("report", *MONDAY, "-o", "r.html", *more)
    kpi_ended = expired("kpi", "--by", "queue", *day, *more)

    assert (report_ended.code, report_ended.err) == (2, said)
    assert (kpi_ended.code, kpi_ended.err) == (2, said)
    assert expired("kpi", "--by", "queue", *day, "--step", "15m").code == 0


def test_a_client_in_two_zones_must_say_which() -> None:
    """Nobody can know which day it means."""
    sites = [*FLOOR.sites, FLOOR.sites[0].model_copy(update={"id": "mnl", "timezone": "Asia/Manila"})]
    queues = [q.model_copy(update={"site": "mnl"}) if q.id == "help" else q for q in FLOOR.queues]
    registry = Registry(FLOOR.model_copy(update={"sites": sites, "queues": queues}), 1)

    with pytest.raises(InputError, match="--zone: expected one, as queues of acme are in Asia/Manila, Europe/Berlin"):
        zone_of(registry, "acme")
