"""Floors for the oracle of single facts: contacts that wait, come again or are lost; tickets that are reopened."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from hypothesis import strategies as st

from schemas.events import (
    ContactAbandoned,
    ContactAnswered,
    ContactFlowedOut,
    ContactOffered,
    FloorEvent,
    TicketChanged,
    TicketStep,
    TicketWorked,
)
from schemas.registry import Client, Floor, Hours, Queue, Site
from schemas.times import HOUR_MS, MINUTE_MS, from_ms, to_ms
from tests.streams.floors import Fact
from tests.streams.kpi_floors import Story

DAWNS = ("2026-03-27T07:00:00Z", "2026-10-23T07:00:00Z", "2026-03-02T07:00:00Z")
"""Two of them a Friday before the clocks change in Berlin."""
FLOOR = Floor(
    sites=[Site(id="main", timezone="Europe/Berlin", holidays=[date(2026, 3, 30)])],
    clients=[Client(id="acme"), Client(id="bolt")],
    queues=[
        Queue(
            id="sales", client="acme", hours=[Hours(days=["mon", "tue", "fri", "sun"], opens="08:30", closes="18:00")]
        ),
        Queue(id="help", client="acme"),
        Queue(
            id="bills",
            client="bolt",
            hours=[
                Hours(days=["mon", "fri"], closes="12:00"),
                Hours(days=["mon", "fri"], opens="11:00", closes="24:00"),
            ],
        ),
    ],
)
_STEPS: Any = st.sampled_from(["assigned", "replied", "solved", "reopened", "breached"])
_QUEUES: Any = st.sampled_from(["sales", "help", "bills"])
_DELAYS: Any = st.sampled_from([0, 0, 0, 0, 20_000, 100 * MINUTE_MS, 30 * HOUR_MS])
_GAPS: Any = st.one_of(st.integers(1, 10 * MINUTE_MS), st.integers(1, 40 * HOUR_MS))
_AFTER: Any = st.one_of(st.integers(0, 5 * HOUR_MS), st.integers(0, 80 * HOUR_MS))


@st.composite
def desks(draw: st.DrawFn) -> Story:
    """What happened at a floor in three or four days, with repeats, revisions that take facts back, and late news."""
    dawn = to_ms(datetime.fromisoformat(draw(st.sampled_from(DAWNS))))
    told: list[Fact] = []
    for number in range(draw(st.integers(1, 8))):
        for event in draw(_contacts(f"c{number}", dawn + draw(_AFTER))):
            told += draw(_telling(event))
    for number in range(draw(st.integers(0, 4))):
        for event in draw(_tickets(f"t{number}", dawn + draw(_AFTER))):
            told += [Fact(event, draw(_DELAYS), 1)]
    return Story(dawn, FLOOR, told, draw(st.sampled_from([0, 30 * HOUR_MS])))


@st.composite
def _contacts(draw: st.DrawFn, contact: str, at: int) -> list[FloorEvent]:
    """One contact in one queue or two: offered, and what became of it, if anybody knows."""
    found: list[FloorEvent] = []
    customer = draw(st.sampled_from([None, "eva", "eva", "tom"]))
    for leg, queue in enumerate(draw(st.lists(_QUEUES, min_size=1, max_size=2, unique=True))):
        base: dict[str, Any] = {"source": "acd", "id": f"{contact}-{leg}", "contact": contact, "queue": queue}
        found.append(ContactOffered(**base, at=from_ms(at), customer=customer))
        waited = draw(_GAPS)
        left: dict[str, Any] = {**base, "at": from_ms(at + waited), "waited_s": waited / 1000}
        kind: Any = draw(st.sampled_from([ContactAnswered, ContactAbandoned, ContactFlowedOut, None]))
        if kind is not None:
            found.append(kind(**left))
        at += waited + draw(_GAPS)
    return found


@st.composite
def _tickets(draw: st.DrawFn, ticket: str, at: int) -> list[FloorEvent]:
    """A ticket from its creation on, each step said by its queue and some by an agent."""
    queue = draw(_QUEUES)
    steps: list[TicketStep] = ["created", *draw(st.lists(_STEPS, max_size=5))]
    found: list[FloorEvent] = []
    for number, change in enumerate(steps):
        base: dict[str, Any] = {"source": "desk", "id": f"{ticket}-{number}", "at": from_ms(at), "ticket": ticket}
        found.append(TicketChanged(**base, change=change, queue=queue))
        if draw(st.booleans()):
            found.append(TicketWorked(**base, change=change, agent="a1", queue=queue))
        at += draw(_GAPS)
        queue = draw(st.sampled_from([queue, queue, queue, "help"]))
    return found


@st.composite
def _telling(draw: st.DrawFn, event: FloorEvent) -> list[Fact]:
    """How a fact is told: once, twice, or taken back later."""
    once = Fact(event, draw(_DELAYS), 1)
    how = draw(st.sampled_from(["once", "once", "once", "twice", "void"]))
    if how == "once":
        return [once]
    again = event if how == "twice" else event.model_copy(update={"revision": 1, "void": True})
    return [once, Fact(again, draw(_DELAYS), 1 if how == "twice" else 2)]
