"""The rules of one hop, sorted so that judging a subject looks only at what concerns it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import floor
from operator import ge, gt, le, lt
from typing import Literal

from alerting.rules import Rule, RuleSet
from alerting.states import Pace
from schemas.alerts import Look, SubjectKind, Window
from schemas.kpi_terms import DEFAULT_LIMITS, Codes, Limits
from schemas.kpis import DEFAULT_VARIANT, KPIS, SERVICE_LEVEL_VARIANTS, Kpi, parts, ratio, service_level
from schemas.panes import ABANDONED_WITHIN, ANSWERED_WITHIN, COLUMNS, MAPS, Sums
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

    def measure(self, sums: Sums, kpi: Kpi, limits: Limits, codes: Codes) -> Measure:
        """Value and n of a KPI over sums."""
        top, n = parts(kpi, sums, limits, codes)
        return (ratio(kpi, top, n), n) if n >= self.least_n else (None, n)


class OfWindow:
    """The rules of one kind of subject on one window."""

    def __init__(self, rule: Planned) -> None:
        """The first of them."""
        self.window = rule.window
        self.rules: list[Planned] = []
        self.look = Look(rule.window)
        self.add(rule)

    def add(self, rule: Planned) -> None:
        """Another one; the look is widened."""
        self.rules.append(rule)
        keys = keys_of(rule.kpi) if rule.kpi else set()
        self.look = Look(
            self.window,
            self.look.columns | {key for key in keys if not key.endswith(":")},
            tuple(sorted({*self.look.prefixes, *(key for key in keys if key.endswith(":"))})),
            self.look.states | ({rule.rule.state} if rule.rule.state is not None else set()),
        )


class Levels:
    """The service level that a rule means for a subject: what the rule says, else the contract of the queue."""

    def __init__(self, registry: Registry) -> None:
        """Contracts are those of one revision of the registry."""
        self._registry = registry
        self._known: dict[tuple[str, str], tuple[Kpi, Limits]] = {}

    def of(self, planned: Planned, subject: str) -> tuple[Kpi, Limits]:
        """The KPI and its limits T and S."""
        key = (planned.id, subject)
        if key not in self._known:
            self._known[key] = self._look_up(planned.rule, subject)
        return self._known[key]

    def _look_up(self, rule: Rule, subject: str) -> tuple[Kpi, Limits]:
        kind, _, id_ = subject.partition(":")
        queue = self._registry.queues.get(id_) if kind == "queue" else None
        variant = queue.service_level.variant if queue else DEFAULT_VARIANT
        limits = queue.service_level.limits if queue else DEFAULT_LIMITS
        limits = replace(limits, threshold_s=rule.threshold_s or limits.threshold_s)
        return service_level(rule.variant or variant), limits


_COLUMNS = frozenset(column.name for column in COLUMNS)
_OF_QUEUES_ALONE = frozenset(column.name for column in COLUMNS if column.owner == "queue")
"""What the queue's own panes hold whole: its agents add nothing to it."""


class Plan:
    """The rules of one hop by kind of subject, and by window within it."""

    def __init__(self, ruleset: RuleSet, hop: Hop) -> None:
        """Sort the rules that this hop judges; the others are known by their version only."""
        self.versions = {rule.id: rule.version() for rule in ruleset.rules}
        self.running: dict[str, list[OfWindow]] = {}
        self.days: dict[str, list[OfWindow]] = {}
        for rule in ruleset.rules:
            if hop_of(rule) == hop:
                kinds = self.days if rule.window.kind == "days" else self.running
                _add(kinds.setdefault(rule.subject, []), planned(rule))

    def windows(self, kind: SubjectKind) -> frozenset[Window]:
        """The windows with sums that the rules of a kind look at."""
        groups = self.running.get(kind, []) + self.days.get(kind, [])
        return frozenset(group.window for group in groups if group.window.kind != "now")


_KEYS = {"answered": ANSWERED_WITHIN, "abandoned": ABANDONED_WITHIN}


def keys_of(kpi: Kpi) -> set[str]:
    """The keys of sums that a KPI reads; one that ends with a colon stands for all keys that begin so."""
    forms = [kpi]
    if kpi.id == "service_level":  # the contract of a queue says which form of it is meant
        forms = [service_level(variant) for variant in SERVICE_LEVEL_VARIANTS]
    found: set[str] = set()
    for column in {column for form in forms for column in form.columns}:
        found |= {column, *_KEYS.get(column, ())} if column not in MAPS else {MAPS[column][0]}
    return found


def hop_of(rule: Rule) -> Hop:
    """1: the owner of the subject's events judges it; 2: the sums of many subjects are needed."""
    if rule.subject == "agent" or rule.is_live:
        return 1
    return 1 if rule.subject == "queue" and KPIS[rule.kpi].columns <= _OF_QUEUES_ALONE else 2


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


def _add(groups: list[OfWindow], rule: Planned) -> None:
    for group in groups:
        if group.window == rule.window:
            group.add(rule)
            return
    groups.append(OfWindow(rule))


def _quick_look(rule: Rule, kpi: Kpi | None) -> Callable[[Sums], bool]:
    """The KPI's value compared with the threshold, for KPIs that are plain sums over plain sums."""
    if kpi is None or not is_plain(kpi):
        return _always
    top_columns, n_columns, least_n = kpi.numerator, kpi.denominator, rule.least_n
    times, divisor = kpi.times, kpi.divisor
    beyond, threshold = _BEYOND[rule.comparison], rule.threshold

    def look(sums: Sums) -> bool:
        top = n = 0
        for column in n_columns:
            n += sums.get(column, 0)
        if n < least_n or (n_columns and not n):
            return False
        for column in top_columns:
            top += sums.get(column, 0)
        return beyond(top * times / (n * divisor if n_columns else divisor), threshold)

    return look


def is_plain(kpi: Kpi) -> bool:
    """True when every term is a column that is added."""
    return all(term in _COLUMNS for term in kpi.numerator + kpi.denominator)


def _always(sums: Sums) -> bool:
    return True


def _delay_ms(rule: Rule) -> int:
    """The first whole millisecond whose seconds are beyond the threshold, as floats compare."""
    delay = max(floor(rule.threshold * 1000) - 1, 0)
    while not rule.breaches(delay / 1000):
        delay += 1
    return delay
