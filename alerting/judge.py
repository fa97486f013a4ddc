"""The rules of one revision, ready to be asked by the engine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from alerting.plan import Hop, Levels, Plan
from alerting.rules import Rule, RuleSet
from alerting.sitting import Book, Sitting
from schemas.alerts import ALL_NEWS, Judgement, Look, RuleState, SubjectKind, SubjectView, Window
from schemas.registry import Registry


class RuleJudge:
    """
    `schemas.alerts.Judge` over a rule set.

    Hop 1 judges agents, and queues by what their own events say; hop 2 teams, sites, clients, and queues by what
    their agents did. `RuleState.rule_version` holds the rule's own version, not the revision of the set: an episode
    ends with `rule_changed` when its rule is gone or means something else, and goes on over every other revision.
    """

    def __init__(self, ruleset: RuleSet, registry: Registry, hop: Hop, before: Iterable[Rule] = ()) -> None:
        """`before` are the rules of earlier revisions: they tell what a rule that is gone was about."""
        self._ruleset = ruleset
        self._plan = Plan(ruleset, hop)
        self._book = Book(
            revision=ruleset.revision,
            versions=self._plan.versions,
            by_version={rule.version(): rule for rule in (*before, *ruleset.rules)},
            levels=Levels(registry),
            registry=registry,
        )

    @property
    def revision(self) -> int:
        """The revision of the rules."""
        return self._ruleset.revision

    def windows(self, kind: SubjectKind) -> frozenset[Window]:
        """The windows of sums that rules of this kind of subject look at; `now` has none and is not among them."""
        return self._plan.windows(kind)

    def looks(self, kind: SubjectKind) -> Sequence[Look]:
        """What the rules of this kind of subject look at, window by window, those over days left aside."""
        return [group.look for group in self._plan.running.get(kind, ())]

    def judge(self, view: SubjectView, states: dict[str, RuleState], now_ms: int, news: int = ALL_NEWS) -> Judgement:
        """Judge every rule but those over days; ends the episodes of all rules that are gone or have changed."""
        sitting = Sitting(self._book, view, states, now_ms)
        if states:
            sitting.close_changed()
        for place, group in enumerate(self._plan.running.get(_kind(view), ())):
            if not (news >> place & 1 or (states and sitting.is_live(group.rules))):
                continue
            if group.window.kind == "now":
                sitting.judge_live(group.rules)
            else:
                sitting.judge_sums(group.window, group.rules, group.look)
        return sitting.judgement

    def close_day(self, view: SubjectView, states: dict[str, RuleState], day: date, now_ms: int) -> Judgement:
        """Judge the rules over days for the site day that has closed; a day that was judged is not judged again."""
        sitting = Sitting(self._book, view, states, now_ms, day)
        if states:
            sitting.close_changed()
        for group in self._plan.days.get(_kind(view), ()):
            sitting.judge_days(group.window, group.rules, day.isoformat())
        return sitting.judgement


def _kind(view: SubjectView) -> str:
    return view.subject.partition(":")[0]
