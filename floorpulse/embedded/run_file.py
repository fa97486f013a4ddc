"""`DIR/run.json`: what runs of a floor and where it answers, replaced whole at each change."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from floorpulse.embedded.ports import LOOPBACK, page_address
from floorpulse.settings import RUN_FILE
from schemas.errors import ConfigError


class PartState(StrEnum):
    """Where a part is in its life."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    RESTARTING = "restarting"


class PartStatus(BaseModel):
    """One part; `pid` is null while no process runs, `restarts` counts since `floorpulse up`."""

    model_config = ConfigDict(frozen=True)

    name: str
    pid: int | None = None
    ports: dict[str, int] = Field(default_factory=dict)
    restarts: int = 0
    state: PartState = PartState.WAITING


class RunFile(BaseModel):
    """A running floor; `settings` are fields of `floorpulse.settings.Settings`."""

    model_config = ConfigDict(frozen=True)

    supervisor: int
    parts: list[PartStatus]
    settings: dict[str, JsonValue]

    def is_ready(self) -> bool:
        """Whether every part is ready."""
        return bool(self.parts) and all(part.state is PartState.READY for part in self.parts)

    def board(self) -> str:
        """Where a browser of this machine finds the floor board."""
        host = self.settings.get("web_host", LOOPBACK)  # a floor that an older version started does not say
        return page_address(str(host), int(str(self.settings["web_port"])))

    def write(self, data: Path) -> None:
        """Replace the file in one step: a reader sees the old or the new one, never half of it."""
        fresh = data / f".{RUN_FILE}.new"
        fresh.write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")
        fresh.replace(data / RUN_FILE)


def read_run_file(data: Path) -> RunFile | None:
    """The run file of a data folder, None when there is none. ConfigError: it is not one of ours."""
    path = data / RUN_FILE
    try:
        return RunFile.model_validate_json(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def remove_run_file(data: Path) -> None:
    """Remove it; nothing happens when it is not there. ConfigError: it cannot be removed."""
    path = data / RUN_FILE
    try:
        path.unlink(missing_ok=True)
    except NotADirectoryError:
        return
    except OSError as error:
        raise ConfigError(f"{path}: cannot be removed: {error.strerror}") from None
