"""floorpulse and its peers on the same log, one process after the other."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.environments import Environment, environment
from benchmarks.events import PARTITIONS, simulator_of
from benchmarks.lineup import LINEUP, Entry
from benchmarks.meter import Metered, Order
from benchmarks.processes import OURS, measured
from benchmarks.results import Column, Result
from benchmarks.scale import Scale
from benchmarks.servers import as_given, running_floor
from benchmarks.topics import dropped, emptied, fill
from floorpulse.settings import Settings
from schemas.topics import EVENTS

WARM_UP_SHARE = 0.2
UNTIL_SHARE = 0.7
"""The rest of the topic is more than any stack fetches ahead."""
WARM_UP_S = 20.0

METHOD = (
    "The same records of a simulated floor on one embedded Kafka (one node, {partitions} partitions, not compressed),"
    " read by one process at a time; the broker shares the machine. The clock and the CPU (all threads of the process)"
    " run from the end of a warm-up (a fifth of the records, or 20 s) to 70 % of the records, or for {seconds} s: at"
    " both ends the client's prefetch is full, and for confluent-kafka, Quix and Pathway it is bounded, as theirs would"
    " hold most of the topic. Everybody decodes with the same pydantic models. Where a peer carries the fold, it is"
    " `benchmarks/work.py`: plain Python that knows no corrections, states, rules, groups or restarts, all of which"
    " floorpulse does. floorpulse's engine is compiled, as in its image, where a row does not say otherwise."
    " Peers' own windows keep their state as they do by default; Quix without a changelog."
)


ALIKE = (
    "As above, but everybody carries one and the same fold, `benchmarks/work.py`: floorpulse's way of reading Kafka"
    " through Faust beside the ways of its peers. The last rows are floorpulse with all that it does, as a worker and"
    " as its engine in a plain loop: what it does costs many times more than how it reads."
)
_COLUMNS = [Column("rate", "records/s"), Column("cpu_us", "CPU µs a record", 1), Column("peak_mb", "peak MB")]


def compare(scale: Scale) -> Result:
    """Every stack once in each round."""
    method = METHOD.format(partitions=PARTITIONS, seconds=round(scale.seconds))
    result = Result("compare", "The same events, one process", method, _COLUMNS, ratio_of="rate")
    return _compared(result, LINEUP, scale)


def alike(scale: Scale) -> Result:
    """Every stack with the same fold, once in each round."""
    result = Result("alike", "The same fold in every stack", ALIKE, _COLUMNS, ratio_of="rate")
    whole = [entry for entry in LINEUP if entry.is_whole]
    return _compared(result, sorted(whole, key=lambda entry: (entry.is_ours, entry.module != "batch_transport")), scale)


def _compared(result: Result, lineup: Iterable[Entry], scale: Scale) -> Result:
    entries = [entry for entry in lineup if scale.wants(entry.name)]
    environments = {name: environment(name) for name in {entry.environment for entry in entries} if name}
    with running_floor(simulator_of(scale.agents).floor(), PARTITIONS, "event") as settings:
        records = fill(settings, scale.agents, scale.events)
        result.size = {"records": records, "agents": scale.agents, "rounds": scale.rounds}
        for number in range(scale.rounds):
            for entry in entries:
                scale.say(f"round {number + 1}: {entry.name}")
                _measure(entry, environments.get(entry.environment), settings, records, scale, result)
    return result


def _measure(
    entry: Entry, place: Environment | None, settings: Settings, records: int, scale: Scale, result: Result
) -> None:
    row = result.row(entry.name, entry.words)
    if place is not None and place.fault:
        row.fault = place.fault
        return
    order = _order(entry.work, settings, records, scale)
    said = _ours(entry, settings, order) if place is None else measured(place.python, entry.module, order)
    if "fault" in said:
        row.fault = said["fault"]
        scale.say(f"  {entry.name}: {row.fault}")
        return
    metered = Metered(**said)
    row.add(rate=metered.rate, cpu_us=metered.cpu_us, peak_mb=metered.peak_mb, measured=metered.records)
    scale.say(f"  {metered.rate:,.0f} records/s, {metered.cpu_us:.1f} µs, {metered.peak_mb:.0f} MB")


def _ours(entry: Entry, settings: Settings, order: Order) -> dict[str, Any]:
    own = emptied(settings, f"run_{uuid.uuid4().hex}")
    try:
        order.extra["settings"] = as_given(own)
        return measured(OURS, entry.module, order, is_compiled=entry.is_compiled)
    finally:
        dropped(own)


def _order(work: str, settings: Settings, records: int, scale: Scale) -> Order:
    return Order(
        work=work,
        bootstrap=settings.kafka_bootstrap,
        topic=EVENTS,
        folder=str(Path(settings.data) / f"run-{uuid.uuid4().hex}"),
        group=f"bench-{uuid.uuid4().hex}",
        partitions=settings.partitions,
        skip=round(records * WARM_UP_SHARE),
        until=round(records * UNTIL_SHARE),
        warm_up_s=WARM_UP_S,
        limit_s=scale.seconds,
        extra={"agents": scale.agents},
    )
