"""The control records that stand among the events of `floor.events`: time, registry, rules and repairs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from typing_extensions import TypeIs

Id = Annotated[str, Field(min_length=1, max_length=200)]


class Record(BaseModel):
    """Anything that stands in `floor.events`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    at: AwareDatetime
    """The instant it happened."""


class Ticked(Record):
    """Time went on up to `at`, with nothing else to say."""

    type: Literal["ticked"] = "ticked"


class RegistryChanged(Record):
    """From the next record on, this revision of the registry holds."""

    type: Literal["registry_changed"] = "registry_changed"
    revision: Annotated[int, Field(ge=1)]


class RulesApplied(Record):
    """From the next record on, this revision of the rules holds."""

    type: Literal["rules_applied"] = "rules_applied"
    revision: Annotated[int, Field(ge=1)]


class RefoldAsked(Record):
    """Somebody asks the owner to fold a subject again, or to give up an event that moved to another key."""

    type: Literal["refold_asked"] = "refold_asked"
    subject: Id | None = None
    """`agent:ID` or `queue:ID`, with `from_at` and `to_at`."""
    from_at: AwareDatetime | None = None
    to_at: AwareDatetime | None = None
    moved: tuple[Id, Id, Id] | None = None
    """Identity (source, id, type) of an event whose higher `revision` went to another key."""
    revision: int = 0
    why: Annotated[str, Field(max_length=200)]


class InputEnded(Record):
    """Nothing more comes from this input."""

    type: Literal["input_ended"] = "input_ended"


Control = Ticked | RegistryChanged | RulesApplied | RefoldAsked | InputEnded
CONTROL_TYPES: tuple[str, ...] = tuple(model.model_fields["type"].default for model in Control.__args__)

_CONTROLS = frozenset(Control.__args__)


def is_control(record: object) -> TypeIs[Control]:
    """True for a control record. `isinstance` of a model that does not match costs a tenth of decoding a message."""
    return type(record) in _CONTROLS
