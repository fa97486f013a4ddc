"""
How a figure came about, read from ClickHouse: computed again from the raw events, and compared with the stored panes.

A running floor is read as of its checkpoints: a pane that a later flush has touched meanwhile is left out of the
comparison.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from schemas.events import FloorEvent, StateChanged
from schemas.kpi_model import Kpi, ratio
from schemas.kpi_terms import Limits, term_value
from schemas.panes import STATE_COLUMN, Sums
from schemas.registry import Registry
from schemas.times import MINUTE_MS, iso, minute_of, to_ms
from sinks.marks import Mark, read_marks
from sinks.raw import current_events_of
from sinks.revised import Buried, Correction, read_buried, read_corrections, read_unknown
from sinks.scope import Asked, Owners
from sinks.stored_panes import stored_panes
from streams.core.explained import STILL_OPEN, Fact, facts_of, lasted, totals
from streams.core.facts import CellKey, counted
from streams.core.panes import Pane, Panes, add_to
from streams.core.spans import TTL_MS
from streams.core.subject import REACH_MS, fold_all

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_SHOWN = 5
_OF_STATES = {*STATE_COLUMN.values(), "away_by_reason", "by_plan"}

Place = tuple[str, int, CellKey]
"""(subject, minute, cell) of a pane."""
IN_PART = "in part: the rest lies outside the range, or belongs to somebody else"


@dataclass(frozen=True, slots=True)
class Formula:
    """A KPI with all that its value depends on."""

    kpi: Kpi
    limits: Limits
    registry: Registry

    @property
    def terms(self) -> tuple[str, ...]:
        """Each term once."""
        return tuple(dict.fromkeys(self.kpi.numerator + self.kpi.denominator))

    def term(self, term: str, sums: Sums) -> int:
        """The sum that a term stands for."""
        return term_value(term, sums, self.limits, self.registry.codes)

    def adds(self, sums: Sums) -> tuple[int, int]:
        """What sums add to numerator and denominator."""
        top = sum(self.term(term, sums) for term in self.kpi.numerator)
        return top, sum(self.term(term, sums) for term in self.kpi.denominator)


@dataclass(frozen=True, slots=True)
class Listed:
    """What one fact adds."""

    subject: str
    fact: Fact
    top: int
    bottom: int
    note: str


@dataclass(frozen=True, slots=True)
class Excluded:
    """Something that does not count, and why."""

    why: str
    subject: str
    at_ms: int | None
    source: str
    id: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A term of a stored pane that is not as the raw events say."""

    where: str
    term: str
    expected: int
    found: int


@dataclass
class Explanation:
    """A figure with everything behind it."""

    asked: Asked
    formula: Formula
    sums: dict[str, int] = field(default_factory=dict)
    listed: list[Listed] = field(default_factory=list)
    excluded: list[Excluded] = field(default_factory=list)
    corrections: list[Correction] = field(default_factory=list)
    duplicates: dict[int, int] = field(default_factory=dict)
    """Partition -> duplicates dropped since the floor began: they are not kept one by one."""
    compared: int = 0
    """Stored panes that were compared."""
    disagreements: list[Disagreement] = field(default_factory=list)

    @property
    def parts(self) -> tuple[int, int]:
        """Numerator and denominator; the denominator of a plain sum is 0."""
        return self.formula.adds(self.sums)

    @property
    def n(self) -> int:
        """What is judged by: the denominator, or the sum itself where there is none."""
        top, bottom = self.parts
        return bottom if self.formula.kpi.denominator else top

    @property
    def value(self) -> float | None:
        """The figure; None where the denominator is 0 or less."""
        return ratio(self.formula.kpi, *self.parts)


def read_explanation(client: Client, asked: Asked, formula: Formula) -> Explanation:
    """Compute a figure from the raw events, and compare what it needs with the stored panes."""
    owners = Owners(formula.registry, asked)
    marks = read_marks(client)
    limits = {number: mark.limit for number, mark in marks.items()}
    start, stop = asked.from_ms - REACH_MS, asked.to_ms + TTL_MS
    explanation = Explanation(asked, formula)
    folded: dict[str, tuple[Panes, Mark]] = {}
    for subject, (partition, events) in current_events_of(client, owners.where(), start, stop, limits).items():
        mark = marks[partition]
        panes = fold_all(events, mark.clock_ms)
        folded[subject] = (panes, mark)
        add_to(explanation.sums, totals(panes, owners.scope(subject)))
        _list(explanation, owners, subject, facts_of(events, mark.clock_ms))
        explanation.duplicates[partition] = mark.duplicates
    _add_revised(client, explanation, owners)
    _add_uncounted(client, explanation, owners)
    _compare(client, explanation, owners, folded)
    explanation.listed.sort(key=lambda item: (item.fact.start_ms, item.subject, item.fact.event.id))
    return explanation


def _list(explanation: Explanation, owners: Owners, subject: str, facts: Iterable[Fact]) -> None:
    formula, scope, asked = explanation.formula, owners.scope(subject), explanation.asked
    elsewhere = 0
    for fact in facts:
        inside = fact.sums(scope)
        mine, all_of_it = formula.adds(inside), formula.adds(fact.sums(lambda _minute, _cell: True))
        if mine != (0, 0):
            note = fact.note or (IN_PART if mine != all_of_it else "")
            explanation.listed.append(Listed(subject, fact, *mine, note))
            explanation.excluded += _capped(subject, fact, inside)
        elif all_of_it != (0, 0):
            explanation.excluded += _later(asked, subject, fact)
            elsewhere += asked.kind != "queue" and asked.holds(minute_of(fact.start_ms))
        elif fact.note == STILL_OPEN:
            explanation.excluded += _open(explanation, subject, fact)
    if elsewhere:
        detail = f"{elsewhere} facts of the range"
        explanation.excluded.append(Excluded(owners.why_not(subject), subject, None, "", "", detail))


