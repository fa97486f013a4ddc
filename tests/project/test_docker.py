"""The container files, read against the code: there is no engine to start them here."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from floorpulse.cli.main import make_app
from floorpulse.embedded.kafka import Broker, properties
from floorpulse.settings import Settings

ADDRESSES = {"controller.quorum.voters", "listeners", "advertised.listeners", "log.dirs"}
"""Settings of Kafka that name places, which a container has of its own."""
OWN = {"prepare", "worker", "gateway", "web", "delivery"}


@pytest.fixture(scope="module")
def compose(root: Path) -> dict[str, Any]:
    """The compose file with its anchors merged."""
    loaded: dict[str, Any] = yaml.safe_load((root / "docker/compose.yaml").read_text(encoding="utf-8"))
    return loaded


def test_every_part_of_a_floor_has_its_service(compose: dict[str, Any]) -> None:
    """The parts, what they need, and what watches them."""
    assert set(compose["services"]) == OWN | {"kafka", "clickhouse", "prometheus", "grafana"}


@pytest.mark.parametrize("service", sorted(OWN))
def test_a_service_runs_a_command_that_exists(compose: dict[str, Any], service: str) -> None:
    """With options that the command has."""
    name, *options = compose["services"][service]["command"]
    command: Any = typer.main.get_command(make_app())
    known = {word for param in command.commands[name].params for word in param.opts}

    assert {word for word in options if word.startswith("--")} <= known


def test_every_setting_exists(compose: dict[str, Any]) -> None:
    """Each FLOORPULSE_ variable that a service is given is a setting."""
    known = {f"FLOORPULSE_{name.upper()}" for name in Settings.model_fields}
    given = {name for service in OWN for name in compose["services"][service]["environment"]}

    assert {name for name in given if name.startswith("FLOORPULSE_")} == given
    assert given <= known


def test_kafka_is_set_up_as_the_embedded_one(compose: dict[str, Any]) -> None:
    """Apart from its addresses."""
    wanted = properties(Broker(Path("kafka"), 9092, 9093))
    given = compose["services"]["kafka"]["environment"]

    for key, value in wanted.items():
        if key not in ADDRESSES:
            assert given[f"KAFKA_{key.upper().replace('.', '_')}"] == value


def test_no_image_is_latest_and_nothing_but_the_web_is_published(compose: dict[str, Any]) -> None:
    """A pinned tag each; one port, on this machine only."""
    services = compose["services"]

    assert all(re.search(r":v?\d", service["image"]) for service in services.values())
    assert {name: s["ports"] for name, s in services.items() if "ports" in s} == {"web": ["127.0.0.1:8321:8321"]}


def test_every_secret_is_asked_for(root: Path, compose: dict[str, Any]) -> None:
    """No password stands in a file: each is a variable without which compose refuses to start."""
    text = (root / "docker/compose.yaml").read_text(encoding="utf-8")
    example = (root / "docker/env.example").read_text(encoding="utf-8")
    secrets = {
        key: value
        for service in compose["services"].values()
        for key, value in service.get("environment", {}).items()
        if "PASSWORD" in key
    }

    assert len(secrets) == 4
    assert all(re.fullmatch(r"\$\{\w+:\?[^}]+\}", value) for value in secrets.values())
    for name in re.findall(r"\$\{(\w+)", text):
        assert re.search(rf"^{name}=", example, re.MULTILINE), name
    assert not re.search(r"^\w*PASSWORD\w*=.+", example, re.MULTILINE)


def test_a_part_starts_when_what_it_needs_is_there(compose: dict[str, Any]) -> None:
    """Prepare waits for healthy servers, every other part for prepare."""
    services = compose["services"]
    needs = services["prepare"]["depends_on"]

    assert {name: need["condition"] for name, need in needs.items()} == {
        "kafka": "service_healthy",
        "clickhouse": "service_healthy",
    }
    for name in OWN - {"prepare"}:
        assert services[name]["depends_on"]["prepare"]["condition"] == "service_completed_successfully"
    for name in ("kafka", "clickhouse", "worker", "gateway", "web"):
        assert services[name]["healthcheck"]["test"]


def test_every_mounted_file_is_there(root: Path, compose: dict[str, Any]) -> None:
    """A path that is missing would become an empty folder."""
    mounts = [mount for service in compose["services"].values() for mount in service.get("volumes", [])]
    paths = [mount.split(":")[0] for mount in mounts if mount.startswith("./")]

    assert len(paths) >= 4
    assert [path for path in paths if not (root / "docker" / path).exists()] == []


def test_prometheus_asks_ports_that_exist(root: Path, compose: dict[str, Any]) -> None:
    """Each target is a service and the port that its environment gives it."""
    config = yaml.safe_load((root / "docker/prometheus.yml").read_text(encoding="utf-8"))
    (targets,) = [one["targets"] for job in config["scrape_configs"] for one in job["static_configs"]]

    for target in targets:
        name, _, port = target.partition(":")
        environment = compose["services"][name]["environment"]
        hosts = [value for key, value in environment.items() if key.endswith("_HOST")]
        assert port in {value for key, value in environment.items() if key.endswith("_PORT")}
        assert hosts == ["0.0.0.0"]


def test_the_image_is_built_of_what_is_there(root: Path) -> None:
    """Every COPY names files of the tree that the ignore file lets through; the process does not run as root."""
    lines = (root / "docker/Dockerfile").read_text(encoding="utf-8").splitlines()
    let = (root / "docker/Dockerfile.dockerignore").read_text(encoding="utf-8").split()
    copies = [shlex.split(line)[1:-1] for line in lines if line.startswith("COPY ") and "--from" not in line]
    sources = [source for copy in copies for source in copy]

    assert [source for source in sources if not (root / source).exists()] == []
    assert {f"!{source}" for source in sources} <= set(let)
    assert "USER 10001" in lines
