"""How long an event takes on a floor that is alive: to the agent's body, and to an alert on `floor.alerts`."""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.environments import Environment, environment
from benchmarks.events import PARTITIONS, simulator_of
from benchmarks.meter import Order
from benchmarks.processes import OURS, measured, ready, result_of, started
from benchmarks.results import Column, Result, Row, quantile
from benchmarks.scale import Scale
from benchmarks.servers import as_given, running_floor
from floorpulse.settings import Settings
from schemas.alerts import Transition
from schemas.errors import Unavailable
from schemas.times import to_ms
from schemas.topics import ALERTS, EVENTS

RULE = "fatal-item-day"
ALERTED_WITHIN_S = 20.0
SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


@dataclass(frozen=True, slots=True)
class Load:
    """What a live floor sends."""

    name: str
    words: str
    agents: int
    rate: int
    """Events a second."""
    seconds: int
    fatal_per_s: float
    quiet_s: float = 5.0
    """No fatal item is sent before."""
    is_peak: bool = False


BODY = (
    Load("1,000 events/s", "1,000 agents", 1_000, 1_000, 30, 0),
    Load("5,000 events/s", "2,000 agents", 2_000, 5_000, 30, 0),
    Load("20,000 events/s", "10,000 agents", 10_000, 20_000, 30, 0),
)
ALERT = (Load("alerts", "1,000 agents, 500 events/s", 1_000, 500, 120, 8),)
PEAK = (
    Load(
        "peak",
        "10,000 agents, 2,200 events/s: everybody begins a shift, takes calls, pauses at once",
        10_000,
        2_200,
        120,
        20,
        is_peak=True,
    ),
)

_BODY_COLUMNS = [Column("rate", "events/s seen"), *(Column(f"body_{key}", f"{key} ms", 1) for key in SHARES)]
_ALERT_COLUMNS = [
    Column("alerts", "alerts"),
    *(Column(f"tick_{key}", f"tick to alert {key} ms") for key in SHARES),
    *(Column(f"event_{key}", f"event to alert {key} ms") for key in SHARES),
    *(Column(f"body_{key}", f"event to agent {key} ms", 1) for key in SHARES),
]


def body(scale: Scale) -> Result:
    """Event to agent body."""
    method = (
        "The worker as it runs in production, durable, under the wall clock; another process sends events of now, in"
        " bursts each 5 ms. Counted from the broker's stamp to the moment in which the agent's body holds the record."
    )
    return _loads("body", "From an event to the agent", method, _BODY_COLUMNS, BODY, scale)


def alerts(scale: Scale) -> Result:
    """Event to alert."""
    method = (
        "The same, with evaluations that hold a fatal item, each of which makes one alert at the next tick of the rules"
        " (each 5 s of time, so 2.5 s on average are the rule's own). *Tick to alert*: from the instant of the alert,"
        " out of the log, to the broker's stamp of its message on `floor.alerts`. *Event to alert*: from the sending of"
        " the evaluation."
    )
    return _loads("alerts", "From an event to an alert", method, _ALERT_COLUMNS, ALERT, scale)


def peak(scale: Scale) -> Result:
    """A peak of 10,000 agents on one worker."""
    method = "One worker, everything durable, broker and store on the same machine; measured as above."
    return _loads("peak", "A peak of 10,000 agents", method, _ALERT_COLUMNS, PEAK, scale)


def _loads(part: str, title: str, method: str, columns: list[Column], loads: tuple[Load, ...], scale: Scale) -> Result:
    result = Result(part, title, method, columns, size={"rounds": scale.rounds})
    sender = environment("confluent")
    if sender.fault:
        raise Unavailable(f"the sender needs confluent-kafka: {sender.fault}")
    for number in range(scale.rounds):
        for load in loads:
            if scale.wants(load.name):
                scale.say(f"round {number + 1}: {load.name}")
                _one(load, sender, result.row(load.name, load.words), scale)
    return result


def _one(load: Load, sender: Environment, row: Row, scale: Scale) -> None:
    with running_floor(simulator_of(load.agents).floor(), PARTITIONS, "wall") as settings:
        order = _order("live", settings, {"settings": as_given(settings)})
        worker = started(OURS, "floorpulse_worker", order)
        try:
            ready(worker, order)
            seconds = max(round(load.seconds * scale.share), 12)
            asked = {
                "agents": load.agents,
                "rate": load.rate,
                "seconds": seconds,
                "fatal_per_s": load.fatal_per_s,
                "quiet_s": load.quiet_s,
                "is_peak": load.is_peak,
            }
            sent = measured(sender.python, "live_load", _order("load", settings, asked))
            if "fault" in sent:
                raise Unavailable(f"the sender: {sent['fault']}")
            arrived = _alerts(settings, sent["fatal"])
            said = result_of(worker, order, 60)
        finally:
            worker.kill()
            worker.communicate()
    if "fault" in said:
        row.fault = said["fault"]
        return
    _note(row, said, seconds, arrived, sent["fatal"])
    scale.say(f"  {', '.join(f'{key} {values[-1]:,.1f}' for key, values in row.figures.items())}")


def _note(row: Row, said: dict[str, Any], seconds: int, arrived: list[tuple[str, float, float]], sent: Any) -> None:
    row.add(rate=said["records"] / seconds, mb=said["peak_mb"])
    row.add(**{f"body_{key}": said["waits_ms"][str(share)] for key, share in SHARES.items()})
    if sent:
        from_tick = [at - step for _, step, at in arrived]
        from_event = [at - sent[subject] for subject, _, at in arrived]
        row.add(alerts=len(arrived), missing=len(sent) - len(arrived))
        row.add(**{f"tick_{key}": quantile(from_tick, share) for key, share in SHARES.items()})
        row.add(**{f"event_{key}": quantile(from_event, share) for key, share in SHARES.items()})


def _alerts(settings: Settings, expected: dict[str, float]) -> list[tuple[str, float, float]]:
    """(subject, instant of the step, broker's stamp), ms, of the alerts that were to come, as far as they came."""
    if not expected:
        return []
    from kafka import KafkaConsumer

    consumer = KafkaConsumer(
        ALERTS, bootstrap_servers=settings.bootstrap(), auto_offset_reset="earliest", group_id=None
    )
    found: dict[str, tuple[str, float, float]] = {}
    deadline = time.monotonic() + ALERTED_WITHIN_S
    try:
        while len(found) < len(expected) and time.monotonic() < deadline:
            for records in consumer.poll(timeout_ms=500).values():
                for record in records:
                    step = Transition.model_validate(json.loads(record.value))
                    if step.rule == RULE and step.state == "firing" and step.subject in expected:
                        found[step.subject] = (step.subject, float(to_ms(step.at)), float(record.timestamp))
    finally:
        consumer.close()
    return list(found.values())


def _order(work: str, settings: Settings, extra: dict[str, Any]) -> Order:
    name = uuid.uuid4().hex
    return Order(
        work=work,
        bootstrap=settings.kafka_bootstrap,
        topic=EVENTS,
        folder=str(Path(settings.data) / f"{work}-{name}"),
        group=name[:8],
        partitions=settings.partitions,
        skip=0,
        until=0,
        warm_up_s=0.0,
        limit_s=0.0,
        extra=extra,
    )
