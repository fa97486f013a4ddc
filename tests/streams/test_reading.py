"""What a worker begins with: the groups with a stretch of the contributions, read again; engines with the settings."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from faust.types import TP
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import NewTopic

from schemas.errors import InvalidEvent, Unavailable
from schemas.registry import Floor as Sites
from schemas.registry import Registry
from schemas.times import DAY_MS
from schemas.topics import CONTRIBUTIONS, EVENTS
from streams.core.contributions import encode_contributions
from streams.core.groups import GroupEngine
from streams.core.log import Checkpoint, Revision
from streams.core.partition import PartitionEngine
from streams.worker.hops import Hops
from streams.worker.reading import values_between
from tests.streams.judges import Busy
from tests.streams.test_flushing import CONFIG
from tests.streams.test_groups import given_by, new_groups

PLACE = TP(CONTRIBUTIONS, 0)


@pytest.fixture
def topic(kafka_bootstrap: str) -> str:
    """A topic with the numbers from 0 to 9 in its second partition."""
    name = f"reading-{uuid.uuid4().hex}"
    with KafkaAdminClient(bootstrap_servers=kafka_bootstrap) as admin:
        admin.create_topics([NewTopic(name, 2, 1)])
    producer = KafkaProducer(bootstrap_servers=kafka_bootstrap)
    for number in range(10):
        producer.send(name, str(number).encode(), partition=1)
    producer.close()
    return name


@pytest.mark.parametrize(("first", "last", "found"), [(0, 9, 10), (3, 5, 3), (9, 9, 1), (5, 4, 0)])
def test_a_stretch_is_read_whole_and_no_further(
    kafka_bootstrap: str, topic: str, first: int, last: int, found: int
) -> None:
    """Both ends belong to it."""
    read = list(values_between(kafka_bootstrap, topic, 1, first, last))

    assert read == [(offset, str(offset).encode()) for offset in range(first, last + 1)]
    assert len(read) == found


def test_silence_is_tried_again() -> None:
    """Where no broker answers, the start has to wait."""
    with pytest.raises(Unavailable, match="does not give"):
        list(values_between("127.0.0.1:1", "nosuch", 0, 0, 1))


class Shelf:
    """A store with the checkpoint of some groups."""

    def __init__(self, groups: GroupEngine) -> None:
        self._checkpoint = groups.checkpoint()

    def stored_groups(self, epoch: int) -> tuple[Checkpoint, dict[str, bytes]]:
        """The checkpoint; of the groups nothing else."""
        return self._checkpoint, {}

    def revision(self, registry: int, rules: int) -> Revision:
        """Nothing but the rule of the tests."""
        return Revision(Registry(Sites()), Busy(), Busy())


NO_JSON = encode_contributions([given_by(0, 4, {"team:t1": {4: {"handled": 9}}})])[0][:-1] + b"]"


@pytest.mark.parametrize("broken", [b"rubbish", NO_JSON], ids=["another thing", "sums that are no JSON"])
def test_the_groups_begin_with_the_minutes_that_they_were_given(broken: bytes) -> None:
    """
    What is resident is in their windows; what came since is theirs to fold, and what was buried is passed over.

        offset   0 ... 4 | 5        up to the checkpoint | to come
    """
    whole = new_groups(Busy(), 1)
    given = [given_by(0, mark, {"team:t1": {mark: {"handled": 1}}}) for mark in range(4)]
    for offset, contribution in enumerate(given):
        whole.apply(offset, [contribution])
    whole.bury(4, b"", broken, InvalidEvent("invalid", "contribution"))
    asked: list[tuple[Any, ...]] = []

    def read(*what: Any) -> Iterator[tuple[int, bytes]]:
        asked.append(what)
        yield from ((offset, encode_contributions([each])[0]) for offset, each in enumerate(given))
        yield 4, broken

    store: Any = Shelf(whole)
    restored = Hops(CONFIG, store, read).restored({PLACE: (0, 9)})[PLACE]

    assert asked == [(CONFIG.bootstrap, CONTRIBUTIONS, 0, 0, 4)]
    assert restored.start == 5
    assert isinstance(restored.engine, GroupEngine)
    assert restored.engine.groups["team:t1"].window(60) == whole.groups["team:t1"].window(60) == {"handled": 4}


class Unflushed:
    """A store that holds nothing yet."""

    def revision(self, registry: int, rules: int) -> Revision:
        """The empty one."""
        return Revision(Registry(Sites()), Busy(), Busy())

    def stored(self, partitions: Any, epoch: int) -> dict[int, Any]:
        """Of no partition."""
        return {}


def test_an_engine_knows_how_long_raw_events_are_kept() -> None:
    """By the settings of its worker: what is too late depends on it."""
    config = replace(CONFIG, kept_ms=7 * DAY_MS)
    store: Any = Unflushed()
    place = TP(EVENTS, 0)

    engine = Hops(config, store).restored({place: (0, 0)})[place].engine

    assert isinstance(engine, PartitionEngine)
    assert engine.kept_ms == 7 * DAY_MS
