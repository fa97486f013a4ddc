"""Floors for the oracle of the KPIs: two sites, a change of the clocks, and whatever goes wrong."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hypothesis import strategies as st

from schemas.events import (
    Activity,
    ContactAbandoned,
    ContactAccepted,
    ContactAnswered,
    ContactFlowedOut,
    ContactHandled,
    ContactOffered,
    ContactRejected,
    FloorEvent,
    QualityItem,
    QualityScored,
    ShiftPlanned,
    StateChanged,
    SurveyAnswered,
    TaskTimed,
    TicketChanged,
    TicketWorked,
)
from schemas.registry import Alias, Client, Floor, Membership, Person, Queue, ReasonCode, Site, Task, Team
from schemas.times import HOUR_MS, MINUTE_MS, from_ms, to_ms
from tests.streams.floors import Fact
from tests.streams.oracle import Sent

DAWNS = ("2026-03-28T19:00:00Z", "2026-10-24T18:00:00Z", "2026-03-02T08:00:00Z")
"""Berlin's clocks go on at 01:00 UTC on 2026-03-29 and back on 2026-10-25."""
_MOVED_AFTER_MS = 5 * HOUR_MS

_AGENTS: Any = st.sampled_from(["a1", "a1", "a2", "acd:77", "a3"])
_QUEUES: Any = st.sampled_from(["sales", "help", "walk-in"])
_MAYBE_QUEUE: Any = st.one_of(st.none(), _QUEUES)
_SECONDS: Any = st.sampled_from([0.0, 4.0, 5.0, 5.001, 10.0, 10.001, 20.0, 20.001, 59.5, 61.25, 600.0])
_PARTS: Any = st.sampled_from([0.0, 0.0, 4.0, 10.0, 61.25, 600.0, 14_400.0, 14_400.5, 20_000.0])
_STATES: Any = st.sampled_from(["ready", "ringing", "on_contact", "hold", "wrap", "away", "away", "away", "offline"])
_REASONS: Any = st.sampled_from([None, "lunch", "training", "break", "break/1:1", "training/alone", "nobody-knows"])
_STEPS: Any = st.sampled_from(["created", "assigned", "replied", "solved", "reopened", "breached"])
_ACTIVITIES: Any = st.sampled_from([("work", True, True), ("lunch", False, False), ("break", True, False)])
_CHANNELS: Any = st.sampled_from(["voice", "chat"])
_AT: Any = st.one_of(
    st.integers(0, 12 * HOUR_MS),
    st.integers(0, 500).map(lambda minute: minute * MINUTE_MS),
    st.integers(27 * HOUR_MS, 30 * HOUR_MS),
    st.integers(0, 40 * HOUR_MS),
)
_DELAYS: Any = st.sampled_from([0, 0, 0, 0, 1_000, 20_000, 10 * MINUTE_MS, 100 * MINUTE_MS, 30 * HOUR_MS])
_TOLD: Any = st.sampled_from([-14 * HOUR_MS, -MINUTE_MS, 0, 10 * MINUTE_MS, 30 * HOUR_MS])
"""Plans are told before or after they begin."""


