"""The Grafana dashboards, read against the schema, the metrics and the KPI catalogue."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml
from clickhouse_connect.driver.client import Client

from floorpulse.clock import now_ms
from floorpulse.docs.figures import metrics_page
from floorpulse.settings import Settings
from floorpulse.wiring import clickhouse_client
from schemas.kpis import KPIS
from schemas.registry import Alias, Floor, Person, Site
from schemas.times import HOUR_MS, from_ms
from sinks.registry import store_registry

FOLDER = Path(__file__).parents[2] / "docker/grafana"
BOARDS: dict[str, dict[str, Any]] = {
    file.stem: json.loads(file.read_text(encoding="utf-8")) for file in sorted((FOLDER / "dashboards").glob("*.json"))
}
PANELS = [(name, panel) for name, board in BOARDS.items() for panel in board["panels"]]
TARGETS = [(f"{name}: {panel['title']}", target) for name, panel in PANELS for target in panel["targets"]]
VARIABLES = [
    (f"{name}: {v['name']}", v["query"]) for name, board in BOARDS.items() for v in board["templating"]["list"]
]
QUERIES = [(where, asked["rawSql"]) for where, asked in [*TARGETS, *VARIABLES] if "rawSql" in asked]
EXPRESSIONS = [target["expr"] for _, target in TARGETS if "expr" in target]
VALUES = {"__from": "1772438400000", "__to": "1772442000000", "zone": "Europe/Berlin", "queue": "sales", "agent": "a1"}
AT = from_ms(now_ms() // HOUR_MS * HOUR_MS)


@pytest.fixture(scope="module")
def reader(shared_schema: Client) -> Client:
    """A client on a database with the whole schema and no rows."""
    return shared_schema


@pytest.fixture
def own(own_schema: Settings) -> Iterator[Client]:
    """A client on such a database for one test, that may fill it."""
    with closing(clickhouse_client(own_schema)) as client:
        yield client


def filled(sql: str) -> str:
    """The query as Grafana sends it."""
    quoted = re.sub(r"\$\{(\w+):sqlstring\}", lambda found: f"'{VALUES[found[1]]}'", sql)
    return re.sub(r"\$\{(\w+)\}", lambda found: VALUES[found[1]], quoted)


def test_the_set_is_whole() -> None:
    """The floor, a queue, an agent, the data, and floorpulse itself; each with a uid of its own."""
    assert set(BOARDS) == {"floor", "queue", "agent", "data_quality", "floorpulse"}
    assert len({board["uid"] for board in BOARDS.values()}) == len(BOARDS)


@pytest.mark.parametrize("sql", [sql for _, sql in QUERIES], ids=[name for name, _ in QUERIES])
def test_a_query_runs(reader: Client, sql: str) -> None:
    """Against the real schema, for an hour and a zone as Grafana puts them in; no name is taken from a person."""
    assert json.loads(reader.raw_query(filled(sql), fmt="JSONCompact"))["meta"]


def test_who_waits_in_a_queue_is_shown_once(reader: Client) -> None:
    """A queue is also a group with its agents, which nobody waits in: that is no second row."""
    columns = ["subject", "hop", "kind", "waiting"]
    reader.insert("subjects", [["queue:sales", 1, "queue", 3], ["queue:sales", 2, "queue", 0]], column_names=columns)
    panel = dict(QUERIES)["floor: Waiting now"]

    rows = reader.query(filled(panel)).result_rows

    assert [row[:2] for row in rows] == [("sales", 3)]


@pytest.mark.parametrize(
    ("sites", "zones"),
    [
        ([], ["UTC"]),
        ([Site(id="blr", timezone="Asia/Kolkata")], ["Asia/Kolkata", "UTC"]),
        (
            [Site(id="blr", timezone="Asia/Kolkata"), Site(id="main", timezone="Europe/Berlin")],
            ["Europe/Berlin", "Asia/Kolkata", "UTC"],
        ),
    ],
)
def test_there_is_a_zone_to_choose_on_every_floor(own: Client, sites: list[Site], zones: list[str]) -> None:
    """That of `main` first, as the commands take it; a floor that names no site is in UTC, and its panels answer."""
    store_registry(own, Floor(sites=sites), "tests", AT)

    offered = [own.query(sql).result_rows for name, sql in QUERIES if name.endswith(": zone")]

    assert offered == [[(zone,) for zone in zones]] * len(offered)


def test_a_queue_that_only_agents_tell_of_can_be_chosen(own: Client) -> None:
    """Nobody waits in the queue of a campaign, and it has figures all the same."""
    own.insert("queue_minutes", [["sales", AT]], column_names=["queue", "minute"])
    rows = [["a1", AT, "campaign"], ["a1", AT, ""]]
    own.insert("agent_minutes", rows, column_names=["agent", "minute", "queue"])

    assert own.query(dict(QUERIES)["queue: queue"]).result_rows == [("campaign",), ("sales",)]


def test_an_agent_can_be_chosen_as_the_views_name_them(own: Client) -> None:
    """What was counted under an alias stands with its person: chosen by the alias there would be nothing to see."""
    people = [Person(id="ann", aliases=[Alias(source="acd", id="7", valid_from=AT)]), Person(id="bob")]
    store_registry(own, Floor(people=people), "tests", AT)
    rows = [[agent, AT] for agent in ("acd:7", "acd:8", "bob")]
    own.insert("agent_minutes", rows, column_names=["agent", "minute"])

    offered = own.query(dict(QUERIES)["agent: agent"]).result_rows

    assert offered == [("acd:7",), ("acd:8",), ("ann",), ("bob",)]


def test_away_by_reason_has_what_was_counted_under_an_alias(own: Client) -> None:
    """As the time by state beside it does."""
    store_registry(own, Floor(people=[Person(id="a1", aliases=[Alias(source="acd", id="7")])]), "tests", AT)
    during = from_ms(int(VALUES["__from"]))
    rows = [[agent, during, {"lunch": 60_000}] for agent in ("acd:7", "a1")]
    own.insert("agent_minutes", rows, column_names=["agent", "minute", "away_by_reason"])

    assert own.query(filled(dict(QUERIES)["agent: Away by reason"])).result_rows == [("lunch", 2.0)]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_asks_metrics_that_exist(expression: str) -> None:
    """Each metric is one that a process tells Prometheus; histograms by their buckets."""
    known = set(re.findall(r"`(floorpulse_\w+)`", metrics_page()))
    asked = set(re.findall(r"floorpulse_\w+", expression))

    assert asked
    assert {re.sub(r"_bucket$", "", name) for name in asked} <= known


def test_every_panel_asks_a_provisioned_source() -> None:
    """ClickHouse or Prometheus, by the uid under which Grafana gets them."""
    text = (FOLDER / "provisioning/datasources/floorpulse.yaml").read_text(encoding="utf-8")
    known = {source["uid"]: source["type"] for source in yaml.safe_load(text)["datasources"]}

    for _, panel in PANELS:
        for source in (panel["datasource"], *(target["datasource"] for target in panel["targets"])):
            assert known[source["uid"]] == source["type"], panel["title"]


@pytest.mark.parametrize(("name", "panel"), PANELS, ids=[f"{name}: {panel['title']}" for name, panel in PANELS])
def test_a_panel_says_what_its_figures_mean(name: str, panel: dict[str, Any]) -> None:
    """In the words of the catalogue, for every ratio that it draws."""
    assert panel["description"], name
    for target in panel["targets"]:
        drawn = re.findall(r"\w+", target.get("rawSql", "").partition(" FROM ")[0])
        for kpi in (KPIS[word] for word in drawn if word in KPIS and KPIS[word].denominator):
            assert kpi.id == "service_level" or kpi.words in panel["description"], kpi.id


def test_no_panel_lies_on_another() -> None:
    """Each has its own place within the 24 columns."""
    for name, board in BOARDS.items():
        cells = [
            (x, y)
            for grid in (panel["gridPos"] for panel in board["panels"])
            for x in range(grid["x"], grid["x"] + grid["w"])
            for y in range(grid["y"], grid["y"] + grid["h"])
        ]
        assert len(cells) == len(set(cells)), name
        assert max(x for x, _ in cells) < 24
