"""Who is reached how: `receivers.yaml` of the data folder, read strictly. No file: the web inbox is all there is."""

from __future__ import annotations

from datetime import datetime, time
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from schemas.errors import ConfigError
from schemas.yaml_nodes import nodes_of

RECEIVERS_FILE = "receivers.yaml"
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
CHANNELS = frozenset({"webhook", "slack", "email"})
WEEK: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def _local(clock: time) -> time:
    if clock.tzinfo is not None:
        raise ValueError("expected a local time without an offset: it is that of the site")
    return clock


Name = Annotated[str, Field(min_length=1, max_length=200)]
LocalTime = Annotated[time, AfterValidator(_local)]
Url = Annotated[str, Field(pattern=r"^https?://[^\s/]+")]


class Strict(BaseModel):
    """Unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Reaches(Strict):
    """What every receiver says: its own name, and the work id of the person it reaches."""

    name: Name
    person: Name


class WebhookReceiver(Reaches):
    """Posts to an address, signed as Standard Webhooks says."""

    channel: Literal["webhook"]
    url: Url
    secret: Name
    """Name of the environment variable with `whsec_...`; two with a space between them while one is replaced."""


class SlackReceiver(Reaches):
    """Posts to an incoming webhook of Slack, Mattermost or the like, whose address is itself a secret."""

    channel: Literal["slack"]
    url_secret: Name
    """Name of the environment variable with the address."""


class EmailReceiver(Reaches):
    """Sends an email."""

    channel: Literal["email"]
    to: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$")]


Receiver = Annotated[WebhookReceiver | SlackReceiver | EmailReceiver, Field(discriminator="channel")]


class Smtp(Strict):
    """The mail server that emails go through."""

    host: Name
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    sender: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$")]
    user: str = ""
    password: str = ""
    """Name of the environment variable with the password."""
    starttls: bool = True


class Duty(Strict):
    """Hours in which a person is on duty, in the zone of the site; past midnight when `to` is not after `from`."""

    days: list[Day] = list(WEEK)
    start: Annotated[LocalTime, Field(alias="from")]
    end: Annotated[LocalTime, Field(alias="to")]

    def covers(self, local: datetime) -> bool:
        """True when a local instant lies in the hours; a span past midnight belongs to the day it begins on."""
        today, clock = WEEK[local.weekday()], local.time()
        if self.start < self.end:
            return today in self.days and self.start <= clock < self.end
        yesterday = WEEK[local.weekday() - 1]
        return (today in self.days and clock >= self.start) or (yesterday in self.days and clock < self.end)


class Receivers(Strict):
    """The whole file. A person without `duty` is always on duty."""

    receivers: list[Receiver] = []
    duty: dict[str, list[Duty]] = {}
    smtp: Smtp | None = None

    def off_duty(self, local: datetime) -> frozenset[str]:
        """The people who are not there at a local instant."""
        return frozenset(person for person, hours in self.duty.items() if not any(duty.covers(local) for duty in hours))


def load_receivers(file: Path) -> Receivers:
    """The receivers of a file, none when it is not there; ConfigError: one line with file, line and key."""
    if not file.exists():
        return Receivers()
    try:
        text = file.read_text(encoding="utf-8")
        root = nodes_of(text)
        # plain scalars stay text: YAML 1.1 reads 22:00 as a number to the base 60
        found = Receivers.model_validate(yaml.load(text, Loader=yaml.BaseLoader) or {})
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: not readable: {error}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{file}: not YAML: {' '.join(str(error).split())}") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise _fault(file, root, first["loc"], first["msg"]) from None
    _check(file, root, found)
    return found


def _check(file: Path, root: Any, found: Receivers) -> None:
    names: set[str] = set()
    for index, receiver in enumerate(found.receivers):
        if receiver.name in names:
            raise _fault(file, root, ("receivers", index, "name"), f"{receiver.name!r} is given twice")
        if receiver.channel == "email" and found.smtp is None:
            raise _fault(file, root, ("receivers", index, "channel"), "email: expected a mail server under `smtp`")
        names.add(receiver.name)


def _fault(file: Path, root: Any, place: tuple[int | str, ...], expected: str) -> ConfigError:
    keys = [part for part in place if part not in CHANNELS]
    node, line = root, 1
    for part in keys:
        step = _step(node, part)
        if step is None:
            break
        line, node = step
    return ConfigError(f"{file}:{line}: {'.'.join(map(str, keys)) or 'file'}: {expected}")


def _step(node: Any, part: int | str) -> tuple[int, Any] | None:
    """The line of a part of a YAML node, and its own node; None when it is not there."""
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int):
        return node.value[part].start_mark.line + 1, node.value[part]
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return next(((key.start_mark.line + 1, value) for key, value in pairs if key.value == part), None)
