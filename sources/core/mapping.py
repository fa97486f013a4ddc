"""
A CSV file of any spreadsheet, read by a mapping: which column is which field of which event.

    source: crm
    time_format: "%d.%m.%Y %H:%M:%S"      # default: ISO 8601
    timezone: Europe/Berlin               # of times without offset; default: that of the floor
    decimal_comma: true
    events:
      - type: quality_scored
        when: {Status: [final, revised]}  # only rows with one of these values
        fields: {id: Number, at: Date, agent: Agent, score: Points}
        constants: {form: sales}
        units: {}                         # e.g. talk_s: ms; s, ms, min or hms (H:MM:SS)
        id_suffix: ""                     # where a row makes two events of one type
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from schemas.errors import ConfigError
from schemas.events import Event, FloorEvent
from schemas.registry import ZoneName
from schemas.yaml_nodes import nodes_of, values_of

MODELS: dict[str, type[Event]] = {
    model.model_fields["type"].default: model
    for model in get_args(FloorEvent)
    if "activities" not in model.model_fields
}
"""Events that fit into one row: all but planned shifts."""
Unit = Literal["s", "ms", "min", "hms"]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class EventMapping(_Strict):
    """How a row becomes one event."""

    type: str
    fields: dict[str, str]
    """Field -> column."""
    constants: dict[str, str | int | float | bool] = {}
    """Field -> the same value in every row."""
    units: dict[str, Unit] = {}
    """Field in seconds -> unit of its column."""
    when: dict[str, list[str]] = {}
    """Column -> values; the row is this event only where every column has one of its values."""
    id_suffix: str = Field("", max_length=50)
    """Put behind the id: two events of one type out of one row need two ids."""

    @model_validator(mode="after")
    def _fields_exist(self) -> EventMapping:
        model = MODELS.get(self.type)
        if model is None:
            raise ValueError(f"type: expected one of {', '.join(MODELS)}, found {self.type!r}")
        known = set(model.model_fields) - {"type", "source"}
        for part in ("fields", "constants", "units"):
            for name in getattr(self, part):
                if name not in known:
                    raise ValueError(f"{part}.{name}: not a field of {self.type}; it has {', '.join(sorted(known))}")
        given = {*self.fields, *self.constants}
        missing = [name for name in known if model.model_fields[name].is_required() and name not in given]
        if missing:
            raise ValueError(f"fields: {self.type} needs {', '.join(sorted(missing))} too")
        return self


class Mapping(_Strict):
    """The whole mapping file."""

    source: str = Field(min_length=1, max_length=200)
    delimiter: str = Field(",", min_length=1, max_length=1)
    time_format: str | None = None
    timezone: ZoneName | None = None
    decimal_comma: bool = False
    events: list[EventMapping] = Field(min_length=1)

    @property
    def columns(self) -> list[str]:
        """Every column that the mapping reads."""
        named = [column for event in self.events for column in (*event.fields.values(), *event.when)]
        return list(dict.fromkeys(named))


def read_mapping(text: str, file: str) -> Mapping:
    """The mapping of a YAML text; ConfigError in one line with file, line and key."""
    try:
        root = nodes_of(text)
        loaded = values_of(root)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise ConfigError(f"{file}:{mark.line + 1 if mark else 1}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(loaded, dict):
        raise ConfigError(f"{file}:1: expected keys and values, found {type(loaded).__name__}")
    try:
        return Mapping.model_validate(loaded)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        said = first["msg"].removeprefix("Value error, ")
        inner = said.partition(":")[0].split(".") if first["type"] == "value_error" and ": " in said else []
        path = [*first["loc"], *inner]
        key = ".".join(map(str, first["loc"])) or "mapping"
        raise ConfigError(f"{file}:{_line_of(root, path)}: {key}: {_said(first['type'], said)}") from None


def _said(kind: str, message: str) -> str:
    return {"extra_forbidden": "unknown key", "missing": "missing"}.get(kind, message)


def _line_of(node: Any, path: list[Any]) -> int:
    """The line of the deepest part of a path that the file has."""
    line = int(node.start_mark.line) + 1
    for part in path:
        if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
            continue
        pairs = node.value if isinstance(node, yaml.MappingNode) else []
        found = [(key, value) for key, value in pairs if key.value == str(part)]
        if not found:
            break
        line, node = found[0][0].start_mark.line + 1, found[0][1]
    return line
