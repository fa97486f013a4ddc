"""A whole floor: what refuses to start, and how it is found and stopped."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from floorpulse.embedded import floor, gate, kafka
from floorpulse.embedded.floor import (
    LOCK_FILE,
    Choice,
    is_running,
    run_base,
    run_floor,
    start_in_background,
    stop_floor,
)
from floorpulse.embedded.ports import PortClaims
from floorpulse.embedded.run_file import RunFile, read_run_file
from floorpulse.settings import RUN_FILE, Settings, load_settings
from schemas.errors import ConfigError, InputError


def start(data: Path) -> None:
    """Start a floor that must not get as far as its parts."""
    run_floor(Choice(data), data, unreachable, lambda part: None)


def unreachable(settings: Settings) -> None:
    """Preparation of a floor that was refused."""
    raise AssertionError(settings)


def test_a_second_floor_on_a_folder_is_refused(tmp_path: Path) -> None:
    """One data folder has one floor, in the foreground as in the background."""
    with gate.lock(tmp_path / LOCK_FILE, ""):
        assert is_running(tmp_path)
        for again in (start, lambda data: start_in_background(Choice(data))):
            with pytest.raises(InputError, match="a floor already runs here"):
                again(tmp_path)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A data folder below a file is one line with its path."""
    (tmp_path / "file").touch()

    with pytest.raises(ConfigError, match="file/data: the data folder is not writable"):
        start(tmp_path / "file" / "data")


def test_a_zone_that_nobody_sets_is_not_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A floor that is started again without `--timezone` keeps its own, and is not warned that UTC is not taken."""
    asked: list[bool] = []

    def laid_out(_broker: object) -> None:
        asked.append("timezone" in load_settings(tmp_path).model_fields_set)
        raise ConfigError("far enough")

    monkeypatch.setattr(kafka, "write_files", laid_out)
    for timezone in (None, "Asia/Manila"):
        with pytest.raises(ConfigError, match="far enough"):
            run_floor(Choice(tmp_path, timezone=timezone), tmp_path, unreachable, lambda part: None)

    assert asked == [False, True]


def test_a_full_disk_is_refused_at_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Better not to start than to stop in the middle of the day."""
    monkeypatch.setattr(floor, "LEAST_FREE_BYTES", 1 << 60)

    with pytest.raises(ConfigError, match="MB of disk are free"):
        start(tmp_path)


def test_somebody_elses_kafka_is_not_overruled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the environment names a Kafka, an embedded floor would write into the wrong one."""
    monkeypatch.setenv("FLOORPULSE_KAFKA_BOOTSTRAP", "kafka.example:9092")

    with pytest.raises(ConfigError, match=r"kafka_bootstrap is set to 'kafka\.example:9092'"):
        start(tmp_path)

    assert read_run_file(tmp_path) is None


def test_a_floor_that_has_not_noted_its_number_is_waited_for(tmp_path: Path) -> None:
    """It has the lock for a moment before; a signal to process 0 would end whoever asked, and the shell around it."""
    code = """
import sys
from pathlib import Path
from floorpulse.embedded import floor
floor.STOPPED_WITHIN_S = 0.3
floor.stop_floor(Path(sys.argv[1]))
"""
    with gate.lock(tmp_path / LOCK_FILE, ""):
        asked = [sys.executable, "-c", code, str(tmp_path)]
        ended = subprocess.run(asked, start_new_session=True, stderr=subprocess.PIPE, text=True, check=False)

    assert ended.returncode == 1
    assert "has not stopped" in ended.stderr


def test_a_backup_needs_no_port_of_the_web(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, port_claims: PortClaims
) -> None:
    """
    Where no part of floorpulse runs, a port that is set and taken by the floor beside it hinders nobody.

    It then fails for the jars that are not there.
    """
    monkeypatch.setenv("FLOORPULSE_WEB_PORT", str(port_claims.claim(28_321)))

    with pytest.raises(ConfigError, match="Kafka's storage could not be formatted"):
        run_base(tmp_path, Path("libs"), lambda settings: None)


def test_the_run_file_of_a_dead_supervisor_means_nothing(tmp_path: Path) -> None:
    """Stopping what does not run is fine, and tidies up."""
    RunFile(supervisor=os.getpid(), parts=[], settings={}).write(tmp_path)

    assert not is_running(tmp_path)
    assert not stop_floor(tmp_path)
    assert read_run_file(tmp_path) is None


def test_a_file_in_the_place_of_the_folder_is_no_floor(tmp_path: Path) -> None:
    """Nothing runs there, and there is nothing to tidy up."""
    file = tmp_path / "floor"
    file.touch()

    assert not stop_floor(file)


def test_a_run_file_that_cannot_be_removed_is_named(tmp_path: Path) -> None:
    """With the reason, instead of a traceback."""
    (tmp_path / RUN_FILE).mkdir()

    with pytest.raises(ConfigError, match=r"run\.json: cannot be removed: "):
        stop_floor(tmp_path)


def test_the_background_floor_gets_the_same_choice() -> None:
    """What was asked for is passed on, what was not is left out."""
    assert Choice(Path("d"), clock="event").arguments() == ["--data", "d", "--clock", "event"]
