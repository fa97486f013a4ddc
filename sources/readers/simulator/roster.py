"""Who works on the simulated floor, and which problems are planted there."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.registry import (
    Client,
    Floor,
    Membership,
    Person,
    Queue,
    ReasonCode,
    ServiceLevelGoal,
    Site,
    Team,
)
from schemas.times import HOUR_MS, MINUTE_MS, iso
from sources.readers.simulator.spec import FloorSpec

_QUEUES = ("sales", "billing", "support", "orders", "claims")
_TEAMS_PER_QUEUE = 2
_QUEUES_PER_CLIENT = 2


@dataclass(frozen=True, slots=True)
class Planted:
    """A problem put into the floor on purpose, and the rule of the starter pack that ought to find it."""

    kind: str
    subject: str
    rule: str
    from_ms: int
    to_ms: int
    words: str

    def __str__(self) -> str:
        return f"{self.subject}: {self.words} (from {iso(self.from_ms)}; rule {self.rule})"


@dataclass(frozen=True, slots=True)
class Seat:
    """An agent with their team and queue."""

    agent: str
    team: str
    queue: str


def queue_names(spec: FloorSpec) -> list[str]:
    """The queues of a floor, in order."""
    count = -(-spec.teams // _TEAMS_PER_QUEUE)
    return [_QUEUES[i] if i < len(_QUEUES) else f"queue-{i + 1}" for i in range(count)]


def seats(spec: FloorSpec) -> list[Seat]:
    """Every agent of a floor, team by team."""
    queues = queue_names(spec)
    return [
        Seat(f"a{team * spec.team_size + place + 1:04d}", f"t{team + 1:02d}", queues[team // _TEAMS_PER_QUEUE])
        for team in range(spec.teams)
        for place in range(spec.team_size)
    ]


def floor_of(spec: FloorSpec) -> Floor:
    """The registry of a floor: site `main`, clients, teams with leads, queues, people without names, reason codes."""
    queues = queue_names(spec)
    clients = [f"client-{i // _QUEUES_PER_CLIENT + 1}" for i in range(len(queues))]
    return Floor(
        sites=[Site(id="main", timezone=spec.timezone)],
        clients=[Client(id=client, name=client.replace("-", " ").capitalize()) for client in dict.fromkeys(clients)],
        teams=[_team(number, spec.team_size) for number in range(1, spec.teams + 1)],
        queues=[
            Queue(id=queue, name=queue.capitalize(), client=client, service_level=ServiceLevelGoal())
            for queue, client in zip(queues, clients, strict=True)
        ],
        people=[*_leads(spec), *(Person(id=s.agent, teams=[Membership(team=s.team)]) for s in seats(spec))],
        reason_codes=[
            ReasonCode(id="break", limit_s=900),
            ReasonCode(id="short_break", limit_s=420),
            ReasonCode(id="coaching", productive=True, limit_s=1200),
            ReasonCode(id="lunch", paid=False, limit_s=1800),
        ],
    )


def _team(number: int, size: int) -> Team:
    deputy = f"a{(number - 1) * size + 1:04d}"
    return Team(id=f"t{number:02d}", name=_name(number), lead=f"l{number:02d}", deputy=deputy, manager="m01")


def _leads(spec: FloorSpec) -> list[Person]:
    leads = [Person(id=f"l{number:02d}", role="lead") for number in range(1, spec.teams + 1)]
    return [Person(id="m01", role="manager"), *leads]


def plant(spec: FloorSpec, start_ms: int) -> list[Planted]:
    """What is planted into a floor that starts at an instant: always the same seats, so that a demo can be told."""
    places, queues = seats(spec), queue_names(spec)
    short = places[4 % len(places)].agent
    away = places[(spec.team_size + 7) % len(places)].agent
    fatal = places[-3].agent
    end_ms = start_ms + 8 * HOUR_MS
    away_from, fatal_at = start_ms + 50 * MINUTE_MS, start_ms + 70 * MINUTE_MS
    falling_from = start_ms + 90 * MINUTE_MS
    return [
        Planted("short_calls", f"agent:{short}", "short-calls-day", start_ms, end_ms, "hangs up within seconds"),
        Planted("long_away", f"agent:{away}", "long-away", away_from, away_from + 55 * MINUTE_MS, "a break of 55 min"),
        Planted("fatal_item", f"agent:{fatal}", "fatal-item-day", fatal_at, end_ms, "an evaluation with a fatal item"),
        Planted(
            "falling_queue",
            f"queue:{queues[-1]}",
            "service-level-30m",
            falling_from,
            falling_from + 90 * MINUTE_MS,
            "twice as many calls for 90 min",
        ),
    ]


_NAMES = ("Aster", "Briar", "Cedar", "Dahlia", "Elder", "Fern", "Gorse", "Hazel", "Iris", "Juniper")


def _name(number: int) -> str:
    """A team's name; beyond the tenth they come again with a number."""
    rounds, index = divmod(number - 1, len(_NAMES))
    return f"{_NAMES[index]} {rounds + 1}" if rounds else _NAMES[index]
