"""Settings: where they come from, in which order, and the one line that names what is wrong."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from floorpulse.settings import RUN_FILE, Settings, data_folder, load_settings
from schemas.errors import ConfigError

WRONG = [
    ("web_port: here\n", r"floorpulse.yaml:1: web_port: Input should be a valid integer"),
    ("# ports\n\nweb_prot: 1\n", r"floorpulse.yaml:3: web_prot: unknown key: did you mean web_port\?"),
    ("timezone: Mars/Phobos\n", r"floorpulse.yaml:1: timezone: unknown time zone 'Mars/Phobos'"),
    ("kafka_bootstrap: kafka:9092,kafka:port\n", r"floorpulse.yaml:1: kafka_bootstrap: expected host:port"),
    ("clickhouse_url: http://store:99999\n", r"floorpulse.yaml:1: clickhouse_url: expected http\(s\)://host:port"),
    ("clickhouse_url: 'http://[::1'\n", r"floorpulse.yaml:1: clickhouse_url: expected http\(s\)://host:port"),
    ("1: 2\n", r"floorpulse.yaml:1: 1: unknown key"),
    ("true: 1\n", r"floorpulse.yaml:1: True: unknown key"),
    ("data: 3\n", r"floorpulse.yaml:1: data: expected the path of a folder"),
    ("data:\n", r"floorpulse.yaml:1: data: expected the path of a folder"),
    ("- a\n", r"floorpulse.yaml:1: expected keys and values"),
    ("clock: wall\nweb_port: [\n", r"floorpulse.yaml:3: not YAML: expected the node content"),
    ("clock: 2026-99-99\n", r"floorpulse.yaml:1: not YAML: month must be in 1..12"),
]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder of its own, and nothing of ours in the environment."""
    for name in [name for name in os.environ if name.startswith("FLOORPULSE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def floor_in(folder: Path, **settings: str) -> Path:
    """A data folder as `floorpulse up` leaves it while the floor runs."""
    folder.mkdir()
    (folder / RUN_FILE).write_text(json.dumps({"settings": settings}))
    return folder


@pytest.mark.parametrize(("text", "said"), WRONG)
def test_what_is_wrong_in_the_file_is_named_with_its_line(here: Path, text: str, said: str) -> None:
    """File, line, key, what was expected; nothing ends with a traceback."""
    (here / "floorpulse.yaml").write_text(text)

    with pytest.raises(ConfigError, match=said) as fault:
        load_settings()

    assert "\n" not in str(fault.value)


@pytest.mark.parametrize("content", [b"\xff\xfe", None])
def test_a_file_that_is_no_text_is_named(here: Path, content: bytes | None) -> None:
    """Other letters than UTF-8, or a folder in its place."""
    file = here / "floorpulse.yaml"
    if content is None:
        file.mkdir()
    else:
        file.write_bytes(content)

    with pytest.raises(ConfigError, match=r"floorpulse.yaml: (not a text in UTF-8|cannot be read)"):
        load_settings()


def test_a_variable_is_named_where_it_is_the_variable_that_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looks for a fault in a file that does not say it, or is not even there."""
    monkeypatch.setenv("FLOORPULSE_WEB_PORT", "here")

    with pytest.raises(ConfigError, match=r"^environment, FLOORPULSE_WEB_PORT: web_port: Input should be"):
        load_settings()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("FLOORPULSE_TIMZONE", r"FLOORPULSE_TIMZONE: unknown setting: did you mean FLOORPULSE_TIMEZONE\?"),
        ("floorpulse_q", "floorpulse_q: unknown setting"),
    ],
)
def test_a_misspelt_variable_is_refused_as_a_misspelt_key_is(
    monkeypatch: pytest.MonkeyPatch, name: str, said: str
) -> None:
    """A floor in the wrong zone, or without its password, is found by nobody until its figures are read."""
    monkeypatch.setenv(name, "Asia/Manila")

    for read in (load_settings, data_folder):
        with pytest.raises(ConfigError, match=f"^environment, {said}$"):
            read()


def test_variables_of_tests_and_builds_are_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """They begin like settings, and stand in the environment of a command that reads these."""
    for name in ("FLOORPULSE_CRASH_AT", "FLOORPULSE_FAULT_SEED", "FLOORPULSE_COMPILED"):
        monkeypatch.setenv(name, "3")

    assert load_settings() == Settings()


@pytest.mark.parametrize("key", ["web_host", "gateway_host", "metrics_host"])
def test_an_empty_address_does_not_listen_everywhere(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    """An unset variable of a shell or a compose file would open the floor to whoever reaches the machine."""
    monkeypatch.setenv(f"FLOORPULSE_{key.upper()}", "")

    with pytest.raises(ConfigError, match=f"^environment, FLOORPULSE_{key.upper()}: {key}: String should have at"):
        load_settings()


@pytest.mark.parametrize("url", ["user:geheim@store:8123", "http://user:geheim@store:8123", "http//user:geheim@store"])
def test_a_password_in_an_address_is_refused_and_not_repeated(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """It was left out without a word before, or stood in the error."""
    monkeypatch.setenv("FLOORPULSE_CLICKHOUSE_URL", url)

    with pytest.raises(ConfigError, match="user and password are settings of their own") as fault:
        load_settings()

    assert "geheim" not in str(fault.value)


def test_the_floor_is_found_in_the_folder_that_is_set(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the environment, by the file, by neither; commands hand the default of `--data` in where it is not given."""
    there = floor_in(here / "there", kafka_bootstrap="kafka:1")
    default = floor_in(here / ".floorpulse", kafka_bootstrap="kafka:2")

    assert load_settings(Path(".floorpulse")).kafka_bootstrap == "kafka:2"
    (here / "floorpulse.yaml").write_text(f"data: {there}\n")
    assert load_settings(Path(".floorpulse")).kafka_bootstrap == "kafka:1"
    assert data_folder() == there
    monkeypatch.setenv("FLOORPULSE_DATA", str(default))
    assert load_settings(Path(".floorpulse")).kafka_bootstrap == "kafka:2"


def test_a_folder_on_the_command_line_comes_first(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Addresses and receivers are of one folder, whatever the environment says."""
    there = floor_in(here / "there", kafka_bootstrap="kafka:1")
    monkeypatch.setenv("FLOORPULSE_DATA", str(floor_in(here / "other", kafka_bootstrap="kafka:2")))

    settings = load_settings(there)

    assert (settings.data, settings.kafka_bootstrap) == (there, "kafka:1")


def test_the_environment_comes_before_the_file_and_the_file_before_the_floor(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As docs/reference/settings.md says."""
    floor_in(here / ".floorpulse", kafka_bootstrap="run:1", clickhouse_url="http://run:1", timezone="Asia/Manila")
    (here / "floorpulse.yaml").write_text("kafka_bootstrap: file:1\nclickhouse_url: http://file:1\n")
    monkeypatch.setenv("FLOORPULSE_KAFKA_BOOTSTRAP", "environment:1")

    settings = load_settings()

    found = (settings.kafka_bootstrap, settings.clickhouse_url, settings.timezone)
    assert found == ("environment:1", "http://file:1", "Asia/Manila")


@pytest.mark.parametrize("text", ["[]", '{"settings": [1]}', "no JSON", "\udcff"])
def test_an_unreadable_run_file_is_named(here: Path, text: str) -> None:
    """One line, and not the traceback of whoever wrote it."""
    (here / ".floorpulse").mkdir()
    (here / ".floorpulse" / RUN_FILE).write_bytes(text.encode(errors="surrogateescape"))

    with pytest.raises(ConfigError, match=r"run.json: not readable as JSON"):
        load_settings()


def test_without_any_setting_the_defaults_hold() -> None:
    """Nothing has to be set for the floor of one machine."""
    assert load_settings() == Settings()
