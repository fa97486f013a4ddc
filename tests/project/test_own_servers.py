"""`floorpulse prepare` and `worker` on a Kafka and a ClickHouse of one's own, as the compose file calls them."""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

from floorpulse.embedded.ports import PortClaims
from floorpulse.prepare import prepare
from floorpulse.settings import Settings
from floorpulse.wiring import clickhouse_client
from sinks.registry import load_registry, load_rules_text

Wait = Callable[[Callable[[], object]], None]


def _environment(settings: Settings, folder: Path) -> dict[str, str]:
    """Nothing but the variables of the compose file, and where this code is."""
    return {
        "PYTHONPATH": ":".join(sys.path),
        "FLOORPULSE_DATA": str(folder / "floor"),
        "FLOORPULSE_KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
        "FLOORPULSE_CLICKHOUSE_URL": settings.clickhouse_url,
        "FLOORPULSE_CLICKHOUSE_USER": settings.clickhouse_user,
        "FLOORPULSE_CLICKHOUSE_PASSWORD": settings.clickhouse_password.get_secret_value(),
        "FLOORPULSE_CLICKHOUSE_DATABASE": settings.clickhouse_database,
        "FLOORPULSE_TIMEZONE": "Asia/Manila",
        "FLOORPULSE_LOG_FORMAT": "json",
    }


def _prepare(settings: Settings, folder: Path, **given: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "floorpulse.cli.main", "prepare"]
    environment = _environment(settings, folder) | given
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
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


def test_a_worker_needs_no_folder(
    own_floor: Settings, tmp_path: Path, port_claims: PortClaims, wait_until: Wait
) -> None:
    """The compose file names a data folder that its worker neither has nor can make: it becomes ready all the same."""
    prepare(own_floor)
    (tmp_path / "floor").write_text("no folder, and none can be made here", encoding="utf-8")
    port = port_claims.claim(8_323)
    environment = _environment(own_floor, tmp_path) | {"FLOORPULSE_METRICS_PORT": str(port)}
    command = [sys.executable, "-m", "floorpulse.cli.main", "worker", "--name", "worker-1"]

    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=log, stderr=log)
    try:
        wait_until(lambda: process.poll() is not None or is_ready(port))

        assert process.poll() is None, (tmp_path / "log").read_text(encoding="utf-8")
        assert {file.name for file in tmp_path.iterdir()} == {"floor", "log"}
    finally:
        process.kill()
        process.wait(30)


def is_ready(port: int) -> bool:
    """Whether the part says that it can do its work."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
