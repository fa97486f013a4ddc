"""What a demo found, as pure values: the planted problems against the alerts, and the summary in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass

from floorpulse.web.formats import count
from sources.readers.simulator.roster import Planted

Fired = tuple[str, str]
"""(subject, rule) of an alert."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What the store holds at the end."""

    events: int
    dead_letters: int
    panes: int
    windows: int
    alerts: Mapping[str, int]
    """Rule -> alerts that fired."""
    cases: Mapping[str, int]
    """What they opened -> records."""
    fired: Set[Fired]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What `reconcile` said."""

    panes: int
    events: int
    differences: int


@dataclass(frozen=True, slots=True)
class Summary:
    """The outcome of a whole demo; `phases` are (name, seconds)."""

    sent: int
    figures: Figures
    comparison: Comparison
    found: tuple[Planted, ...]
    missed: tuple[Planted, ...]
    phases: tuple[tuple[str, float], ...]

    @property
    def is_good(self) -> bool:
        """True when nothing planted was missed and every number could be proved."""
        return not self.missed and not self.comparison.differences

    def lines(self) -> list[str]:
        """The summary for a person."""
        figures, compared = self.figures, self.comparison
        planted = len(self.found) + len(self.missed)
        rows = [
            ("events", f"{self.sent:,} sent, {figures.events:,} stored, {figures.dead_letters:,} dead letters"),
            ("windows", f"{figures.windows:,} rolling windows over {figures.panes:,} minute panes"),
            ("alerts", _tally(figures.alerts)),
            ("cases", _tally(figures.cases)),
            ("planted", f"{count(planted, 'problem', 'problems')}, {len(self.found)} found, {len(self.missed)} missed"),
            *(("", f"found: {problem}") for problem in self.found),
            *(("", f"MISSED: {problem}") for problem in self.missed),
            (
                "reconcile",
                f"{count(compared.differences, 'difference', 'differences')} in {compared.panes:,} panes "
                f"out of {compared.events:,} events",
            ),
            ("time", _times(self.phases)),
        ]
        return [f"{name:<10}{text}" for name, text in rows]


def sort_planted(planted: Iterable[Planted], fired: Set[Fired]) -> tuple[tuple[Planted, ...], tuple[Planted, ...]]:
    """The planted problems that were found, and those that were missed: by their subject and rule."""
    problems = list(planted)
    found = tuple(problem for problem in problems if (problem.subject, problem.rule) in fired)
    return found, tuple(problem for problem in problems if problem not in found)


def _tally(counts: Mapping[str, int]) -> str:
    """`7: a 4, b 3`, the most frequent first."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    named = ", ".join(f"{name} {number:,}" for name, number in ordered)
    total = f"{sum(counts.values()):,}"
    return f"{total}: {named}" if named else total


def _times(phases: Iterable[tuple[str, float]]) -> str:
    spent = list(phases)
    parts = ", ".join(f"{name} {seconds:.1f}" for name, seconds in spent)
    return f"{sum(seconds for _, seconds in spent):.1f} s ({parts})"
