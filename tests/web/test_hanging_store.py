"""A ClickHouse that takes connections and never answers ends no page but those that need it."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.testclient import TestClient
from typer.testing import CliRunner

from floorpulse import commands
from floorpulse.cli import web as web_command
from floorpulse.cli.main import make_app
from floorpulse.commands import new_command_id, send_command
from floorpulse.settings import Settings
from schemas.errors import Unavailable
from schemas.records import AcknowledgeAlert


@pytest.fixture
def address() -> Iterator[str]:
    """Where it listens."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        yield f"http://127.0.0.1:{silent.getsockname()[1]}"


def test_a_page_waits_for_a_while_only(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then it says so; while all threads wait, nobody gets the board either, which needs no ClickHouse."""
    served: list[Any] = []
    monkeypatch.setattr(uvicorn, "run", lambda application, **_: served.append(application))
    monkeypatch.setattr("floorpulse.logs.set_up_logs", lambda _form: None)
    monkeypatch.setattr(web_command, "PAGE_WITHIN_S", 1)
    monkeypatch.setenv("FLOORPULSE_CLICKHOUSE_URL", address)

    CliRunner().invoke(make_app(), ["web", "--data", str(tmp_path)], catch_exceptions=False)
    began = time.monotonic()
    answer = TestClient(served[0]).get("/alerts/a1")

    assert (answer.status_code, time.monotonic() - began < 10) == (503, True)


def test_a_command_waits_for_a_while_only(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was sent then."""
    monkeypatch.setattr(commands, "WAIT_S", 1.0)
    command = AcknowledgeAlert(id=new_command_id(), stream="alert:a1", by="lead", expected_version=0)

    with pytest.raises(Unavailable, match="does not answer"):
        send_command(Settings(clickhouse_url=address), command)
