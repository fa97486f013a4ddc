"""The engine alone: what one core folds without Kafka, Faust and ClickHouse, and where its time goes."""

from __future__ import annotations

import cProfile
import gc
import io
import pstats
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter, process_time

from alerting.judge import RuleJudge
from alerting.load import load_rules
from alerting.starter import STARTER_FILE, starter_text
from benchmarks.events import LogOfLists, simulator_of
from floorpulse.heap import set_up_heap
from schemas.registry import Registry
from streams.core.partition import PartitionEngine
from streams.worker.flushing import FLUSH_ROWS
from streams.worker.inbox import Inbox, turn_by_time

EPOCH = 1
TOP = 45


@dataclass
class Spent:
    """CPU seconds by step; `events` went through all of them."""

    events: int = 0
    wall_s: float = 0.0
    cpu_s: float = 0.0
    steps: dict[str, float] = field(default_factory=dict)

    def cpu_us(self) -> float:
        """CPU of an event, microseconds."""
        return self.cpu_s / self.events * 1e6

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Charge what happens inside to a step."""
        began = process_time()
        try:
            yield
        finally:
            self.steps[name] = self.steps.get(name, 0.0) + process_time() - began


def registry_of(agents: int) -> Registry:
    """The registry of the simulated floor."""
    return Registry(simulator_of(agents).floor(), 1)


def judge_of(registry: Registry) -> RuleJudge:
    """The starter rules, as the first hop judges them."""
    return RuleJudge(load_rules(starter_text(), STARTER_FILE, 1), registry, 1)


class EngineRun:
    """The partitions of one worker over a log in memory, folded in the order that the worker would choose."""

    def __init__(self, log: LogOfLists, agents: int) -> None:
        """Nothing is folded yet."""
        registry = registry_of(agents)
        self.folded = 0
        self._unflushed = 0
        self.engines = {
            partition: PartitionEngine(partition, EPOCH, registry, judge_of(registry), event_clock=True)
            for partition in range(log.partitions)
        }
        self.inboxes = {partition: Inbox() for partition in self.engines}
        for partition, inbox in self.inboxes.items():
            inbox.fetched.extend(log.records[partition])

    def fold(self, most: int, spent: Spent) -> int:
        """Fold up to about `most` records, flushes included; returns how many. 0 when all is done."""
        before = self.folded
        began, began_cpu = perf_counter(), process_time()
        while self.folded - before < most:
            folded = self._turn(spent)
            if not folded:
                break
            self.folded += folded
            self._unflushed += folded
            if self._unflushed >= FLUSH_ROWS:
                self._unflushed = 0
                self._flush(spent)
        done = self.folded - before
        spent.events += done
        spent.wall_s += perf_counter() - began
        spent.cpu_s += process_time() - began_cpu
        return done

    def _turn(self, spent: Spent) -> int:
        with spent.step("decode"):
            for inbox in self.inboxes.values():
                inbox.decode_some()
        with spent.step("take in order of time"):
            turn = turn_by_time(self.inboxes, {p: engine.clock for p, engine in self.engines.items()}, 0.0)
            items = self.inboxes[turn[0]].take(turn[1]) if turn else []
        if turn is None:
            return 0
        engine = self.engines[turn[0]]
        with spent.step("fold, windows, rules"):
            for item in items:
                engine.asks_for(item)
            for item in items:
                engine.apply(item)
        return len(items)

    def _flush(self, spent: Spent) -> None:
        """What a flush costs the folding thread: the outbox, the freeze, the letting go."""
        for engine in self.engines.values():
            with spent.step("freeze for a flush"):
                engine.take_outbox()
                frozen = engine.freeze()
            with spent.step("let go after a flush"):
                engine.acknowledged(frozen.checkpoint.boundary)


def settled() -> None:
    """The collector as the worker has it; the log in memory is no part of a worker's heap."""
    set_up_heap()
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def measure(log: LogOfLists, agents: int, warm_up: int) -> Spent:
    """Fold a log after a warm-up."""
    settled()
    run = EngineRun(log, agents)
    run.fold(warm_up, Spent())
    spent = Spent()
    run.fold(2**62, spent)
    return spent


def profile(log: LogOfLists, agents: int, warm_up: int) -> str:
    """The functions that take most time by themselves, as text."""
    run = EngineRun(log, agents)
    run.fold(warm_up, Spent())
    profiler, out = cProfile.Profile(), io.StringIO()
    profiler.enable()
    run.fold(2**62, Spent())
    profiler.disable()
    pstats.Stats(profiler, stream=out).sort_stats("tottime").print_stats(TOP)
    return out.getvalue()
