"""Floors for property tests: what happened, and how the records of it came in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
    QualityScored,
    ShiftPlanned,
    StateChanged,
    SurveyAnswered,
    TaskTimed,
    TicketChanged,
    TicketWorked,
    encode,
)
from schemas.times import HOUR_MS, MINUTE_MS, from_ms
from streams.core.log import Item
from tests.streams.oracle import Sent

DAWN = 1_772_438_400_000
"""2026-03-02 08:00 UTC."""
DAYS_LATER = DAWN + 20 * 24 * HOUR_MS
STATES_AND_PLANS = (0, 0, -1)
ALL_KINDS = (0, 0, 0, 0, 1, 1, 1, -1, -1, -1, *range(2, 13))
"""How often each maker of `_event` has its turn: states, contacts handled and plans most often."""

_AGENTS = st.sampled_from(["a1", "a1", "a2"])
_QUEUES = st.sampled_from(["sales", "help"])
_SECONDS = st.sampled_from([0.0, 4.0, 5.001, 10.0, 59.5, 61.25, 600.0, 20_000.0])
_STATES: st.SearchStrategy[Any] = st.sampled_from(
    ["ready", "ringing", "on_contact", "hold", "wrap", "away", "away", "offline"]
)
_AT = st.one_of(
    st.integers(0, 3 * HOUR_MS),
    st.integers(0, 200).map(lambda minute: minute * MINUTE_MS),
    st.integers(0, 40 * HOUR_MS),
)
_DELAYS = st.sampled_from([0, 0, 0, 0, 0, 1_000, 20_000, 10 * MINUTE_MS, 100 * MINUTE_MS, 30 * HOUR_MS])
_AHEAD = st.sampled_from([0, 0, -90_000, -3 * HOUR_MS, -30 * HOUR_MS, 10 * MINUTE_MS, 5 * HOUR_MS, 30 * HOUR_MS])
"""Plans are told before their time, or late."""


@dataclass(frozen=True)
class Fact:
    """One record to be, with the delay after which it came in."""

    event: FloorEvent
    delay_ms: int
    content: int


@st.composite
def facts(
    draw: st.DrawFn,
    most: int = 30,
    steps: Sequence[int] = (0, 30_000, 2 * HOUR_MS),
    kinds: Sequence[int] = ALL_KINDS,
) -> list[Fact]:
    """
    What happened, each fact with the repeats, revisions, voids and conflicts that came of it.

    `steps`: by how much each revision of a fact may move its time.
    """
    told: list[Fact] = []
    for number in range(draw(st.integers(1, most))):
        event = draw(_event(f"f{number}", kinds))
        told.append(Fact(event, draw(_delays(event)), 1))
        told += draw(_afterwards(event, draw(st.sampled_from(steps))))
    return told


def in_log(told: list[Fact], *, event_clock: bool) -> list[Sent]:
    """The records in the order in which they came; under the event clock long after they happened."""
    order = sorted(told, key=lambda fact: _ms(fact) + fact.delay_ms)
    return [
        Sent(offset, DAYS_LATER if event_clock else _ms(fact) + fact.delay_ms, fact.event, fact.content)
        for offset, fact in enumerate(order)
    ]


def item_of(sent: Sent) -> Item:
    """The item that the engine gets."""
    return Item(sent.offset, sent.broker_ms, encode(sent.event), b"", sent.event, content=sent.content)


@st.composite
def _event(draw: st.DrawFn, name: str, kinds: Sequence[int]) -> FloorEvent:
    at_ms = DAWN + draw(_AT)
    base: dict[str, Any] = {"source": "acd", "id": name, "at": from_ms(at_ms)}
    base["clamped_s"] = draw(st.sampled_from([0.0, 0.0, 0.0, 1.5]))
    agent, queue = draw(_AGENTS), draw(_QUEUES)
    contact: dict[str, Any] = {"contact": f"c{name}", "channel": draw(st.sampled_from(["voice", "chat"]))}
    maybe_queue = draw(st.sampled_from([queue, None]))
    makers: list[Any] = [
        lambda: StateChanged(**base, agent=agent, state=draw(_STATES), reason=draw(st.sampled_from([None, "lunch"]))),
        lambda: _handled(draw, base | contact, at_ms, agent, maybe_queue),
        lambda: ContactOffered(**base, **contact, queue=queue),
        lambda: ContactAnswered(**base, **contact, queue=queue, agent=agent, waited_s=draw(_SECONDS)),
        lambda: ContactAbandoned(**base, **contact, queue=queue, waited_s=draw(_SECONDS)),
        lambda: ContactFlowedOut(**base, **contact, queue=queue, waited_s=draw(_SECONDS)),
        lambda: ContactAccepted(**base, **contact, queue=maybe_queue, agent=agent, rang_s=draw(_SECONDS)),
        lambda: ContactRejected(**base, **contact, queue=maybe_queue, agent=agent, rang_s=draw(_SECONDS)),
        lambda: QualityScored(
            **base, agent=agent, score=draw(st.sampled_from([0, 33.33, 100.0])), fatal=draw(st.booleans())
        ),
        lambda: TaskTimed(**base, agent=agent, task="sort", seconds=draw(_SECONDS), units=3),
        lambda: TicketChanged(**base, ticket="t", change=draw(_STEPS), queue=queue),
        lambda: TicketWorked(**base, ticket="t", change=draw(_STEPS), agent=agent, queue=maybe_queue),
        lambda: SurveyAnswered(**base, agent=agent, contact="c", csat=draw(_CSAT), nps=draw(_NPS), resolved=True),
        lambda: ShiftPlanned(**base | {"clamped_s": 0.0}, agent=agent, activities=draw(_activities(at_ms))),
    ]
    found: FloorEvent = makers[draw(st.sampled_from(kinds))]()
    return found


@st.composite
def _activities(draw: st.DrawFn, start: int) -> list[Activity]:
    """What is planned from an instant on: one after the other, with gaps, over one another, before it, far after it."""
    found, at = [], start
    for _ in range(draw(st.integers(1, 5))):
        at += draw(st.sampled_from([0, 0, 0, 0, 0, 30_500, 3 * MINUTE_MS, 2 * HOUR_MS, -7 * MINUTE_MS]))
        lasted = draw(_LENGTHS)
        found.append(
            Activity(
                activity="x", starts_at=from_ms(at), ends_at=from_ms(at + lasted), paid=draw(st.booleans()),
                productive=draw(st.booleans()),
            )
        )  # fmt: skip
        at += lasted
    return found


_LENGTHS: Any = st.sampled_from([20_250, 3 * MINUTE_MS, 5 * MINUTE_MS, 15 * MINUTE_MS, 100 * MINUTE_MS, 25 * HOUR_MS])
_STEPS: Any = st.sampled_from(["created", "assigned", "solved", "reopened", "breached"])
_CSAT = st.sampled_from([None, 3, 4])
_NPS = st.sampled_from([None, 6, 7, 9])


def _handled(draw: st.DrawFn, base: dict[str, Any], at_ms: int, agent: str, queue: str | None) -> ContactHandled:
    lasted = draw(st.sampled_from([-5_000, 0, 30_000, 90_500, 20 * MINUTE_MS, 3 * HOUR_MS, 13 * HOUR_MS]))
    return ContactHandled(
        **base,
        agent=draw(st.sampled_from([agent, agent, agent, None])),
        queue=queue,
        started_at=from_ms(at_ms - lasted),
        talk_s=draw(_SECONDS),
        hold_s=draw(_SECONDS),
        wrap_s=draw(_SECONDS),
        transferred=draw(st.booleans()),
    )


@st.composite
def _afterwards(draw: st.DrawFn, event: FloorEvent, step_ms: int) -> list[Fact]:
    """The same fact again: as it was, in another revision (moved in time, of another agent, void), in conflict."""
    again = []
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        kind = draw(st.sampled_from(["repeat", "revised", "revised", "void", "conflict"]))
        change: dict[str, Any] = {}
        if kind in {"revised", "void"}:
            change["revision"] = draw(st.integers(1, 3))
            change["void"] = kind == "void"
            change["at"] = from_ms(_event_ms(event) + change["revision"] * step_ms)
            if getattr(event, "agent", None) and draw(st.booleans()):
                change["agent"] = draw(_AGENTS)
            if isinstance(event, ShiftPlanned) and draw(st.booleans()):
                change["activities"] = draw(_activities(_event_ms(event)))
        content = {"repeat": 1, "conflict": 99}.get(kind, 10 + change.get("revision", 0))
        again.append(Fact(event.model_copy(update=change), draw(_delays(event)), content))
    return again


def _delays(event: FloorEvent) -> st.SearchStrategy[int]:
    return _AHEAD if isinstance(event, ShiftPlanned) else _DELAYS


def _ms(fact: Fact) -> int:
    return _event_ms(fact.event)


def _event_ms(event: FloorEvent) -> int:
    return round(event.at.timestamp() * 1000)