@dataclass(frozen=True)
class Story:
    """A floor, and what happened there."""

    dawn: int
    floor: Floor
    told: list[Fact]
    patience_ms: int
    """How long after the last record the clock went on."""

    @property
    def end(self) -> int:
        """The whole minute up to which time goes."""
        last = max(to_ms(fact.event.at) + max(fact.delay_ms, 0) for fact in self.told)
        return (last // MINUTE_MS + 1) * MINUTE_MS + self.patience_ms

    def log(self, *, event_clock: bool) -> list[Sent]:
        """The records in the order in which they came; under the event clock long after they happened."""
        order = sorted(self.told, key=lambda fact: to_ms(fact.event.at) + fact.delay_ms)
        later = self.dawn + 20 * 24 * HOUR_MS
        return [
            Sent(offset, later if event_clock else to_ms(fact.event.at) + fact.delay_ms, fact.event, fact.content)
            for offset, fact in enumerate(order)
        ]


def floor_at(dawn: int) -> Floor:
    """a1 moves from Berlin to Kolkata five hours after dawn; a2 is `acd:77` too; a3 is in no team."""
    moved = from_ms(dawn + _MOVED_AFTER_MS)
    return Floor(
        sites=[Site(id="main", timezone="Europe/Berlin"), Site(id="blr", timezone="Asia/Kolkata")],
        clients=[Client(id="acme"), Client(id="bolt")],
        teams=[Team(id="t1"), Team(id="t2", site="blr")],
        queues=[Queue(id="sales", client="acme"), Queue(id="help", site="blr", client="bolt")],
        people=[
            Person(id="a1", teams=[Membership(team="t1", valid_to=moved), Membership(team="t2", valid_from=moved)]),
            Person(id="a2", aliases=[Alias(source="acd", id="77")], teams=[Membership(team="t2")]),
            Person(id="a3"),
        ],
        reason_codes=[
            ReasonCode(id="break"),
            ReasonCode(id="break/1:1", productive=True),
            ReasonCode(id="lunch", paid=False),
            ReasonCode(id="training", productive=True),
        ],
        tasks=[Task(id="sort", standard_s=20.5), Task(id="scan", standard_s=3)],
    )


@st.composite
def stories(draw: st.DrawFn, most: int = 20) -> Story:
    """A floor with what happened, each fact with the repeats, revisions, voids and conflicts that came of it."""
    dawn = to_ms(datetime.fromisoformat(draw(st.sampled_from(DAWNS))))
    told: list[Fact] = []
    for number in range(draw(st.integers(1, most))):
        event = draw(_events(f"f{number}", dawn + draw(_AT)))
        told.append(Fact(event, draw(_DELAYS), 1))
        told += draw(_afterwards(event))
    for agent in draw(st.sets(st.sampled_from(["a1", "a2"]))):
        shift = draw(_shifts(agent, dawn))
        told.append(Fact(shift, draw(_TOLD), 1))
        if draw(st.booleans()):
            told.append(Fact(draw(_aways(agent, to_ms(shift.at))), 0, 1))
        if draw(st.booleans()):
            told.append(Fact(draw(_shifts(agent, dawn, revision=1)), draw(_TOLD), 2))
        if draw(st.booleans()):
            told.append(Fact(draw(_shifts(agent, dawn, number=2)), draw(_TOLD), 3))
    return Story(dawn, floor_at(dawn), told, draw(st.sampled_from([0, 13 * HOUR_MS])))


@st.composite
def _events(draw: st.DrawFn, name: str, at_ms: int) -> FloorEvent:
    base: dict[str, Any] = {"source": "acd", "id": name, "at": from_ms(at_ms)}
    base["clamped_s"] = draw(st.sampled_from([0.0, 0.0, 0.0, 1.0]))
    contact: dict[str, Any] = {"contact": f"c{name}", "channel": draw(_CHANNELS)}
    kind = draw(st.sampled_from(["state"] * 5 + ["handled"] * 4 + ["queue"] * 4 + ["rang", "judged", "desk"]))
    if kind == "state":
        return StateChanged(**base, agent=draw(_AGENTS), state=draw(_STATES), reason=draw(_REASONS))
    if kind == "handled":
        return draw(_handled(base | contact, at_ms))
    makers = {"queue": _of_queue, "rang": _rang, "judged": _judged, "desk": _desk}
    return draw(makers[kind](base, contact))


@st.composite
def _handled(draw: st.DrawFn, base: dict[str, Any], at_ms: int) -> ContactHandled:
    lasted = draw(st.sampled_from([-5_000, 0, 30_000, 90_500, 20 * MINUTE_MS, 3 * HOUR_MS, 13 * HOUR_MS]))
    return ContactHandled(
        **base,
        agent=draw(st.one_of(st.none(), _AGENTS, _AGENTS, _AGENTS)),
        queue=draw(_MAYBE_QUEUE),
        started_at=from_ms(at_ms - lasted),
        talk_s=draw(_PARTS),
        hold_s=draw(_PARTS),
        wrap_s=draw(_PARTS),
        transferred=draw(st.booleans()),
    )


@st.composite
def _of_queue(draw: st.DrawFn, base: dict[str, Any], contact: dict[str, Any]) -> FloorEvent:
    fields: dict[str, Any] = {**base, **contact, "queue": draw(_QUEUES)}
    kind: Any = draw(st.sampled_from([ContactOffered, ContactAnswered, ContactAbandoned, ContactFlowedOut]))
    if kind is ContactOffered:
        return ContactOffered(**fields)
    agent = {"agent": draw(_AGENTS)} if kind is ContactAnswered else {}
    event: FloorEvent = kind(**fields, **agent, waited_s=draw(_SECONDS))
    return event


@st.composite
def _rang(draw: st.DrawFn, base: dict[str, Any], contact: dict[str, Any]) -> FloorEvent:
    kind: Any = draw(st.sampled_from([ContactAccepted, ContactRejected]))
    event: FloorEvent = kind(**base, **contact, agent=draw(_AGENTS), queue=draw(_MAYBE_QUEUE), rang_s=draw(_SECONDS))
    return event


@st.composite
def _judged(draw: st.DrawFn, base: dict[str, Any], _contact: dict[str, Any]) -> FloorEvent:
    fields: dict[str, Any] = {**base, "agent": draw(_AGENTS)}
    kind = draw(st.sampled_from(["score", "items", "survey"]))
    if kind == "score":
        return QualityScored(
            **fields, score=draw(st.sampled_from([0.0, 33.33, 84.5, 100.0])), fatal=draw(st.booleans())
        )
    if kind == "items":
        missed = draw(st.booleans())
        items = [
            QualityItem(item="greeting", weight=1.0, points=draw(st.sampled_from([None, 0.0, 1.0]))),
            QualityItem(item="solution", weight=3.0, points=draw(st.sampled_from([0.0, 3.0, 5.0])), most=5.0),
            QualityItem(item="privacy", weight=2.0, points=0.0 if missed else 1.0, fatal=missed),
        ]
        return QualityScored(**fields, items=items)
    return SurveyAnswered(
        **fields,
        contact="c",
        csat=draw(st.sampled_from([None, 1, 3, 4, 5])),
        nps=draw(st.sampled_from([None, 0, 6, 7, 8, 9, 10])),
        resolved=draw(st.sampled_from([None, True, False])),
    )


@st.composite
def _desk(draw: st.DrawFn, base: dict[str, Any], _contact: dict[str, Any]) -> FloorEvent:
    kind = draw(st.sampled_from(["task", "ticket", "worked"]))
    if kind == "task":
        task = draw(st.sampled_from(["sort", "scan", "no-standard"]))
        units = draw(st.sampled_from([0, 1, 7]))
        return TaskTimed(**base, agent=draw(_AGENTS), task=task, seconds=draw(_SECONDS), units=units)
    if kind == "ticket":
        return TicketChanged(**base, ticket="t", change=draw(_STEPS), queue=draw(_QUEUES))
    return TicketWorked(**base, ticket="t", change=draw(_STEPS), agent=draw(_AGENTS), queue=draw(_MAYBE_QUEUE))


@st.composite
def _shifts(draw: st.DrawFn, agent: str, dawn: int, number: int = 1, revision: int = 0) -> ShiftPlanned:
    """A shift of an agent: work, breaks, perhaps a gap; another revision changes it, another number overlaps it."""
    start = at = dawn + draw(st.integers(0, 60)) * MINUTE_MS
    activities: list[Activity] = []
    for _ in range(draw(st.integers(1, 4))):
        at += draw(st.sampled_from([0, 0, 0, 7 * MINUTE_MS])) if activities else 0
        lasts = draw(st.sampled_from([MINUTE_MS, 3 * MINUTE_MS, 15 * MINUTE_MS, 90 * MINUTE_MS, 400_500]))
        name, paid, productive = draw(
            st.sampled_from([("work", True, True), ("lunch", False, False), ("break", True, False)])
        )
        activities.append(
            Activity(
                activity=name, starts_at=from_ms(at), ends_at=from_ms(at + lasts), paid=paid, productive=productive
            )
        )
        at += lasts
    identity: dict[str, Any] = {"source": "wfm", "id": f"shift-{agent}-{number}", "revision": revision}
    return ShiftPlanned(**identity, at=from_ms(start), agent=agent, activities=activities)


@st.composite
def _aways(draw: st.DrawFn, agent: str, at_ms: int) -> StateChanged:
    """An agent is away from the start of a shift."""
    return StateChanged(
        source="acd", id=f"away-{agent}", at=from_ms(at_ms), agent=agent, state="away", reason=draw(_REASONS)
    )


@st.composite
def _afterwards(draw: st.DrawFn, event: FloorEvent) -> list[Fact]:
    """The same fact again: as it was, in another revision (moved in time, of another agent, void), in conflict."""
    again = []
    for _ in range(draw(st.sampled_from([0, 0, 0, 0, 1, 2]))):
        kind = draw(st.sampled_from(["repeat", "revised", "revised", "void", "conflict"]))
        change: dict[str, Any] = {}
        if kind in {"revised", "void"}:
            change["revision"] = draw(st.integers(1, 3))
            change["void"] = kind == "void"
            moved = change["revision"] * draw(st.sampled_from([0, 30_000, 2 * HOUR_MS]))
            change["at"] = from_ms(to_ms(event.at) + moved)
            if getattr(event, "agent", None) and draw(st.booleans()):
                change["agent"] = draw(_AGENTS)
        content = {"repeat": 1, "conflict": 99}.get(kind, 10 + change.get("revision", 0))
        again.append(Fact(event.model_copy(update=change), draw(_DELAYS), content))
    return again
