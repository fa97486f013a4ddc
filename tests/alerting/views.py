"""A subject for tests of rules, set by hand, and the shortest way to write a rule."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from alerting.judge import RuleJudge
from alerting.plan import Hop
from alerting.rules import Rule, RuleSet
from schemas.alerts import Look, RecentContact, RuleState, Transition, Window
from schemas.kpi_terms import NO_CODES, Codes
from schemas.registry import Floor, Registry

MINUTE = 60_000
NINE = 1_700_000_000_000 // 86_400_000 * 86_400_000 + 9 * 60 * MINUTE
"""Nine in the morning, UTC."""


@dataclass
class FakeView:
    """A `SubjectView` whose every answer is a field."""

    subject: str = "agent:a1"
    team: str = "t1"
    site: str = "main"
    by_window: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    span: tuple[int, int] = (0, 0)
    held: tuple[str, str | None, int] | None = None
    in_state_since: int | None = None
    queue: Sequence[tuple[int, str]] = ()
    recent: Sequence[RecentContact] = ()

    codes: Codes = NO_CODES

    def sums(self, window: Window, look: Look | None = None) -> Mapping[str, int]:
        """The sums set for the window's text."""
        return self.by_window.get(str(window), {})

    def bounds(self, window: Window) -> tuple[int, int]:
        """The one span, whatever the window."""
        return self.span

    def state(self) -> tuple[str, str | None, int] | None:
        """The state as set."""
        return self.held

    def state_since(self) -> int | None:
        """Since when the state lasts: since its last reason, where nothing else is given."""
        return self.in_state_since if self.in_state_since is not None or self.held is None else self.held[2]

    def waiting(self) -> Sequence[tuple[int, str]]:
        """The waiting contacts as set."""
        return self.queue

    def contacts(self, window: Window) -> Iterable[RecentContact]:
        """The remembered contacts, whatever the window."""
        return self.recent


def rule(**keys: Any) -> Rule:
    """A rule on the handle time of an agent's last hour, but for the given keys."""
    given = {
        "id": "r1",
        "name": "A rule",
        "text": "Something is to be seen.",
        "kpi": "aht_s",
        "subject": "agent",
        "window": "60m",
        "comparison": ">",
        "threshold": 100,
        "pairs_with": "q1",
        **keys,
    }
    return Rule.model_validate({key: value for key, value in given.items() if value is not None})


def away_rule(**keys: Any) -> Rule:
    """A rule on more than 20 minutes away."""
    live = {"kpi": "time_in_state_s", "window": "now", "state": "away", "threshold": 1200, "pairs_with": None}
    return rule(**{**live, **keys})


def handle_time(seconds: int, handled: int = 10) -> dict[str, dict[str, int]]:
    """The sums of an hour with this handle time."""
    return {"60m": {"handled": handled, "talk_ms": handled * seconds * 1000}}


@dataclass
class OneSubject:
    """One judge, one subject, and what came of each judging."""

    rules: Sequence[Rule]
    view: FakeView = field(default_factory=FakeView)
    hop: Hop = 1
    registry: Registry = field(default_factory=lambda: Registry(Floor()))
    states: dict[str, RuleState] = field(default_factory=dict)
    told: list[Transition] = field(default_factory=list)
    due_ms: int | None = None
    revision: int = 7
    before: list[Rule] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.judge = RuleJudge(RuleSet(revision=self.revision, rules=tuple(self.rules)), self.registry, self.hop)

    def at(self, now_ms: int) -> list[str]:
        """Judge at an instant; the reasons of the transitions that this made."""
        judgement = self.judge.judge(self.view, self.states, now_ms)
        self.told += judgement.transitions
        self.due_ms = judgement.due_ms
        return [one.reason for one in judgement.transitions]

    def applies(self, rules: Sequence[Rule]) -> None:
        """Another revision of the rules holds from now on."""
        self.revision += 1
        self.before += self.rules
        self.rules = rules
        self.judge = RuleJudge(
            RuleSet(revision=self.revision, rules=tuple(rules)), self.registry, self.hop, before=self.before
        )


SHORT_14D = rule(
    id="short", kpi="short_call_share", window="14d", comparison=">=", threshold=0.15, min_n=50, opens="coaching"
)
