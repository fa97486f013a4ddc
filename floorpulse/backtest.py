"""
Go through days that are over with other rules: what they would have told. Nothing is sent, nothing is written.

    events_current, in order of time ── one partition engine ── groups ── alert steps ── tallies
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from alerting.backtest import Span, Tally, tallies
from alerting.judge import RuleJudge
from alerting.rules import RuleSet
from schemas.alerts import Transition
from schemas.controls import Ticked, is_control
from schemas.events import decode
from schemas.registry import Registry
from schemas.times import DAY_MS, HOUR_MS, from_ms
from sinks.history import facts_in_order, fired_alerts, hours_of_facts
from streams.core.closing import DAY_GRACE_MS
from streams.core.groups import GroupEngine
from streams.core.log import Item
from streams.core.partition import PartitionEngine

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

EPOCH = 1
LEAD_MS = DAY_MS
"""A state lasts half a day at most: who began before the span is known as they were."""
AT_ONCE = 20_000

Progress = Callable[[int, int], None]


class Replay:
    """One floor under other rules, from an empty state, by the time of its facts. The roster is that of now."""

    def __init__(self, rules: RuleSet, registry: Registry) -> None:
        """Nothing has happened yet."""
        self.steps: list[Transition] = []
        """Every step of every alert so far, in order."""
        self._facts = PartitionEngine(0, EPOCH, registry, RuleJudge(rules, registry, 1), event_clock=True)
        self._groups = GroupEngine(1, EPOCH, registry, RuleJudge(rules, registry, 2))
        self._offset = 0

    def take(self, payload: bytes) -> None:
        """Fold the next fact, as its sender wrote it."""
        event = decode(payload)
        if not is_control(event):
            self._apply(Item(self._offset, max(self._facts.clock, event.at_ms), payload, b"", event))

    def go_on_to(self, at_ms: int) -> None:
        """Let time come to an instant at which nothing happens."""
        self._apply(Item(self._offset, at_ms, b"", b"", Ticked(at=from_ms(at_ms))))
        self._settle()

    def _apply(self, item: Item) -> None:
        self._facts.apply(item)
        self._offset += 1
        if self._offset % AT_ONCE == 0:
            self._settle()

    def _settle(self) -> None:
        """What a flush does to the engines: hand on what they say, let go of what is over."""
        said = self._facts.take_outbox()
        self._groups.apply(self._offset, said.contributions)
        together = self._groups.take_outbox()
        self.steps += [step for step, _version in (*said.transitions, *together.transitions)]
        self._facts.acknowledged(self._facts.freeze().checkpoint.boundary)
        self._groups.freeze()


@dataclass(frozen=True, slots=True)
class Backtest:
    """What rules would have told in a span, beside what was told then."""

    tallies: list[Tally]
    told: Counter[str]
    """Rule -> alerts that fired in the span by the rules of then."""


def lead_ms(rules: RuleSet) -> int:
    """How long before a span its facts are needed: for what lasts on, and for the days that rules look back on."""
    return max([LEAD_MS, *((rule.window.days + 1) * DAY_MS for rule in rules.rules)])


def backtest(
    client: Client, rules: RuleSet, registry: Registry, span: Span, now_ms: int, progress: Progress
) -> Backtest:
    """
    Judge a span by rules; `progress` is told how many facts are through, and all of them.

    Rules over days are judged when the day has closed everywhere: up to a day after the span, and not after `now_ms`.
    """
    begin = span.from_ms - lead_ms(rules)
    over_days = any(rule.window.kind == "days" for rule in rules.rules)
    end = min(now_ms, span.to_ms + (DAY_MS + DAY_GRACE_MS if over_days else 0))
    replay = Replay(rules, registry)
    hours = hours_of_facts(client, begin, end)
    done, whole = 0, sum(count for _, count in hours)
    for start, count in hours:
        for payload in facts_in_order(client, max(start, begin), min(start + HOUR_MS, end)):
            replay.take(payload)
        done += count
        progress(done, whole)
    replay.go_on_to(end)
    told = Counter(
        rule for rule, at, day, site in fired_alerts(client, span.from_ms, end + 1) if span.holds(at, day, site)
    )
    return Backtest(tallies([rule.id for rule in rules.rules], replay.steps, span), told)
