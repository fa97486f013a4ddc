"""The simulation: calls that wait, agents that take them, in the order of time."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count

from schemas.events import FloorEvent, State
from schemas.registry import Floor
from schemas.times import HOUR_MS, MINUTE_MS
from sources.readers.simulator.chance import NOT_TAKEN_RING_MS, Chance
from sources.readers.simulator.facts import Call, Facts
from sources.readers.simulator.roster import Planted, Seat, floor_of, plant, seats
from sources.readers.simulator.spec import BUSIEST, FloorSpec, load_at

_FALLING_FACTOR = 2.0
_SHORT_CALL_SHARE = 0.35
_BETWEEN_SHIFTS_MS = 10 * MINUTE_MS
_ONCE_PER_MS = 60_000

Step = Callable[[], None]


@dataclass(slots=True)
class _Agent:
    """An agent at work. `turn` counts how often they became ready: an older place in the line is void."""

    seat: Seat
    state: State = "offline"
    turn: int = 0
    place: float = 0.0
    """Place in the plan of breaks of the queue, 0 to 1."""
    shift_end: int = 0
    pauses: deque[tuple[int, int, str]] = field(default_factory=deque)
    short_call_share: float = 0.0
    fatal_from: int | None = None


@dataclass(slots=True)
class _Line:
    """A queue: calls that wait, agents that are ready, the longest first."""

    id: str
    per_hour: float
    calls: deque[Call] = field(default_factory=deque)
    ready: deque[tuple[_Agent, int]] = field(default_factory=deque)


class Simulator:
    """A seeded floor. The same spec, seed and start make the same events."""

    def __init__(self, spec: FloorSpec, seed: int) -> None:
        self.spec = spec
        self.seed = seed

    def floor(self) -> Floor:
        """The registry of the floor, to be applied before its events come."""
        return floor_of(self.spec)

    def planted(self, start_ms: int) -> list[Planted]:
        """The problems in the events that begin at `start_ms`."""
        return plant(self.spec, start_ms)

    def events(self, start_ms: int, hours: float | None = None) -> Iterator[FloorEvent]:
        """Events in the order of time from `start_ms` on; `hours` None: without end."""
        return _Run(self.spec, self.seed, start_ms).events(hours)


class _Run:
    """One run of the simulation from its start."""

    def __init__(self, spec: FloorSpec, seed: int, start_ms: int) -> None:
        self._spec = spec
        self._start = start_ms
        self._now = start_ms
        self._chance = Chance(spec, seed)
        self._facts = Facts(spec.source, f"{start_ms // _ONCE_PER_MS:x}-{seed:x}")
        self._planted = {p.kind: p for p in plant(spec, start_ms)}
        self._heap: list[tuple[int, int, Step]] = []
        self._order = count()
        self._said: list[FloorEvent] = []
        self._lines: dict[str, _Line] = {}
        everybody = seats(spec)
        in_queue = Counter(seat.queue for seat in everybody)
        taken: Counter[str] = Counter()
        for seat in everybody:
            self._take_seat(seat, taken[seat.queue] / in_queue[seat.queue])
            taken[seat.queue] += 1
        for line in self._lines.values():
            self._expect_call(line)

    def events(self, hours: float | None) -> Iterator[FloorEvent]:
        """What happens, until nothing more does within the hours."""
        end = None if hours is None else self._start + round(hours * HOUR_MS)
        while end is None or self._heap[0][0] < end:
            self._now, _, step = heappop(self._heap)
            step()
            yield from self._said
            self._said.clear()

    def _later(self, after_ms: int, step: Step) -> None:
        heappush(self._heap, (self._now + after_ms, next(self._order), step))

    def _take_seat(self, seat: Seat, place: float) -> None:
        agent = _Agent(seat, place=place, short_call_share=self._spec.short_call_share)
        if self._planted["short_calls"].subject == f"agent:{seat.agent}":
            agent.short_call_share = _SHORT_CALL_SHARE
        if self._planted["fatal_item"].subject == f"agent:{seat.agent}":
            agent.fatal_from = self._planted["fatal_item"].from_ms
        line = self._lines.setdefault(seat.queue, _Line(seat.queue, 0.0))
        line.per_hour += self._spec.calls_per_agent_hour
        self._later(self._chance.between(0, 90_000), lambda: self._start_shift(agent, first=True))

    # Calls

    def _expect_call(self, line: _Line) -> None:
        """Arrivals at the highest rate, thinned in `_arrive` to the rate of the moment."""
        highest = line.per_hour * BUSIEST * self._chance.day_factor * _FALLING_FACTOR
        self._later(self._chance.gap_ms(highest), lambda: self._arrive(line))

    def _arrive(self, line: _Line) -> None:
        self._expect_call(line)
        falling = self._planted["falling_queue"]
        is_falling = falling.subject == f"queue:{line.id}" and falling.from_ms <= self._now < falling.to_ms
        factor = _FALLING_FACTOR if is_falling else 1.0
        if not self._chance.happens(load_at(self._now - self._start) * factor / (BUSIEST * _FALLING_FACTOR)):
            return
        call = Call(self._facts.next_id(), line.id, self._now)
        self._said.append(self._facts.offered(call))
        self._later(self._chance.patience_ms(), lambda: self._give_up(call))
        line.calls.append(call)
        self._match(line)

    def _give_up(self, call: Call) -> None:
        if call.is_waiting:
            call.is_waiting = False
            self._said.append(self._facts.abandoned(call, self._now))

    def _match(self, line: _Line) -> None:
        """Give the call that waits longest to the agent who is ready longest, as long as there are both."""
        while line.calls and line.ready:
            agent, turn = line.ready[0]
            if agent.turn != turn or agent.state != "ready":
                line.ready.popleft()
            elif not line.calls[0].is_waiting:
                line.calls.popleft()
            else:
                line.ready.popleft()
                self._ring(line, agent, line.calls.popleft())

    def _ring(self, line: _Line, agent: _Agent, call: Call) -> None:
        self._enter(agent, "ringing")
        if self._chance.happens(self._spec.not_taken_share):
            self._later(NOT_TAKEN_RING_MS, lambda: self._leave_ringing(line, agent, call))
            return
        rang_ms = self._chance.ring_ms()
        self._later(rang_ms, lambda: self._pick_up(agent, call, rang_ms))

    def _leave_ringing(self, line: _Line, agent: _Agent, call: Call) -> None:
        self._said.append(self._facts.rejected(call, agent.seat.agent, self._now, NOT_TAKEN_RING_MS))
        if call.is_waiting:
            line.calls.appendleft(call)
        self._free(agent)
        self._match(line)

    def _pick_up(self, agent: _Agent, call: Call, rang_ms: int) -> None:
        if not call.is_waiting:
            self._free(agent)
            return
        call.is_waiting = False
        call.answered_ms = self._now
        name = agent.seat.agent
        self._said.append(self._facts.answered(call, name, self._now))
        self._said.append(self._facts.accepted(call, name, self._now, rang_ms))
        self._enter(agent, "on_contact")
        is_short = self._chance.happens(agent.short_call_share)
        call.talk_ms = self._chance.talk_ms(short=is_short)
        if is_short or not self._chance.happens(self._spec.hold_share):
            self._later(call.talk_ms, lambda: self._hang_up(agent, call))
            return
        before_ms = self._chance.part(call.talk_ms)
        call.hold_ms = self._chance.hold_ms()
        self._later(before_ms, lambda: self._enter(agent, "hold"))
        self._later(before_ms + call.hold_ms, lambda: self._enter(agent, "on_contact"))
        self._later(call.talk_ms + call.hold_ms, lambda: self._hang_up(agent, call))

    def _hang_up(self, agent: _Agent, call: Call) -> None:
        self._enter(agent, "wrap")
        call.wrap_ms = self._chance.wrap_ms()
        self._later(call.wrap_ms, lambda: self._finish(agent, call))

    def _finish(self, agent: _Agent, call: Call) -> None:
        transferred = self._chance.happens(self._spec.transfer_share)
        self._said.append(self._facts.handled(call, agent.seat.agent, self._now, transferred=transferred))
        self._free(agent)
        self._follow_up(agent, call)

    def _follow_up(self, agent: _Agent, call: Call) -> None:
        """Tickets, surveys and evaluations that come of a call."""
        name, chance = agent.seat.agent, self._chance
        if chance.happens(self._spec.ticket_share):
            self._said += self._facts.ticket(call, name, self._now, "created")
            if chance.happens(0.7):
                self._later(chance.between(5 * MINUTE_MS, 3 * HOUR_MS), lambda: self._solve(name, call))
        if chance.happens(self._spec.survey_share):
            self._later(chance.between(MINUTE_MS, 45 * MINUTE_MS), lambda: self._survey(name, call))
        if agent.fatal_from is not None and self._now >= agent.fatal_from:
            agent.fatal_from = None
            self._later(5 * MINUTE_MS, lambda: self._evaluate(name, call, fatal=True))
        elif chance.happens(self._spec.evaluation_share):
            self._later(chance.between(10 * MINUTE_MS, HOUR_MS), lambda: self._evaluate(name, call, fatal=False))

    def _solve(self, agent: str, call: Call) -> None:
        self._said += self._facts.ticket(call, agent, self._now, "solved")

    def _survey(self, agent: str, call: Call) -> None:
        self._said.append(self._facts.surveyed(call, agent, self._now, self._chance.csat()))

    def _evaluate(self, agent: str, call: Call, *, fatal: bool) -> None:
        self._said.append(self._facts.scored(call, agent, self._now, self._chance.score(), fatal=fatal))

    # Agents

    def _start_shift(self, agent: _Agent, *, first: bool = False) -> None:
        """The first shifts end at different times, so that later ones begin at different times."""
        length = self._chance.between(510 * MINUTE_MS, 570 * MINUTE_MS) if first else 9 * HOUR_MS
        agent.shift_end = self._now + length
        planned = self._chance.pauses(agent.place)
        self._said.append(self._facts.shift(agent.seat.agent, self._now, agent.shift_end, planned))
        long_away = self._planted["long_away"]
        pauses = [(self._now + offset, length, reason) for offset, length, reason in planned]
        if first and long_away.subject == f"agent:{agent.seat.agent}":
            pauses.append((long_away.from_ms, long_away.to_ms - long_away.from_ms, "break"))
        agent.pauses = deque(sorted(pauses))
        for at, _, _ in agent.pauses:
            self._later(at - self._now, lambda: self._free(agent) if agent.state == "ready" else None)
        self._later(length, lambda: self._free(agent) if agent.state == "ready" else None)
        self._free(agent)

    def _free(self, agent: _Agent) -> None:
        """What an agent does who has nothing in hand: go home, take the break that is due, or be ready."""
        if self._now >= agent.shift_end:
            self._enter(agent, "offline")
            self._later(_BETWEEN_SHIFTS_MS, lambda: self._start_shift(agent))
            return
        if agent.pauses and agent.pauses[0][0] <= self._now:
            _, length, reason = agent.pauses.popleft()
            self._enter(agent, "offline" if reason == "lunch" else "away", reason)
            self._later(length, lambda: self._free(agent))
            return
        if agent.state != "ready":
            self._enter(agent, "ready")
            agent.turn += 1
            line = self._lines[agent.seat.queue]
            line.ready.append((agent, agent.turn))
            self._match(line)

    def _enter(self, agent: _Agent, state: State, reason: str | None = None) -> None:
        agent.state = state
        self._said.append(self._facts.state(agent.seat.agent, state, self._now, reason))
