"""The settings of floorpulse: file, environment and the data folder, read once and handed down frozen.

Order, the first found wins: environment (`FLOORPULSE_...`), the file `floorpulse.yaml` of the working folder, what
`floorpulse up` wrote into `DIR/run.json`, the defaults here. Only `--data` comes before all of them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from schemas.errors import ConfigError
from schemas.letter_limit import LetterLimit
from schemas.yaml_nodes import nodes_of, values_of
from sinks.retention import Retention

SETTINGS_FILE = Path("floorpulse.yaml")
DATA_FOLDER = Path(".floorpulse")
_ENV_PREFIX = "FLOORPULSE_"
_NO_SETTINGS = frozenset({"crash_at", "fault_seed", "compiled"})
"""Variables of tests and builds that begin like settings."""
RUN_FILE = "run.json"
TOKEN_FILE = "store.token"
SHORTEST_MONTH_DAYS = 28


class ClickHouseAddress(BaseModel):
    """Where ClickHouse answers HTTP."""

    model_config = ConfigDict(frozen=True)
    host: str
    port: int
    secure: bool
    user: str
    password: SecretStr
    database: str


class Settings(BaseSettings):
    """Everything that can be set; every field is an environment variable `FLOORPULSE_<NAME>` too."""

    model_config = SettingsConfigDict(env_prefix=_ENV_PREFIX, frozen=True, extra="forbid")

    data: Path = Field(DATA_FOLDER, description="Data folder of an embedded floor.")
    kafka_bootstrap: str = Field("", description="Bootstrap address of Kafka, host:port[,host:port].")
    clickhouse_url: str = Field("", description="ClickHouse's HTTP address, http(s)://host:port.")
    clickhouse_user: str = Field("default", description="ClickHouse user.")
    clickhouse_password: SecretStr = Field(SecretStr(""), description="ClickHouse password.")
    clickhouse_database: str = Field("floorpulse", description="ClickHouse database.")
    clock: Literal["wall", "event"] = Field("wall", description="wall: a live floor; event: replays and demos.")
    timezone: str = Field("UTC", description="Time zone of the default site `main`.")
    partitions: int = Field(4, ge=1, le=1024, description="Partitions of floor.events at creation.")
    flush_interval_s: float = Field(0.7, gt=0, le=10, description="Longest time between two flushes.")
    buffer_rows: int = Field(120_000, ge=1_000, description="Rows kept while ClickHouse is away.")
    retention_events_days: int = Field(
        35, ge=3, description="Raw events and dead letters are kept so long; facts are taken up to 2 days less."
    )
    retention_minutes_days: int = Field(
        35, ge=3, validate_default=True, description="Minutes are kept so long: no less than raw events."
    )
    retention_quarters_months: int = Field(
        13, ge=1, validate_default=True, description="Quarter hours are kept so long: no less than minutes."
    )
    dead_letters_in_a_row: int = Field(100, ge=0, description="So many in a row stop their source; 0: no limit.")
    dead_letters_percent: float = Field(
        5.0, gt=0, le=100, description="More of the last 1,000 records stop their source; 100: no limit."
    )
    web_host: str = Field("127.0.0.1", min_length=1, description="Address the web listens on.")
    web_port: int = Field(
        8321, ge=0, le=65535, description="Port of the web; with `up` a free one, where none is set and it is taken."
    )
    host_names: str = Field(
        "", description="Names with a dot that browsers reach web and gateway under, separated by commas."
    )
    gateway_host: str = Field("127.0.0.1", min_length=1, description="Address the gateway listens on.")
    gateway_port: int = Field(8322, ge=0, le=65535, description="Port of the gateway.")
    gateway_events_per_s: float = Field(5_000, gt=0, description="Events a second that the gateway takes of one key.")
    gateway_burst: int = Field(50_000, ge=1_000, description="Events that one key may send at once after a pause.")
    gateway_in_flight: int = Field(64, ge=1, description="Requests that the gateway works on at the same time.")
    metrics_host: str = Field("127.0.0.1", min_length=1, description="Address of /metrics of worker and delivery.")
    metrics_port: int = Field(8323, ge=0, le=65535, description="Port of the worker's /metrics.")
    delivery_metrics_port: int = Field(8324, ge=0, le=65535, description="Port of delivery's /metrics.")
    log_format: Literal["auto", "console", "json"] = Field("auto", description="console for people, else JSON.")

    @field_validator("timezone")
    @classmethod
    def _zone_exists(cls, name: str) -> str:
        try:
            zone(name)
        except ConfigError as error:
            raise ValueError(str(error)) from None
        return name

    @field_validator("retention_minutes_days")
    @classmethod
    def _outlives_raw_events(cls, days: int, info: ValidationInfo) -> int:
        """A fact that comes late changes a minute, and a day with a changed minute is read by its minutes."""
        least = info.data.get("retention_events_days", 0)
        if days < least:
            raise ValueError(f"expected at least {least}, as retention_events_days: late facts are counted by minutes")
        return days

    @field_validator("retention_quarters_months")
    @classmethod
    def _outlives_minutes(cls, months: int, info: ValidationInfo) -> int:
        """A day that is rolled up is read by its quarter hours, whatever minutes it still has."""
        least = -(-info.data.get("retention_minutes_days", 0) // SHORTEST_MONTH_DAYS)
        if months < least:
            raise ValueError(f"expected at least {least}: a day that is rolled up is read by its quarter hours")
        return months

    @field_validator("kafka_bootstrap")
    @classmethod
    def _are_addresses(cls, text: str) -> str:
        for address in text.split(",") if text else ():
            if not _is_address(f"//{address.strip()}"):
                raise ValueError(f"expected host:port[,host:port], found {address.strip()!r}")
        return text

    @field_validator("clickhouse_url")
    @classmethod
    def _is_url(cls, text: str) -> str:
        """What was given is not repeated: it may hold a password."""
        if text and not (text.startswith(("http://", "https://")) and _is_address(text)):
            raise ValueError("expected http(s)://host:port; user and password are settings of their own")
        return text

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What `load_settings` has put in order, before what the environment says besides."""
        return init_settings, env_settings

    def clickhouse(self) -> ClickHouseAddress:
        """The parts of `clickhouse_url`; ConfigError when it is not set."""
        if not self.clickhouse_url:
            raise ConfigError(f"no floor found in {self.data}: start one with `floorpulse up --data {self.data}`")
        parts = urlsplit(self.clickhouse_url)
        return ClickHouseAddress(
            host=parts.hostname or "",
            port=parts.port or (8443 if parts.scheme == "https" else 8123),
            secure=parts.scheme == "https",
            user=self.clickhouse_user,
            password=self.clickhouse_password,
            database=self.clickhouse_database,
        )

    def bootstrap(self) -> list[str]:
        """Kafka's bootstrap addresses; ConfigError when none is set."""
        if not self.kafka_bootstrap:
            raise ConfigError(f"no floor found in {self.data}: start one with `floorpulse up --data {self.data}`")
        return [address.strip() for address in self.kafka_bootstrap.split(",")]

    def names(self) -> frozenset[str]:
        """The names with a dot that browsers reach web and gateway under."""
        return frozenset(name.strip().lower() for name in self.host_names.split(",") if name.strip())

    def retention(self) -> Retention:
        """How long ClickHouse keeps what is counted."""
        return Retention(self.retention_events_days, self.retention_minutes_days, self.retention_quarters_months)

    def letter_limit(self) -> LetterLimit:
        """What a source may send to the dead letters before it stops."""
        return LetterLimit(self.dead_letters_in_a_row, self.dead_letters_percent)


