"""The events of the simulated floor, made out of what its simulation knows."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.events import (
    Activity,
    ContactAbandoned,
    ContactAccepted,
    ContactAnswered,
    ContactHandled,
    ContactOffered,
    ContactRejected,
    QualityScored,
    ShiftPlanned,
    State,
    StateChanged,
    SurveyAnswered,
    TicketChanged,
    TicketStep,
    TicketWorked,
)
from schemas.times import from_ms


@dataclass(slots=True)
class Call:
    """One call from its arrival to the end of its wrap; instants in epoch ms, durations in ms."""

    id: str
    queue: str
    arrived_ms: int
    answered_ms: int = 0
    talk_ms: int = 0
    hold_ms: int = 0
    wrap_ms: int = 0
    is_waiting: bool = True


class Facts:
    """Makes events of one source; ids are unique to a run of the simulator, by its `prefix`."""

    def __init__(self, source: str, prefix: str) -> None:
        self._source = source
        self._prefix = prefix
        self._count = 0

    def next_id(self) -> str:
        """A fresh id."""
        self._count += 1
        return f"{self._prefix}-{self._count}"

    def offered(self, call: Call) -> ContactOffered:
        """The call entered its queue."""
        return ContactOffered(
            source=self._source, id=call.id, at=from_ms(call.arrived_ms), contact=call.id, queue=call.queue
        )

    def answered(self, call: Call, agent: str, now: int) -> ContactAnswered:
        """The call left its queue for an agent."""
        waited_s = (now - call.arrived_ms) / 1000
        return ContactAnswered(
            source=self._source,
            id=call.id,
            at=from_ms(now),
            contact=call.id,
            queue=call.queue,
            agent=agent,
            waited_s=waited_s,
        )

    def abandoned(self, call: Call, now: int) -> ContactAbandoned:
        """The customer gave up."""
        waited_s = (now - call.arrived_ms) / 1000
        return ContactAbandoned(
            source=self._source, id=call.id, at=from_ms(now), contact=call.id, queue=call.queue, waited_s=waited_s
        )

    def accepted(self, call: Call, agent: str, now: int, rang_ms: int) -> ContactAccepted:
        """The agent took the call."""
        return ContactAccepted(
            source=self._source,
            id=call.id,
            at=from_ms(now),
            contact=call.id,
            agent=agent,
            queue=call.queue,
            rang_s=rang_ms / 1000,
        )

    def rejected(self, call: Call, agent: str, now: int, rang_ms: int) -> ContactRejected:
        """The agent did not take the call."""
        return ContactRejected(
            source=self._source,
            id=self.next_id(),
            at=from_ms(now),
            contact=call.id,
            agent=agent,
            queue=call.queue,
            rang_s=rang_ms / 1000,
        )

    def handled(self, call: Call, agent: str, now: int, *, transferred: bool) -> ContactHandled:
        """The call is finished, wrap included."""
        return ContactHandled(
            source=self._source,
            id=call.id,
            at=from_ms(now),
            contact=call.id,
            agent=agent,
            queue=call.queue,
            started_at=from_ms(call.answered_ms),
            waited_s=(call.answered_ms - call.arrived_ms) / 1000,
            talk_s=call.talk_ms / 1000,
            hold_s=call.hold_ms / 1000,
            wrap_s=call.wrap_ms / 1000,
            transferred=transferred,
        )

    def state(self, agent: str, state: State, now: int, reason: str | None = None) -> StateChanged:
        """The agent entered a state."""
        return StateChanged(
            source=self._source, id=self.next_id(), at=from_ms(now), agent=agent, state=state, reason=reason
        )

    def scored(self, call: Call, agent: str, now: int, score: float, *, fatal: bool) -> QualityScored:
        """Somebody evaluated the call."""
        return QualityScored(
            source=self._source,
            id=f"{call.id}-qa",
            at=from_ms(now),
            agent=agent,
            contact=call.id,
            score=0.0 if fatal else score,
            fatal=fatal,
        )

    def surveyed(self, call: Call, agent: str, now: int, csat: int) -> SurveyAnswered:
        """The customer answered a survey."""
        return SurveyAnswered(
            source=self._source,
            id=call.id,
            at=from_ms(now),
            agent=agent,
            contact=call.id,
            csat=csat,
            resolved=csat >= 3,
        )

    def ticket(self, call: Call, agent: str, now: int, step: TicketStep) -> tuple[TicketChanged, TicketWorked]:
        """A ticket of the call made a step: for its queue, and for the agent who did it."""
        ticket, fact = f"ticket-{call.id}", f"{call.id}-{step}"
        changed = TicketChanged(
            source=self._source, id=fact, at=from_ms(now), ticket=ticket, change=step, queue=call.queue
        )
        worked = TicketWorked(
            source=self._source, id=fact, at=from_ms(now), ticket=ticket, change=step, agent=agent, queue=call.queue
        )
        return changed, worked

    def shift(self, agent: str, start: int, end: int, pauses: list[tuple[int, int, str]]) -> ShiftPlanned:
        """The plan of a shift: its breaks and lunch, and work for the rest."""
        activities, place = [], start
        for offset, length, reason in pauses:
            begins, ends = max(place, start + offset), start + offset + length
            if reason == "short_break" or begins >= min(ends, end):
                continue
            if begins > place:
                activities.append(Activity(activity="work", starts_at=from_ms(place), ends_at=from_ms(begins)))
            paid = reason != "lunch"
            activities.append(
                Activity(activity=reason, starts_at=from_ms(begins), ends_at=from_ms(ends), paid=paid, productive=False)
            )
            place = ends
        if place < end:
            activities.append(Activity(activity="work", starts_at=from_ms(place), ends_at=from_ms(end)))
        return ShiftPlanned(
            source=self._source, id=self.next_id(), at=from_ms(start), agent=agent, activities=activities
        )
