"""While ClickHouse is away the worker waits for it, and does not end (P5)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from schemas.controls import RegistryChanged, RulesApplied
from schemas.errors import Unavailable
from schemas.events import encode
from schemas.registry import Floor as Sites
from schemas.registry import Registry
from streams.core.groups import GroupEngine
from streams.core.log import Revision
from streams.worker import floor
from streams.worker.floor import Floor
from streams.worker.metrics import WorkerMetrics
from streams.worker.sending import Sender
from tests.streams.floors import DAWN
from tests.streams.judges import Busy
from tests.streams.test_flushing import CONFIG, Broker
from tests.streams.test_groups import new_groups
from tests.streams.test_inbox import Message

AT = datetime(2026, 3, 2, 6, tzinfo=UTC)


class AwayStore:
    """A store that does not answer at first."""

    def __init__(self, silent: int = 0) -> None:
        self.silent = silent
        self.asked: list[int] = []

    def revision(self, registry: int, rules: int) -> Revision:
        """Nothing but the rule of the tests."""
        if self.silent:
            self.silent -= 1
            raise Unavailable("ClickHouse does not answer")
        self.asked.append(registry)
        return Revision(Registry(Sites(), registry), Busy(), Busy())


def worker_with(store: Any, groups: GroupEngine) -> Floor:
    """A worker that has the groups."""
    sender = Sender(Broker, lambda _: None, 3)
    worker = Floor(CONFIG, store, sender, WorkerMetrics(CollectorRegistry()), lambda: DAWN, lambda *_: None)
    worker.hops.groups = groups
    return worker


async def test_the_groups_wait_for_a_revision(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rules that are applied as ClickHouse goes away are obeyed when it is back."""
    monkeypatch.setattr(floor, "LOOKUP_RETRY_S", 0.0)
    store, groups = AwayStore(silent=2), new_groups(Busy(), 1)
    applied = RulesApplied(at=AT, revision=7)

    await worker_with(store, groups).contribute([Message(0, encode(applied))])

    assert (groups.boundary, store.silent) == (0, 0)


async def test_an_older_revision_that_is_told_late_changes_nothing() -> None:
    """The newest holds in ClickHouse; an apply that told its own after another's must not part the two."""
    store, groups = AwayStore(), new_groups(Busy(), 1)
    told = [Message(offset, encode(RegistryChanged(at=AT, revision=n))) for offset, n in enumerate((3, 2))]

    await worker_with(store, groups).contribute(told)

    assert store.asked == [3, 3]
    assert (groups.boundary, groups.registry.revision) == (1, 3)