def zone(name: str) -> ZoneInfo:
    """The time zone of an IANA name; ConfigError names what was expected."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigError(f"unknown time zone {name!r}: expected an IANA name such as Europe/Berlin") from None


def _is_address(url: str) -> bool:
    """True for a URL with a host, nobody's name, and a port that is one where there is any."""
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and "@" not in parts.netloc and parts.port != 0
    except ValueError:
        return False


def load_settings(data: Path | None = None, *, file: Path = SETTINGS_FILE, **given: Any) -> Settings:
    """
    Read the settings once.

    `data` is the data folder (`--data`), see `data_folder`; its `run.json` gives addresses that neither environment nor
    file set. `given` are values of the command line. ConfigError: one line that names the file, line and key, or the
    variable.
    """
    folder = data_folder(data, file=file)
    in_file, lines = _file_values(file)
    in_environment = _environment()
    given = {key: value for key, value in given.items() if value is not None}
    values = _run_values(folder) | in_file | given | in_environment | {"data": folder}
    try:
        return Settings(**values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = str(first["loc"][0])
        places = {
            str(folder / RUN_FILE): values,
            f"{file}:{lines.get(key, 1)}": in_file,
            "command line": given,
            f"environment, {_variable(key)}": in_environment,
        }
        place = [str(file), *(place for place, keys in places.items() if key in keys)][-1]
        raise ConfigError(f"{place}: {key}: {_expected(key, first)}") from None


def data_folder(data: Path | None = None, *, file: Path = SETTINGS_FILE) -> Path:
    """The folder of `--data`; where that is not given, or says the default, the one that is set, else the default."""
    if data not in {None, DATA_FOLDER}:
        return data
    in_file, lines = _file_values(file)
    found = _environment().get("data") or in_file.get("data", DATA_FOLDER)
    if not isinstance(found, str | Path) or not str(found):
        raise ConfigError(f"{file}:{lines.get('data', 1)}: data: expected the path of a folder")
    return Path(found)


def _environment() -> dict[str, Any]:
    """The settings of the environment. ConfigError: a variable that begins like one is none."""
    ours = [name for name in os.environ if name.upper().startswith(_ENV_PREFIX)]  # noqa: TID251  nobody else reads it
    keys = {name[len(_ENV_PREFIX) :].lower(): name for name in ours}
    unknown = sorted(keys.keys() - Settings.model_fields.keys() - _NO_SETTINGS)
    if unknown:
        raise ConfigError(f"environment, {keys[unknown[0]]}: unknown setting{_meant(unknown[0], _variable)}")
    return EnvSettingsSource(Settings)()


def _variable(key: str) -> str:
    return f"{_ENV_PREFIX}{key.upper()}"


def _expected(key: str, fault: Mapping[str, Any]) -> str:
    if fault["type"] != "extra_forbidden":
        return str(fault["msg"]).removeprefix("Value error, ")
    return f"unknown key{_meant(key)}"


def _meant(key: str, spelt: Callable[[str], str] = str) -> str:
    """The setting that may be meant by a key that is none, as a question; empty where none is close."""
    close = get_close_matches(key, Settings.model_fields, 1)
    return f": did you mean {spelt(close[0])}?" if close else ""


def _file_values(file: Path) -> tuple[dict[str, Any], dict[str, int]]:
    """The keys of the file with their values, and with their lines; none when it is not there."""
    try:
        text = file.read_text(encoding="utf-8")
        root = nodes_of(text)
        loaded = values_of(root)
    except FileNotFoundError:
        return {}, {}
    except UnicodeDecodeError:
        raise ConfigError(f"{file}: not a text in UTF-8: expected keys and values") from None
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        said = " ".join(str(getattr(error, "problem", None) or error).split())
        raise ConfigError(f"{file}:{mark.line + 1 if mark else 1}: not YAML: {said}") from None
    if not isinstance(loaded or {}, dict) or not isinstance(root, yaml.MappingNode | None):
        raise ConfigError(f"{file}:1: expected keys and values")
    lines = {str(key.value): key.start_mark.line + 1 for key, _ in root.value} if root else {}
    return {str(key): value for key, value in (loaded or {}).items()}, lines


def _run_values(folder: Path) -> dict[str, Any]:
    """What `floorpulse up` tells every other command of its floor."""
    run = folder / RUN_FILE
    try:
        values = dict(json.loads(run.read_text(encoding="utf-8")).get("settings", {}))
        if (folder / TOKEN_FILE).exists():
            values["clickhouse_password"] = (folder / TOKEN_FILE).read_text(encoding="utf-8").strip()
        return values
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise ConfigError(f"{error.filename}: cannot be read: {error.strerror}") from None
    except (ValueError, TypeError, AttributeError) as error:
        raise ConfigError(f"{run}: not readable as JSON: {error}") from None
