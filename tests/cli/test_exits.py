"""How commands end, and what they say on the way."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
import typer
from kafka.errors import KafkaTimeoutError
from typer.testing import CliRunner

from floorpulse.cli.exits import guarded
from floorpulse.cli.main import make_app, run
from schemas.errors import ConfigError, InputError, Refused, StopWorker, Unavailable


def ended_with(error: BaseException) -> int:
    """The exit code of a command that raises."""

    @guarded
    def command() -> None:
        raise error

    with pytest.raises(typer.Exit) as ended:
        command()
    return ended.value.exit_code


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("rules.yaml:3: unknown key\n  `fro`"), 2),
        (InputError("bad"), 2),
        (Refused("stale", "the case has changed"), 2),
        (Unavailable("Kafka does not answer"), 2),
        (StopWorker("the log begins at 7"), 70),
        (KeyboardInterrupt(), 130),
        (KafkaTimeoutError(), 2),
    ],
)
def test_expected_errors_are_one_line(error: BaseException, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Each kind of error has its exit code, and exactly one line on stderr."""
    assert ended_with(error) == code

    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.count("\n") == 1


def test_silence_of_a_server_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """A client's own error becomes words about the floor."""
    ended_with(KafkaTimeoutError())

    assert capsys.readouterr().err.startswith("Kafka does not answer")


def test_bugs_keep_their_traceback() -> None:
    """What nobody expected is not made pretty."""

    @guarded
    def command() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        command()


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is Linux")
@pytest.mark.parametrize("letters", [1, 100_000])
def test_output_that_finds_no_room_is_one_line(
    letters: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A full disk is no bug: neither in the middle of the rows, nor with the few that wait until the end."""

    @guarded
    def command() -> None:
        sys.stdout.write("x" * letters)

    with suppress(OSError), open("/dev/full", "w") as full:
        monkeypatch.setattr("sys.stdout", full)
        with pytest.raises(typer.Exit) as ended:
            command()

    assert ended.value.exit_code == 2
    assert capsys.readouterr().err == "output: cannot be written: No space left on device\n"


@pytest.mark.parametrize("arguments", [["cases", "show", "\udcff"], ["alerts", "list", "--agent", "x\udcffy"]])
def test_an_argument_that_is_no_text_is_named(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bytes of another encoding, as a shell hands them on, end no command with a traceback."""
    monkeypatch.setattr("sys.argv", ["floorpulse", *arguments])

    with pytest.raises(SystemExit) as ended:
        run()

    assert ended.value.code == 2
    assert capsys.readouterr().err == f"{arguments[-1]!a}: expected text in UTF-8\n"


def test_a_server_that_is_not_there_takes_one_line(tmp_path: Path) -> None:
    """What the client of ClickHouse says about its attempts on the way is of no use to whoever typed the command."""
    where = {"FLOORPULSE_CLICKHOUSE_URL": "http://127.0.0.1:1", "PYTHONPATH": ":".join(sys.path)}

    done = subprocess.run(
        [sys.executable, "-m", "floorpulse.cli.main", "alerts", "list"],
        capture_output=True, text=True, check=False, cwd=tmp_path, env=os.environ | where,
    )  # fmt: skip

    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("ClickHouse at 127.0.0.1:1 does not answer: ")


@pytest.mark.parametrize("part", ["web", "gateway", "delivery", "worker"])
def test_every_part_logs_in_the_form_that_is_set(part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the worker alone."""
    told: list[str] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLOORPULSE_LOG_FORMAT", "console")
    monkeypatch.setattr("floorpulse.logs.set_up_logs", told.append)

    result = CliRunner().invoke(make_app(part), [part])

    assert (result.exit_code, told) == (2, ["console"])
