"""Runs of a partition's engine over a log, with flushes at chosen points and crashes in between."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from schemas.alerts import Judge, Transition
from schemas.registry import Floor, Registry
from streams.core.lateness import KEPT_MS
from streams.core.log import Contribution, Frozen, Item
from streams.core.partition import PartitionEngine
from streams.core.spans import EVER
from tests.streams.judges import Busy
from tests.streams.oracle import Expected, Place
from tests.streams.shelf import EPOCH, Shelf

STEPS = ("fold", "freeze", "settle")
"""After a record: nothing; a flush is frozen; the frozen flush is written and acknowledged."""


def new_engine(
    *,
    event_clock: bool,
    registry: Registry | None = None,
    judge: Judge | None = None,
    partition: int = 0,
    kept_ms: int = KEPT_MS,
    gone_before_ms: int = EVER,
) -> PartitionEngine:
    """An engine that has read nothing."""
    known, asked = registry or Registry(Floor()), judge or Busy()
    kept = {"kept_ms": kept_ms, "gone_before_ms": gone_before_ms}
    return PartitionEngine(partition, EPOCH, known, asked, event_clock=event_clock, **kept)


@dataclass
class Run:
    """An engine with its shelf: what it said, and the flush that is under way."""

    engine: PartitionEngine
    shelf: Shelf = field(default_factory=Shelf)
    said: list[tuple[Transition, int]] = field(default_factory=list)
    given: list[Contribution] = field(default_factory=list)
    under_way: Frozen | None = None

    def fold(self, items: Iterable[Item], steps: Iterable[str] = ()) -> None:
        """Fold items; after each the next of the steps, while there are any."""
        left = iter(steps)
        for item in items:
            self.engine.apply(self._looked_up(item))
            self.step(next(left, "fold"))

    def step(self, step: str) -> None:
        """Freeze, or settle what was frozen."""
        if step == "freeze":
            self.freeze()
        elif step == "settle":
            self.settle()

    def freeze(self) -> None:
        """Begin a flush; the one before ends first."""
        self.settle()
        outbox = self.engine.take_outbox()
        self.said += outbox.transitions
        self.given += outbox.contributions
        self.under_way = self.engine.freeze()

    def settle(self) -> None:
        """Write what was frozen, and let go of it."""
        if self.under_way is not None:
            self.shelf.write(self.under_way)
            self.engine.acknowledged(self.under_way.checkpoint.boundary)
            self.under_way = None

    def finish(self) -> None:
        """Write everything."""
        self.freeze()
        self.settle()

    def panes(self) -> dict[Place, Expected]:
        """The panes as they are stored, without zeros."""
        found = {}
        for (key, minute, (queue, channel)), pane in self.shelf.panes.items():
            sums = {column: value for column, value in pane.sums.items() if value}
            if sums or pane.handle_times:
                found[key, minute, queue, channel] = Expected(sums, sorted(pane.handle_times))
        return found

    def _looked_up(self, item: Item) -> Item:
        identity = self.engine.asks_for(item)
        if identity is None:
            return item
        return item._replace(prior=self.engine.prior_of(item, self.shelf.look_up(identity)))


def restarted(run: Run, *, refold: bool = True) -> Run:
    """A new engine with what the shelf holds; what was under way is gone."""
    stored = run.shelf.stored(refold=refold)
    old = run.engine
    engine = PartitionEngine(old.partition, EPOCH, old.registry, old.judge, event_clock=old.event_clock)
    engine.load(stored)
    return Run(engine, run.shelf)
