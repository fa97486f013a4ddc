"""`floorpulse rules`."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from alerting.starter import starter_text
from floorpulse.cli.rules import register


@pytest.fixture
def app() -> typer.Typer:
    """An app with the rules commands alone."""
    app = typer.Typer()
    app.callback()(lambda: None)
    register(app)
    return app


def test_check_counts(app: typer.Typer, tmp_path: Path) -> None:
    """A good file is answered with its number of rules."""
    file = tmp_path / "rules.yaml"
    file.write_text(starter_text(), encoding="utf-8")

    result = CliRunner().invoke(app, ["rules", "check", str(file)])

    assert result.exit_code == 0
    assert result.stdout == f"{file}: 15 rules, no fault\n"


@pytest.mark.parametrize(
    ("content", "said"), [(b"rules: 5", ":1: rules: "), (b"\xff", "UTF-8"), (None, "No such file")]
)
def test_check_refuses(app: typer.Typer, tmp_path: Path, content: bytes | None, said: str) -> None:
    """A file with a fault, of another kind, or missing: one line on stderr that names it, exit code 2."""
    file = tmp_path / "rules.yaml"
    if content is not None:
        file.write_bytes(content)

    result = CliRunner().invoke(app, ["rules", "check", str(file)])

    assert result.exit_code == 2
    assert result.stderr.startswith(str(file))
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


def test_show_prints_the_pack(app: typer.Typer) -> None:
    """The table has each rule with its condition, and stderr says where the file is."""
    result = CliRunner().invoke(app, ["rules", "show"])

    assert "short-calls-14d" in result.stdout
    assert ">= 0.15" in result.stdout
    assert "starter.yaml" in result.stderr
