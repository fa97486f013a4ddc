"""The engine without anything around it: the cost of an event by step, by size of the floor, by hours of state."""

from __future__ import annotations

from platformdirs import user_cache_path

from benchmarks.engine import EngineRun, Spent, measure, profile, settled
from benchmarks.events import log_of
from benchmarks.results import Column, Result
from benchmarks.scale import Scale

EVENTS = 100_000
WARM_UP = 30_000
FLOORS = (100, 1_000, 10_000)
FLOOR_EVENTS = 60_000
FLOOR_HOURS = 0.25
HOURS = (1, 4, 8, 12)
EVENTS_OF_AGENT_HOUR = 61
PROFILE = user_cache_path("floorpulse") / "benchmarks" / "engine_profile.txt"

_COLUMNS = [Column("rate", "events/s"), Column("cpu_us", "CPU µs an event", 1), Column("share", "share %", 1)]


def engine(scale: Scale) -> Result:
    """The steps of the engine; where the time goes by function is written beside the environments of the peers."""
    result = Result(
        "engine",
        "The engine alone",
        "One process, no Kafka, no Faust, no ClickHouse: the records of a simulated floor lie in memory and go through"
        " decoding, the worker's own order of time, the fold with all windows and the starter rules, and a flush each"
        " 20,000 events that is written nowhere.",
        _COLUMNS,
    )
    log = log_of(scale.agents, round(EVENTS * max(scale.share, 0.2)))
    for number in range(scale.rounds):
        spent = measure(log, scale.agents, WARM_UP if scale.share == 1 else WARM_UP // 5)
        scale.say(f"round {number + 1}: {spent.events / spent.cpu_s:,.0f} events/s")
        result.row("whole").add(rate=spent.events / spent.cpu_s, cpu_us=spent.cpu_us(), share=100)
        for step, cpu_s in spent.steps.items():
            result.row(step).add(cpu_us=cpu_s / spent.events * 1e6, share=100 * cpu_s / spent.cpu_s)
    result.size = {"events": spent.events, "agents": scale.agents, "rounds": scale.rounds}
    PROFILE.parent.mkdir(parents=True, exist_ok=True)
    PROFILE.write_text(profile(log, scale.agents, WARM_UP // 5), encoding="utf-8")
    scale.say(f"profile: {PROFILE}")
    return result


def cost(scale: Scale) -> Result:
    """The cost of an event against the size of the floor and against the hours of state."""
    result = Result(
        "cost",
        "The cost of an event",
        "The engine alone, as above. By floor: the first quarter of an hour warms up, then as many events as named are"
        " measured. By hours: one floor goes on, and the last events of each hour named are measured. A flat line is"
        " the promise.",
        _COLUMNS[:2],
        size={"rounds": scale.rounds},
    )
    for number in range(scale.rounds):
        scale.say(f"round {number + 1}")
        for agents in FLOORS:
            _by_floor(agents, scale, result)
        _by_hours(scale, result)
    return result


def _by_floor(agents: int, scale: Scale, result: Result) -> None:
    measured = round(FLOOR_EVENTS * scale.share)
    warm_up = round(agents * EVENTS_OF_AGENT_HOUR * FLOOR_HOURS * scale.share)
    spent = measure(log_of(agents, warm_up + measured), agents, warm_up)
    _add(result, f"{agents:,} agents", spent, scale)


def _by_hours(scale: Scale, result: Result) -> None:
    agents = max(round(scale.agents * scale.share), 100)
    log = log_of(agents, hours=HOURS[-1])
    settled()
    run = EngineRun(log, agents)
    done = 0
    for hours in HOURS:
        until = agents * EVENTS_OF_AGENT_HOUR * hours
        measured = min(FLOOR_EVENTS, agents * EVENTS_OF_AGENT_HOUR // 2)
        done += run.fold(until - measured - done, Spent())
        spent = Spent()
        done += run.fold(measured, spent)
        _add(result, f"{agents:,} agents, hour {hours}", spent, scale)


def _add(result: Result, name: str, spent: Spent, scale: Scale) -> None:
    if spent.events:
        result.row(name).add(rate=spent.events / spent.cpu_s, cpu_us=spent.cpu_us())
        scale.say(f"  {name}: {spent.cpu_us():.1f} µs an event")
