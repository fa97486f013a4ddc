"""
Which facts count for whom and when, for the oracle of the KPIs: straight from the records, by plain lists.

    records ── the revision that counts ── owner ── person, team, site / queue, client ── bucket of the local day
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Literal
from zoneinfo import ZoneInfo

from schemas.events import (
    ContactAbandoned,
    ContactAnswered,
    ContactFlowedOut,
    ContactHandled,
    ContactOffered,
    FloorEvent,
    ShiftPlanned,
    StateChanged,
    TicketChanged,
)
from schemas.registry import Floor
from tests.streams.kpi_oracle import Slice, Stretch
from tests.streams.oracle import Sent, counting, milliseconds

By = Literal["agent", "team", "queue", "client", "site"]
MINUTE = 60_000
GRACE = 2 * MINUTE
TTL = 12 * 3_600_000
_OF_QUEUES = (ContactOffered, ContactAnswered, ContactAbandoned, ContactFlowedOut, TicketChanged)
Spell = tuple[int, int, str, str]
"""(start, end, state, reason)."""


@dataclass
class Facts:
    """What counts, before anybody asks for whom."""

    events: list[FloorEvent] = field(default_factory=list)
    spells: dict[str, list[Spell]] = field(default_factory=dict)
    """Agent -> closed stretches of state, in order."""
    engaged: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    """Agent -> stretches with at least one contact in hand, apart from each other."""
    planned: dict[str, list[tuple[int, int, Stretch]]] = field(default_factory=dict)


def facts_of(log: Iterable[Sent], clock: int) -> Facts:
    """
    The facts of a log when the time is `clock`, a whole minute.

    A state that is still open counts only once it ended by TTL, and what is planned for later not yet.
    """
    current = counting(log)
    events = [sent.event for sent in current]
    found = Facts(events, _spells(current, clock), _engaged(events))
    plans: dict[str, list[Sent]] = defaultdict(list)
    for sent in current:
        if isinstance(sent.event, ShiftPlanned):
            plans[sent.event.agent].append(sent)
    for agent, shifts in plans.items():
        stretches = _stretches(shifts, found.spells.get(agent, []))
        found.planned[agent] = [(start, min(end, clock), what) for start, end, what in stretches if start < clock]
    return found


class Places:
    """Who and what belongs where, read from the registry's file as it stands."""

    def __init__(self, floor: Floor) -> None:
        """Nothing is looked up yet; answers are kept, as they are asked for again minute by minute."""
        self.floor = floor
        self._known: dict[tuple[By, str, int], str] = {}

    def groups(self, by: By, event: FloorEvent) -> list[str]:
        """The groups of a kind that an event counts for."""
        queue = getattr(event, "queue", None)
        is_of_queue = isinstance(event, _OF_QUEUES) or getattr(event, "agent", None) is None
        if is_of_queue:
            queue = queue or "unknown"
        if by in {"queue", "client"}:
            return [] if queue is None else [self.of_queue(by, queue)]
        if is_of_queue:
            return [self.of_queue(by, str(queue))] if by == "site" else []
        return [self.of_agent(by, str(getattr(event, "agent", "")), milliseconds(event.at))]

    def of_agent(self, by: By, agent: str, at: int) -> str:
        """Person, team or site of what an agent did in the minute of an instant."""
        minute = at // MINUTE * MINUTE
        known = self._known.get((by, agent, minute))
        if known is None:
            known = self._known[by, agent, minute] = self._asked(by, agent, minute)
        return known

    def _asked(self, by: By, agent: str, minute: int) -> str:
        person = self._person(agent)
        if by == "agent":
            return person
        team = self._team(person, minute)
        return team if by == "team" else self._site_of_team(team)

    def of_queue(self, by: By, queue: str) -> str:
        """The queue itself, its client or its site."""
        known = next((known for known in self.floor.queues if known.id == queue), None)
        if by == "queue":
            return queue
        if by == "client":
            return known.client if known else ""
        return known.site if known else "main"

    def _person(self, agent: str) -> str:
        known = [p.id for p in self.floor.people for a in p.aliases if f"{a.source}:{a.id}" == agent]
        return known[0] if known else agent

    def _team(self, person: str, minute: int) -> str:
        for known in self.floor.people:
            for spell in known.teams if known.id == person else []:
                begins = spell.valid_from is None or milliseconds(spell.valid_from) <= minute
                if begins and (spell.valid_to is None or minute < milliseconds(spell.valid_to)):
                    return spell.team
        return ""

    def _site_of_team(self, team: str) -> str:
        return next((known.site for known in self.floor.teams if known.id == team), "main")


