"""The keys of a rule, each with what it may hold."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from alerting.spans import DurationMs, ShiftHours, WindowSpan
from schemas.alerts import Opens, ReceiverRole, Severity, SubjectKind
from schemas.events import State
from schemas.kpis import Variant

Comparison = Literal[">", ">=", "<", "<="]
EvidenceKind = Literal[
    "short",
    "longest_handle",
    "shortest_handle",
    "longest_talk",
    "longest_hold",
    "longest_wrap",
    "longest_wait",
    "missed_threshold",
    "abandoned",
    "low_score",
    "fatal",
    "latest",
    "waiting",
    "state",
]
"""Which contacts stand behind an alert."""

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
Words = Annotated[str, StringConstraints(min_length=1, max_length=300, pattern=r"^[^\n]+$")]
Number = Annotated[float, Field(allow_inf_nan=False)]


class RuleFields(BaseModel):
    """What a rule says, each key on its own."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    id: Slug
    name: Words
    text: Words
    """One sentence, shown to the lead."""
    kpi: str
    subject: SubjectKind
    window: WindowSpan
    comparison: Comparison
    threshold: Number
    clear: Number | None = None
    """The value at which a firing alert counts as over; None: as soon as the condition is false."""
    for_ms: DurationMs = Field(default=0, alias="for")
    keep_ms: DurationMs = Field(default=0, alias="keep_firing_for")
    min_n: Annotated[int, Field(ge=1)] | None = None
    variant: Variant | None = None
    """Variant of the service level; None: that of the queue's contract."""
    threshold_s: int | None = None
    """T of the service level, s; None: that of the queue's contract."""
    state: State | None = None
    reason: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    shift_hours: ShiftHours | None = None
    severity: Severity = "watch"
    receiver: ReceiverRole = "lead"
    opens: Opens = "nothing"
    evidence: EvidenceKind | None = None
    pairs_with: Slug | None = None
    """The quality rule that watches what the speed asked for here could cost."""
