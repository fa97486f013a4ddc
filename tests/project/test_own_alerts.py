"""What floorpulse alerts about itself: each alert reads metrics that exist and has a page that says what to do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry

from floorpulse.delivery.metrics import DeliveryMetrics
from floorpulse.web.metrics import WebMetrics
from floorpulse.web.proof import KINDS
from sources.readers.gateway import GatewayMetrics
from streams.worker.metrics import WorkerMetrics

GENERATED = {"faults.md", "benchmarks.md"}
OWED = {
    "FeedStale", "EventsMissing", "ConsumerLagHigh", "DeadLetterRate", "WindowDrift", "OutboxStuck",
    "ClickHouseInsertFailing", "AuditChainBroken", "ClockSkew", "DeadMansSwitch",
}  # fmt: skip
NAME = re.compile(r"\bfloorpulse_\w+")
MATCHER = re.compile(r"(floorpulse_\w+)\{([^}]*)\}")


@pytest.fixture(scope="module")
def rules(root: Path) -> list[dict[str, Any]]:
    """The alerts."""
    loaded = yaml.safe_load((root / "docker/prometheus/alerts.yml").read_text(encoding="utf-8"))
    return [rule for group in loaded["groups"] for rule in group["rules"]]


@pytest.fixture(scope="module")
def metrics() -> dict[str, tuple[str, ...]]:
    """Every series that a process of floorpulse tells, with its labels."""
    worker = CollectorRegistry()
    WorkerMetrics(worker)
    found: dict[str, tuple[str, ...]] = {}
    for registry in (worker, GatewayMetrics.create().registry, WebMetrics().registry, DeliveryMetrics().registry):
        for collector, names in registry._collector_to_names.items():
            found |= dict.fromkeys(names, tuple(getattr(collector, "_labelnames", ())))
    return found


def test_every_alert_that_is_owed_is_there(rules: list[dict[str, Any]]) -> None:
    """By name, each once."""
    names = [rule["alert"].removeprefix("Floorpulse") for rule in rules]

    assert OWED - set(names) == set()
    assert len(names) == len(set(names))


def test_every_alert_reads_metrics_that_exist(rules: list[dict[str, Any]], metrics: dict[str, tuple[str, ...]]) -> None:
    """With labels that they have."""
    read = {name for rule in rules for name in NAME.findall(rule["expr"])}
    labels = [
        (name, label) for rule in rules for name, text in MATCHER.findall(rule["expr"]) for label in _labels(text)
    ]

    assert read - metrics.keys() == set()
    assert [(name, label) for name, label in labels if label not in metrics[name]] == []
    assert len(read) >= 8


def _labels(matchers: str) -> list[str]:
    return re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers)


def test_the_kinds_of_difference_are_those_of_the_proof(rules: list[dict[str, Any]]) -> None:
    """None of them is told to nobody."""
    asked = [re.findall(r'what=~?"([^"]+)"', rule["expr"]) for rule in rules]

    assert {kind for found in asked for text in found for kind in text.split("|")} == set(KINDS)


def test_every_alert_has_its_page(root: Path, rules: list[dict[str, Any]]) -> None:
    """With the alert as its heading and steps to take; and no page is of an alert that is gone."""
    pages = {rule["annotations"]["runbook"]: rule["alert"] for rule in rules}

    for page, alert in pages.items():
        text = (root / page).read_text(encoding="utf-8")
        assert text.startswith(f"# {alert}\n"), page
        assert "\n## What to do\n\n- " in text, page
    written = {f"docs/run/{file.name}" for file in (root / "docs/run").glob("*.md")} - {
        f"docs/run/{name}" for name in GENERATED
    }
    assert written == set(pages)


def test_every_alert_says_how_urgent_it_is(rules: list[dict[str, Any]]) -> None:
    """`page` wakes somebody, `warning` waits for the morning, `none` is the heartbeat."""
    assert {rule["labels"]["severity"] for rule in rules} == {"page", "warning", "none"}
    assert all(rule["annotations"]["summary"] for rule in rules)


def test_prometheus_loads_the_alerts(root: Path) -> None:
    """The file is mounted where its configuration looks for it."""
    config = yaml.safe_load((root / "docker/prometheus.yml").read_text(encoding="utf-8"))
    compose = yaml.safe_load((root / "docker/compose.yaml").read_text(encoding="utf-8"))
    (place,) = config["rule_files"]

    assert f"./prometheus/alerts.yml:{place}:ro" in compose["services"]["prometheus"]["volumes"]
    assert {job["job_name"] for job in config["scrape_configs"]} == {"floorpulse"}