def slices(
    facts: Facts, places: Places, by: By, bucket_of: Callable[[int], str | None]
) -> dict[tuple[str, str], Slice]:
    """(group, bucket) -> what happened there; `bucket_of` an instant is None outside of what is asked for."""
    found: dict[tuple[str, str], Slice] = defaultdict(Slice)
    for event in facts.events:
        bucket = bucket_of(milliseconds(event.at))
        for group in places.groups(by, event) if bucket is not None else []:
            found[group, bucket].events.append(event)  # type: ignore[index]
    if by not in {"queue", "client"}:
        _add_time(facts, places, by, bucket_of, found)
    return found


Cells = Callable[[str, int, int], Iterator[tuple[Slice, int]]]
"""(agent, start, end) -> the slices that a stretch of the agent's time falls into, with its ms in each."""


def _add_time(
    facts: Facts,
    places: Places,
    by: By,
    bucket_of: Callable[[int], str | None],
    found: dict[tuple[str, str], Slice],
) -> None:
    """Agents' time, minute by minute: it belongs to people, never to queues."""

    def cells(agent: str, start: int, end: int) -> Iterator[tuple[Slice, int]]:
        for at, ms in _minutes(start, end):
            bucket = bucket_of(at)
            if bucket is not None:
                yield found[places.of_agent(by, agent, at), bucket], ms

    _add_states(facts, cells)
    _add_engaged(facts, cells)
    _add_planned(facts, cells)


def _add_states(facts: Facts, cells: Cells) -> None:
    for agent, spells in facts.spells.items():
        for start, end, state, reason in spells:
            for cell, ms in cells(agent, start, end):
                cell.states.append((state, reason, ms))


def _add_engaged(facts: Facts, cells: Cells) -> None:
    for agent, times in facts.engaged.items():
        for start, end in times:
            for cell, ms in cells(agent, start, end):
                cell.engaged_ms += ms


def _add_planned(facts: Facts, cells: Cells) -> None:
    for agent, stretches in facts.planned.items():
        for start, end, stretch in stretches:
            for cell, ms in cells(agent, start, end):
                cell.planned.append(replace(stretch, ms=ms))


def buckets(zone: ZoneInfo, step_s: int, start: int, end: int) -> Callable[[int], str | None]:
    """
    The local start of the bucket of an instant of [start, end).

    Buckets go on in steps from local midnight as time passes; the day ends with the next local midnight.
    """
    edges: list[tuple[int, str]] = []
    day = datetime.fromtimestamp(start / 1000, zone).date()
    while (midnight := milliseconds(datetime(day.year, day.month, day.day, tzinfo=zone))) < end:
        following = day + timedelta(days=1)
        until = milliseconds(datetime(following.year, following.month, following.day, tzinfo=zone))
        at = midnight
        while at < until:
            edges.append((at, datetime.fromtimestamp(at / 1000, UTC).astimezone(zone).isoformat()))
            at = until if step_s == 86_400 else at + step_s * 1000
        day = following

    begins = [edge for edge, _ in edges]

    def bucket_of(at: int) -> str | None:
        return edges[bisect_right(begins, at) - 1][1] if start <= at < end else None

    return bucket_of


