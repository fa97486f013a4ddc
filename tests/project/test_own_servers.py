"""`floorpulse prepare` on a Kafka and a ClickHouse of one's own, as the compose file calls it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from floorpulse.settings import Settings
from floorpulse.wiring import clickhouse_client
from sinks.registry import load_registry, load_rules_text


def _prepare(settings: Settings, folder: Path, **given: str) -> subprocess.CompletedProcess[str]:
    """The command with nothing but the variables of the compose file."""
    environment = {
        "FLOORPULSE_DATA": str(folder / "floor"),
        "FLOORPULSE_KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
        "FLOORPULSE_CLICKHOUSE_URL": settings.clickhouse_url,
        "FLOORPULSE_CLICKHOUSE_USER": settings.clickhouse_user,
        "FLOORPULSE_CLICKHOUSE_PASSWORD": settings.clickhouse_password.get_secret_value(),
        "FLOORPULSE_CLICKHOUSE_DATABASE": settings.clickhouse_database,
        "FLOORPULSE_TIMEZONE": "Asia/Manila",
        "FLOORPULSE_LOG_FORMAT": "json",
    }
    command = [sys.executable, "-m", "floorpulse.cli.main", "prepare"]
    return subprocess.run(
        command, cwd=folder, env=environment | given, capture_output=True, text=True, timeout=120, check=False
    )


def test_prepare_makes_a_floor_and_changes_nothing_the_second_time(own_floor: Settings, tmp_path: Path) -> None:
    """Tables, the site main in its zone, the starter rules: one revision each."""
    first = _prepare(own_floor, tmp_path)
    second = _prepare(own_floor, tmp_path)

    client = clickhouse_client(own_floor)
    registry = load_registry(client)
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert registry.revision == 1
    assert registry.sites["main"].timezone == "Asia/Manila"
    assert "short-calls-14d" in (load_rules_text(client) or "")


def test_prepare_says_in_one_line_that_a_server_is_silent(own_floor: Settings, tmp_path: Path) -> None:
    """Exit code 2, so that compose does not start the other parts."""
    done = _prepare(own_floor, tmp_path, FLOORPULSE_CLICKHOUSE_URL="http://127.0.0.1:9")

    assert done.returncode == 2
    assert "ClickHouse at 127.0.0.1:9 does not answer" in done.stderr.strip().splitlines()[-1]