def _capped(subject: str, fact: Fact, sums: Sums) -> Iterator[Excluded]:
    cut = sums.get("capped_ms", 0)
    if cut:
        event = fact.event
        detail = f"{cut:,} ms of talk, hold or wrap beyond 4 h"
        yield Excluded("capped", subject, fact.start_ms, event.source, event.id, detail)


def _later(asked: Asked, subject: str, fact: Fact) -> Iterator[Excluded]:
    """What began before the end of the range and counts after it."""
    began, ended = lasted(fact.event)
    if fact.kind == "event" and began < asked.to_ms <= ended:
        detail = f"began {iso(began)}, counts where it ended"
        yield Excluded("ended after the range", subject, ended, fact.event.source, fact.event.id, detail)


def _open(explanation: Explanation, subject: str, fact: Fact) -> Iterator[Excluded]:
    """A state that is not over yet, where its time would count."""
    event, columns = fact.event, explanation.formula.kpi.columns
    needed = isinstance(event, StateChanged) and STATE_COLUMN.get(event.state) in columns
    if (needed or "by_plan" in columns) and fact.start_ms < explanation.asked.to_ms:
        yield Excluded("not over yet", subject, fact.start_ms, event.source, event.id, STILL_OPEN)


def _add_revised(client: Client, explanation: Explanation, owners: Owners) -> None:
    formula = explanation.formula

    def adds(subject: str, event: FloorEvent) -> tuple[int, int]:
        found = counted(event)
        is_mine = owners.scope(subject)(minute_of(to_ms(event.at)), found.cell)
        return formula.adds(found.sums) if is_mine else (0, 0)

    steps = read_corrections(client, owners.where(), explanation.asked, adds)
    explanation.corrections = [step for step in steps if _matters(step, formula.kpi)]
    for step in explanation.corrections:
        why = f"{'taken back' if step.void else 'replaced'} by revision {step.by}"
        came = f"; revision {step.by} is of ingest {step.ingest}" if step.ingest else ""
        detail = f"revision {step.replaced} of a {step.type}{came}"
        explanation.excluded.append(Excluded(why, "", step.happened_ms, step.source, step.id, detail))


def _matters(step: Correction, kpi: Kpi) -> bool:
    """True when a correction could change the figure: by its own counters, or by the time that it moved."""
    if step.before != (0, 0) or step.after != (0, 0):
        return True
    of_time = {"contact_handled": {"engaged_ms"}, "state_changed": _OF_STATES, "shift_planned": {"by_plan"}}
    return not kpi.columns.isdisjoint(of_time.get(step.type, ()))


def _add_uncounted(client: Client, explanation: Explanation, owners: Owners) -> None:
    asked = explanation.asked
    queue = asked.id if asked.kind == "queue" else ""
    explanation.excluded += map(_dead, read_buried(client, owners.names, queue, asked))
    unknown = [] if queue else read_unknown(client, asked, owners.is_known)
    if unknown:
        detail = "ids that nobody has: " + ", ".join(unknown[:_SHOWN]) + (", ..." if len(unknown) > _SHOWN else "")
        explanation.excluded.append(Excluded("unmapped", "", None, "", "", detail))


def _dead(letter: Buried) -> Excluded:
    detail = letter.detail if letter.at_ms is not None else f"{letter.detail} (its time is not known)"
    return Excluded(f"dead letter: {letter.reason}", "", letter.at_ms, "", letter.place, detail)


def _compare(client: Client, explanation: Explanation, owners: Owners, folded: dict[str, tuple[Panes, Mark]]) -> None:
    stored = _stored(client, explanation.asked, owners)
    wanted = {
        (subject, minute, cell): pane
        for subject, (panes, _) in folded.items()
        for minute, cells in panes.minutes.items()
        for cell, pane in cells.items()
    }
    for place in sorted(wanted.keys() | stored.keys()):
        subject, minute, cell = place
        if not owners.scope(subject)(minute, cell):
            continue
        found = stored.get(place, Pane())
        if subject in folded and found.version > folded[subject][1].limit:
            continue
        explanation.compared += place in stored
        explanation.disagreements += _disagreements(explanation.formula, place, wanted.get(place, Pane()), found)


def _disagreements(formula: Formula, place: Place, expected: Pane, found: Pane) -> Iterator[Disagreement]:
    subject, minute, cell = place
    for term in formula.terms:
        wanted, stored = formula.term(term, expected.sums), formula.term(term, found.sums)
        if wanted != stored:
            where = f"{subject} {iso(minute * MINUTE_MS)} {cell[0] or '-'}/{cell[1] or '-'}"
            yield Disagreement(where, term, wanted, stored)


def _stored(client: Client, asked: Asked, owners: Owners) -> dict[Place, Pane]:
    span = "minute >= toDateTime({start:Int64}) AND minute < toDateTime({stop:Int64})"
    parameters = {"start": asked.from_ms // 1000, "stop": asked.to_ms // 1000, "names": owners.names, "queue": asked.id}
    if asked.kind != "queue":
        panes = stored_panes(client, "agent", f"agent IN {{names:Array(String)}} AND {span}", parameters)
    else:
        where = f"queue = {{queue:String}} AND {span}"
        panes = stored_panes(client, "agent", where, parameters) + stored_panes(client, "queue", where, parameters)
    return {(subject, minute, cell): pane for subject, minute, cell, pane in panes}
