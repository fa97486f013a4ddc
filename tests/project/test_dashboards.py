"""The Grafana dashboards, read against the schema, the metrics and the KPI catalogue."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from clickhouse_connect.driver.client import Client

from floorpulse.docs.figures import metrics_page
from schemas.kpis import KPIS

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


@pytest.fixture(scope="module")
def reader(shared_schema: Client) -> Client:
    """A client on a database with the whole schema and no rows."""
    return shared_schema


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
