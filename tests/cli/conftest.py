"""The program with all commands of this folder, run on the session's floor."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog
import typer
from typer.testing import CliRunner

from floorpulse.cli import (
    audit,
    data_quality,
    dead_letters,
    drain,
    erase,
    explain,
    kpi,
    query,
    reconcile,
    records,
    registry,
    report,
    retract,
    rules,
    rules_apply,
    rules_backtest,
    schema,
    topics,
)
from floorpulse.settings import Settings


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


Run = Callable[..., Ended]
COMMANDS = (
    audit,
    data_quality,
    dead_letters,
    drain,
    erase,
    explain,
    kpi,
    query,
    reconcile,
    records,
    registry,
    report,
    retract,
    rules,
    rules_apply,
    rules_backtest,
    schema,
    topics,
)


@pytest.fixture(autouse=True)
def quiet_logs() -> Iterator[None]:
    """Keeps log lines out of what commands print."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    yield
    structlog.reset_defaults()


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs `floorpulse ARGS`, in an empty folder where nothing else is said."""
    monkeypatch.chdir(tmp_path)
    app = typer.Typer()
    for command in COMMANDS:
        command.register(app)

    def invoke(*args: str) -> Ended:
        result = CliRunner().invoke(app, args)
        return Ended(result.exit_code, result.stdout, result.stderr)

    return invoke


@pytest.fixture
def run_on_store(run: Run, own_database: Settings, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs commands on a store with an empty database."""
    point_at(own_database, monkeypatch)
    return run


@pytest.fixture
def run_on_schema(run: Run, own_schema: Settings, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs commands on a store whose database has the whole schema and no row."""
    point_at(own_schema, monkeypatch)
    return run


@pytest.fixture
def run_on_floor(run: Run, own_floor: Settings, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs commands on a Kafka and a store with an empty database."""
    point_at(own_floor, monkeypatch)
    return run


def point_at(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the addresses into the environment, where every command finds its floor."""
    monkeypatch.setenv("FLOORPULSE_KAFKA_BOOTSTRAP", settings.kafka_bootstrap)
    monkeypatch.setenv("FLOORPULSE_CLICKHOUSE_URL", settings.clickhouse_url)
    monkeypatch.setenv("FLOORPULSE_CLICKHOUSE_PASSWORD", settings.clickhouse_password.get_secret_value())
    monkeypatch.setenv("FLOORPULSE_CLICKHOUSE_DATABASE", settings.clickhouse_database)