def _minutes(start: int, end: int) -> Iterator[tuple[int, int]]:
    """(start of a part, its ms) for each minute of a stretch."""
    while start < end:
        edge = min(end, (start // MINUTE + 1) * MINUTE)
        yield start, edge - start
        start = edge


def _spells(current: list[Sent], clock: int) -> dict[str, list[Spell]]:
    changes: dict[str, list[tuple[int, int, StateChanged]]] = defaultdict(list)
    for sent in current:
        if isinstance(sent.event, StateChanged):
            changes[sent.event.agent].append((milliseconds(sent.event.at), sent.offset, sent.event))
    found: dict[str, list[Spell]] = {}
    for agent, entered in changes.items():
        entered.sort(key=lambda change: change[:2])
        following = [at for at, _, _ in entered[1:]] + [None]
        spells = []
        for (at, _, event), next_at in zip(entered, following, strict=True):
            end = at + TTL if next_at is None else min(next_at, at + TTL)
            if event.state != "offline" and (next_at is not None or clock >= end):
                spells.append((at, end, str(event.state), event.reason or ""))
        found[agent] = [spell for spell in spells if spell[0] < spell[1]]
    return found


def _engaged(events: list[FloorEvent]) -> dict[str, list[tuple[int, int]]]:
    """The union of the contacts in hand, by counting who begins and who ends."""
    turns: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for event in events:
        if isinstance(event, ContactHandled) and event.agent is not None:
            end = milliseconds(event.at)
            start = max(milliseconds(event.started_at), end - TTL)
            if start < end:
                turns[event.agent] += [(start, 1), (end, -1)]
    found: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for agent, mine in turns.items():
        in_hand = since = 0
        for at, step in sorted(mine, key=lambda turn: (turn[0], -turn[1])):
            if in_hand == 0:
                since = at
            in_hand += step
            if in_hand == 0:
                found[agent].append((since, at))
    return found


def _stretches(shifts: list[Sent], spells: list[Spell]) -> Iterator[tuple[int, int, Stretch]]:
    """Planned time cut wherever the plan, the nearness of its edges or the state changes."""
    planned = _planned(shifts)
    for run in _without_gaps(planned):
        ends = {run[0][0], run[-1][1]}
        changes = {after[0] for before, after in pairwise(run) if before[2] != after[2]}
        cuts = {edge + step for edge in ends | changes for step in (-GRACE, GRACE)}
        cuts |= {instant for start, end, _, _ in spells for instant in (start, end)}
        for start, end, productive in run:
            for begins, until in pairwise(sorted({start, end, *(cut for cut in cuts if start < cut < end)})):
                state, reason = next(((s, r) for a, b, s, r in spells if a <= begins < b), ("offline", ""))
                zone = "e" if _is_near(begins, ends) else "g" if _is_near(begins, changes) else ""
                yield begins, until, Stretch(until - begins, productive, zone, state, reason)


def _planned(shifts: list[Sent]) -> list[tuple[int, int, bool]]:
    """(start, end, productive) of all planned time in order, asked instant by instant where anything may change."""
    plans = [(sent.offset, sent.event) for sent in shifts if isinstance(sent.event, ShiftPlanned)]
    edges = {edge for _, plan in plans for edge in (milliseconds(plan.at), *_edges(plan))}
    found = []
    for begins, until in pairwise(sorted(edges)):
        holding = [(offset, plan) for offset, plan in plans if milliseconds(plan.at) <= begins < max(_edges(plan))]
        if holding:
            _, plan = max(holding, key=lambda held: held[0])
            here = [a for a in plan.activities if milliseconds(a.starts_at) <= begins < milliseconds(a.ends_at)]
            if here:
                latest = max(here, key=lambda a: (a.starts_at, -milliseconds(a.ends_at)))
                found.append((begins, until, latest.productive))
    return found


def _edges(plan: ShiftPlanned) -> list[int]:
    """Where the activities of a plan begin and end."""
    return [milliseconds(at) for activity in plan.activities for at in (activity.starts_at, activity.ends_at)]


def _without_gaps(planned: list[tuple[int, int, bool]]) -> Iterator[list[tuple[int, int, bool]]]:
    """Shifts: planned time that is not interrupted."""
    run: list[tuple[int, int, bool]] = []
    for piece in planned:
        if run and run[-1][1] != piece[0]:
            yield run
            run = []
        run.append(piece)
    if run:
        yield run


def _is_near(at: int, edges: set[int]) -> bool:
    """Within the grace of an edge, before or after it."""
    return any(edge - GRACE <= at < edge + GRACE for edge in edges)
