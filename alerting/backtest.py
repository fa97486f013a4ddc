"""What rules would have told in a span of time, in figures: out of the alert steps of a replay."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from statistics import median
from zoneinfo import ZoneInfo

from schemas.alerts import Transition
from schemas.times import DAY_MS, day_of, day_start, to_ms

BRIEF_S = 120
"""An alert that is over sooner was over before anybody came."""

ZoneOf = Callable[[str], ZoneInfo]
"""The time zone of a site."""


@dataclass(frozen=True, slots=True)
class Span:
    """[from, to), epoch ms, and the zones whose days are meant."""

    from_ms: int
    to_ms: int
    zone_of: ZoneOf

    @property
    def days(self) -> float:
        """How many days of 24 hours it has."""
        return (self.to_ms - self.from_ms) / DAY_MS

    def holds(self, at_ms: int, day: date | None, site: str) -> bool:
        """Whether an alert that fired counts: by its instant, or by the start of the site day that it names."""
        counted_ms = day_start(day, self.zone_of(site)) if day else at_ms
        return self.from_ms <= counted_ms < self.to_ms


@dataclass(frozen=True, slots=True)
class Tally:
    """What one rule would have told."""

    rule: str
    alerts: int = 0
    subjects: int = 0
    """So many agents, queues, ... it fired for."""
    most_a_day: int = 0
    """In the site day with the most alerts."""
    most_to_a_team: int = 0
    """The same of the team with the most in one site day; alerts without a team count for none."""
    lasting: int = 0
    """Fired, and not over at the end."""
    brief: int = 0
    """Over within `BRIEF_S`."""
    median_s: float | None = None
    """From firing to the end, of those that are over; None for none."""


def tallies(rules: Sequence[str], steps: Iterable[Transition], span: Span) -> list[Tally]:
    """A tally of each rule, in their order, of the alerts that fired within the span."""
    episodes: dict[str, list[Transition]] = defaultdict(list)
    for step in steps:
        episodes[step.alert].append(step)
    fired: dict[str, list[list[Transition]]] = defaultdict(list)
    for episode in episodes.values():
        first = episode[0]
        if span.holds(to_ms(first.at), first.day, first.site):
            fired[first.rule].append(episode)
    return [_tally(rule, fired[rule], span) for rule in rules]


def _tally(rule: str, episodes: Sequence[Sequence[Transition]], span: Span) -> Tally:
    first = [episode[0] for episode in episodes]
    took = [(episode[-1].at - episode[0].at).total_seconds() for episode in episodes if episode[-1].state == "resolved"]
    days = [step.day or day_of(to_ms(step.at), span.zone_of(step.site)) for step in first]
    by_team = Counter((step.team, day) for step, day in zip(first, days, strict=True) if step.team)
    return Tally(
        rule,
        alerts=len(first),
        subjects=len({step.subject for step in first}),
        most_a_day=max(Counter(days).values(), default=0),
        most_to_a_team=max(by_team.values(), default=0),
        lasting=len(first) - len(took),
        brief=sum(seconds < BRIEF_S for seconds in took),
        median_s=median(took) if took else None,
    )
