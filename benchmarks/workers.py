"""What a second worker gives on the same machine."""

from __future__ import annotations

import uuid
from pathlib import Path

from benchmarks.events import PARTITIONS, simulator_of
from benchmarks.meter import Metered, Order
from benchmarks.processes import OURS, result_of, started
from benchmarks.results import Column, Result
from benchmarks.scale import Scale
from benchmarks.servers import as_given, running_floor
from benchmarks.topics import dropped, emptied, fill
from floorpulse.settings import Settings
from schemas.errors import Unavailable
from schemas.topics import EVENTS

WORKS = {"fold": "without a sink", "durable": "durable in ClickHouse"}


def workers(scale: Scale) -> Result:
    """One worker, then two with half of the partitions each, on the same log."""
    result = Result(
        "workers",
        "One worker and two",
        "The worker as in the comparison, once with all partitions and once as two processes with half of them each."
        " The rates of two are added up; each is measured from its own warm-up to its own stop, and both run at the"
        " same time. Broker and store share the cores.",
        [Column("rate", "records/s"), Column("cpu_us", "CPU µs a record", 1), Column("together", "run together %")],
    )
    with running_floor(simulator_of(scale.agents).floor(), PARTITIONS, "event") as settings:
        records = fill(settings, scale.agents, scale.events)
        result.size = {"records": records, "agents": scale.agents, "rounds": scale.rounds}
        for number in range(scale.rounds):
            for work, words in WORKS.items():
                for count in (1, 2):
                    name = f"{count} worker{'s' if count > 1 else ''}, {words}"
                    scale.say(f"round {number + 1}: {name}")
                    _measure(name, work, count, settings, records, scale, result)
    return result


def _measure(name: str, work: str, count: int, settings: Settings, records: int, scale: Scale, result: Result) -> None:
    own = emptied(settings, f"run_{uuid.uuid4().hex}")
    try:
        orders = [_order(work, own, index, count, records, scale) for index in range(count)]
        processes = [started(OURS, "floorpulse_worker", order) for order in orders]
        said = [result_of(process, order) for process, order in zip(processes, orders, strict=True)]
    finally:
        dropped(own)
    faults = [one["fault"] for one in said if "fault" in one]
    if faults:
        raise Unavailable(f"{name}: {faults[0]}")
    metered = [Metered(**one) for one in said]
    rate = sum(one.rate for one in metered)
    cpu_us = sum(one.cpu_s for one in metered) / sum(one.records for one in metered) * 1e6
    result.row(name).add(rate=rate, cpu_us=cpu_us, together=100 * _together(metered))
    scale.say(f"  {rate:,.0f} records/s, {cpu_us:.1f} µs")


def _together(metered: list[Metered]) -> float:
    """The share of the longest measurement during which all were being measured."""
    first = max(one.began for one in metered)
    last = min(one.began + one.wall_s for one in metered)
    return max(last - first, 0.0) / max(one.wall_s for one in metered)


def _order(work: str, settings: Settings, index: int, count: int, records: int, scale: Scale) -> Order:
    return Order(
        work=work,
        bootstrap=settings.kafka_bootstrap,
        topic=EVENTS,
        folder=str(Path(settings.data) / f"worker-{uuid.uuid4().hex}"),
        group="",
        partitions=settings.partitions // count,
        skip=round(records * 0.2 / count),
        until=round(records * 0.7 / count),
        warm_up_s=20.0,
        limit_s=scale.seconds,
        extra={
            "settings": as_given(settings) | {"metrics_port": settings.metrics_port + index},
            "name": f"bench-{index + 1}",
        },
    )
