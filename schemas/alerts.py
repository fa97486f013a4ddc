"""What a rule found: alert transitions, the state of a rule for a subject, and what the two sides of judging share.

`streams.core` holds the numbers and the time, `alerting` holds the rules; they meet in `SubjectView` and `Judge`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from hashlib import blake2b
from typing import Annotated, Literal, NamedTuple, Protocol

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from schemas.kpi_terms import Codes
from schemas.panes import Sums

SubjectKind = Literal["agent", "queue", "team", "site", "client"]
Severity = Literal["watch", "act"]
ReceiverRole = Literal["lead", "deputy", "manager"]
Opens = Literal["nothing", "coaching", "appraisal_note", "recognition", "training_need"]
Reason = Literal["breached", "cleared", "too_few", "state_left", "rule_changed", "day_over", "logged_off"]


@dataclass(frozen=True, slots=True)
class Window:
    """
    The span of time a rule looks at.

    `rolling`: the last `minutes` whole minutes; `day`: the site day so far; `shift`: since the start of the shift by
    plan, else the site day; `days`: the last `days` site days, judged after the close of each; `now`: this instant.
    """

    kind: Literal["rolling", "day", "shift", "days", "now"]
    minutes: int = 0
    days: int = 0

    def __str__(self) -> str:
        """`30m`, `14d`, `day`, `shift` or `now`: as rules write it."""
        if self.kind == "rolling":
            return f"{self.minutes}m"
        return f"{self.days}d" if self.kind == "days" else self.kind


class Evidence(BaseModel):
    """One contact (or evaluation, or state) behind an alert."""

    model_config = ConfigDict(frozen=True)

    contact: str
    at: AwareDatetime
    what: str
    """What of it counts, e.g. `talk_s`, `waited_s`, `score`, `away`."""
    value: float


class Transition(BaseModel):
    """One step of an alert: the message on `floor.alerts` and a row of `alert_transitions`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    alert: str
    sequence: int
    """1 when it fires; each further step adds 1."""
    state: Literal["firing", "resolved"]
    reason: Reason
    at: AwareDatetime
    """The instant of the step, out of the log."""
    rule: str
    rule_version: int
    """The revision of the rules that made this step."""
    subject: str
    """`agent:ID`, `queue:ID`, `team:ID`, ..."""
    kpi: str
    window: str
    window_from: AwareDatetime
    window_to: AwareDatetime
    value: float | None
    n: int
    threshold: float
    severity: Severity
    opens: Opens
    team: str
    site: str
    receiver: Annotated[ReceiverRole, Field(exclude_if=lambda role: role == "lead")] = "lead"
    """Who is told first; the lead is not written, so that a step has the bytes it had before there was a choice."""
    started_at: AwareDatetime
    """Since when the condition held without a break: the start of the episode."""
    day: Annotated[date | None, Field(description="The site day that a rule over days names.")] = None
    evidence: list[Evidence] = []


@dataclass(slots=True)
class RuleState:
    """Where one rule stands for one subject. Plain values, so that it can be kept as JSON."""

    state: Literal["inactive", "pending", "firing", "keep_firing"] = "inactive"
    since_ms: int = 0
    """Since when the condition holds (pending, firing)."""
    keep_since_ms: int = 0
    """Since when a firing alert is cleared but kept (keep_firing)."""
    alert: str = ""
    sequence: int = 0
    rule_version: int = 0
    judged_day: str = ""
    """The last site day a rule over days was judged for, ISO."""
    start_ms: int = 0
    """Since when what breached held, as found last before it fired: `since_ms` or earlier (pending, firing)."""


class RecentContact(NamedTuple):
    """A contact that the engine still remembers, for evidence; a row of JSON values."""

    at_ms: int
    contact: str
    kind: Literal["handled", "answered", "abandoned", "scored"]
    talk_ms: int = 0
    hold_ms: int = 0
    wrap_ms: int = 0
    waited_ms: int = 0
    score: float = 0.0
    fatal: bool = False


class SubjectView(Protocol):
    """What a judge may know of a subject at the instant it is judged. Bounds are [from, to)."""

    @property
    def subject(self) -> str:
        """`kind:id`."""

    @property
    def team(self) -> str:
        """The agent's team at this instant, `''` for none."""

    @property
    def site(self) -> str:
        """The subject's site."""

    @property
    def codes(self) -> Codes:
        """What the registry says of reason codes and tasks."""

    def sums(self, window: Window, look: Look | None = None) -> Sums:
        """Totals of a window as it stands at this instant; empty for `now`. At least those that `look` looks at."""

    def bounds(self, window: Window) -> tuple[int, int]:
        """First and (exclusive) last instant of a window, epoch ms."""

    def state(self) -> tuple[str, str | None, int] | None:
        """The agent's state, its reason and since when (epoch ms); None when unknown or no agent."""

    def state_since(self) -> int | None:
        """Since when the agent is in that state (epoch ms), whatever the reasons were in it; None where `state` is."""

    def waiting(self) -> Sequence[tuple[int, str]]:
        """(since epoch ms, contact) of the contacts that wait in the queue, oldest first."""

    def contacts(self, window: Window) -> Iterable[RecentContact]:
        """Remembered contacts of a window, oldest first; for long windows only the telling ones."""


@dataclass(slots=True)
class Judgement:
    """What came of judging one subject at one instant."""

    transitions: list[Transition] = field(default_factory=list)
    due_ms: int | None = None
    """The next instant at which something becomes true by time alone; None: nothing does."""


@dataclass(frozen=True, slots=True)
class Look:
    """What the rules of one window look at: nothing else can change what they find."""

    window: Window
    columns: frozenset[str] = frozenset()
    """Keys of sums."""
    prefixes: tuple[str, ...] = ()
    """Beginnings of keys of sums."""
    states: frozenset[str] = frozenset()
    """States of an agent, for rules on this instant: who enters none of them is not judged for it."""

    def reads(self, key: str) -> bool:
        """True when a key of sums matters."""
        return key in self.columns or key.startswith(self.prefixes)


ALL_NEWS = -1
"""A set of looks as bits: all of them."""


class Judge(Protocol):
    """The rules of one revision, ready to be asked."""

    @property
    def revision(self) -> int:
        """The revision of the rules."""

    def windows(self, kind: SubjectKind) -> frozenset[Window]:
        """The windows that rules of this kind of subject look at."""

    def looks(self, kind: SubjectKind) -> Sequence[Look]:
        """What its rules but those over days look at, window by window; the place in it is a bit of `news`."""

    def judge(self, view: SubjectView, states: dict[str, RuleState], now_ms: int, news: int = ALL_NEWS) -> Judgement:
        """
        Judge every rule but those over days; `states` (rule id -> state) is changed in place.

        `news`: bits of the looks at which something changed since the last time; the others are judged only where one
        of their rules is pending or firing.
        """

    def close_day(self, view: SubjectView, states: dict[str, RuleState], day: date, now_ms: int) -> Judgement:
        """Judge the rules over days for the site day that has closed; they name that day."""


def alert_id(rule: str, subject: str, window: str, started_ms: int) -> str:
    """The id of the alert of one episode: the same log gives the same id."""
    text = "\x1f".join((rule, subject, window, str(started_ms)))
    return blake2b(text.encode(), digest_size=10).hexdigest()
