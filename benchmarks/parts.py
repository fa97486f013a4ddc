"""The parts that can be measured, in the order of the page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.alone import cost, engine
from benchmarks.compare import alike, compare
from benchmarks.day import day
from benchmarks.live import alerts, body, peak
from benchmarks.queries import queries
from benchmarks.results import Result
from benchmarks.scale import Scale
from benchmarks.soak import soak
from benchmarks.state import state
from benchmarks.workers import workers


@dataclass(frozen=True, slots=True)
class Part:
    """One part."""

    name: str
    words: str
    run: Callable[[Scale], Result]


PARTS: dict[str, Part] = {
    part.name: part
    for part in (
        Part("engine", "the engine alone, by step, with a profile", engine),
        Part("compare", "floorpulse and its peers: the same events on the same broker, one process", compare),
        Part("alike", "floorpulse's way of reading and its peers', with the same fold", alike),
        Part("workers", "one worker and two", workers),
        Part("state", "memory of a worker with a shift of state, and its start", state),
        Part("soak", "half an hour at 2,000 events/s: the memory of the worker", soak),
        Part("body", "from an event to the agent's body", body),
        Part("alerts", "from an event to an alert on floor.alerts", alerts),
        Part("peak", "10,000 agents begin a shift and pause at once", peak),
        Part("cost", "the cost of an event by size of the floor and hours of state", cost),
        Part("day", "a 2,000-seat day replayed and proved", day),
        Part("queries", "questions to ClickHouse on thirty days of 2,000 seats", queries),
    )
}
