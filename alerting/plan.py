"""The rules of one hop, sorted so that judging a subject looks only at what concerns it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import floor
from operator import ge, gt, le, lt
from typing import Literal

from alerting.rules import Rule, RuleSet
from alerting.states import Pace
from schemas.alerts import SubjectKind, Window
from schemas.kpis import DEFAULT_THRESHOLD_S, DEFAULT_VARIANT, KPIS, Kpi, parts, service_level, value
from schemas.panes import Sums
from schemas.registry import Registry

Hop = Literal[1, 2]
_BEYOND: dict[str, Callable[[float, float], bool]] = {">": gt, ">=": ge, "<": lt, "<=": le}
Measure = tuple[float | None, int]
"""Value and n; a value of None was not computed, as n is too small."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A rule with what can be worked out before anything is judged."""

    rule: Rule
    id: str
    window: Window
    window_text: str
    pace: Pace
    version: int
    least_n: int
    kpi: Kpi | None
    """None for a figure of the present instant."""
    may_breach: Callable[[Sums], bool]
    """False where the sums cannot breach: a quick answer for the many subjects that nothing is wrong with."""
    delay_ms: int
    """A live figure is beyond the threshold this long after its start, to the millisecond."""

    def measure(self, sums: Sums, kpi: Kpi, threshold_s: int) -> Measure:
        """Value and n of a KPI over sums."""
        n = parts(kpi, sums, threshold_s)[1]
        return (value(kpi, sums, threshold_s), n) if n >= self.least_n else (None, n)


class Levels:
    """The service level that a rule means for a subject: what the rule says, else the contract of the queue."""

    def __init__(self, registry: Registry) -> None:
        """Contracts are those of one revision of the registry."""
        self._registry = registry
        self._known: dict[tuple[str, str], tuple[Kpi, int]] = {}

    def of(self, planned: Planned, subject: str) -> tuple[Kpi, int]:
        """The KPI and its threshold T in s."""
        key = (planned.id, subject)
        if key not in self._known:
            self._known[key] = self._look_up(planned.rule, subject)
        return self._known[key]

    def _look_up(self, rule: Rule, subject: str) -> tuple[Kpi, int]:
        kind, _, id_ = subject.partition(":")
        queue = self._registry.queues.get(id_) if kind == "queue" else None
        variant = queue.service_level.variant if queue else DEFAULT_VARIANT
        threshold_s = queue.service_level.threshold_s if queue else DEFAULT_THRESHOLD_S
        return service_level(rule.variant or variant), rule.threshold_s or threshold_s


class Plan:
    """The rules of one hop by kind of subject, and by window within it."""

    def __init__(self, ruleset: RuleSet, hop: Hop) -> None:
        """Sort the rules that this hop judges; the others are known by their version only."""
        self.versions = {rule.id: rule.version() for rule in ruleset.rules}
        self.running: dict[str, list[tuple[Window, list[Planned]]]] = {}
        self.days: dict[str, list[tuple[Window, list[Planned]]]] = {}
        for rule in ruleset.rules:
            if hop_of(rule) == hop:
                kinds = self.days if rule.window.kind == "days" else self.running
                _add(kinds.setdefault(rule.subject, []), planned(rule))

    def windows(self, kind: SubjectKind) -> frozenset[Window]:
        """The windows with sums that the rules of a kind look at."""
        groups = self.running.get(kind, []) + self.days.get(kind, [])
        return frozenset(window for window, _ in groups if window.kind != "now")


def hop_of(rule: Rule) -> Hop:
    """1: the owner of the subject's events judges it; 2: the sums of many subjects are needed."""
    if rule.subject == "agent" or rule.is_live:
        return 1
    return 1 if rule.subject == "queue" and KPIS[rule.kpi].is_of_queue else 2


def planned(rule: Rule) -> Planned:
    """A rule, ready to be judged."""
    kpi = KPIS.get(rule.kpi)
    return Planned(
        rule=rule,
        id=rule.id,
        window=rule.window,
        window_text=str(rule.window),
        pace=Pace(rule.for_ms, rule.keep_ms),
        version=rule.version(),
        least_n=rule.least_n,
        kpi=kpi,
        may_breach=_quick_look(rule, kpi),
        delay_ms=_delay_ms(rule) if kpi is None else 0,
    )


def _add(groups: list[tuple[Window, list[Planned]]], rule: Planned) -> None:
    for window, rules in groups:
        if window == rule.window:
            rules.append(rule)
            return
    groups.append((rule.window, [rule]))


def _quick_look(rule: Rule, kpi: Kpi | None) -> Callable[[Sums], bool]:
    """The KPI's value compared with the threshold, for KPIs that are plain sums over plain sums."""
    if kpi is None or any("<=" in term or ">" in term for term in kpi.numerator):
        return _always
    top_columns, n_columns, divisor, least_n = kpi.numerator, kpi.denominator, kpi.divisor, rule.least_n
    beyond, threshold = _BEYOND[rule.comparison], rule.threshold

    def look(sums: Sums) -> bool:
        top = n = 0
        for column in n_columns:
            n += sums.get(column, 0)
        if n < least_n:
            return False
        for column in top_columns:
            top += sums.get(column, 0)
        return beyond(top / (n * divisor if n_columns else divisor), threshold)

    return look


def _always(sums: Sums) -> bool:
    return True


def _delay_ms(rule: Rule) -> int:
    """The first whole millisecond whose seconds are beyond the threshold, as floats compare."""
    delay = max(floor(rule.threshold * 1000) - 1, 0)
    while not rule.breaches(delay / 1000):
        delay += 1
    return delay
