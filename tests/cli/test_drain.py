"""`floorpulse drain`: when it may say that all is through."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from floorpulse.drain import HOPS, NotDrained, missing, refuse_open_input, stored_offsets
from floorpulse.offsets import admin_client, committed_offsets, end_offsets
from floorpulse.prepare import prepare
from floorpulse.settings import Settings
from floorpulse.wiring import clickhouse_client
from schemas.controls import InputEnded, RegistryChanged, Ticked
from schemas.events import ContactOffered, encode
from schemas.topics import COMMANDS, CONTRIBUTIONS, EVENTS

Run = Callable[..., Any]
AT = datetime(2026, 3, 2, 10, tzinfo=UTC)
OFFERED = encode(ContactOffered(at=AT, source="acd", id="1", contact="c", queue="q"))
TICKED = encode(Ticked(at=AT))
ENDED = encode(InputEnded(at=AT))
REVISION = encode(RegistryChanged(at=AT, revision=2))


@pytest.mark.parametrize("tail", [[OFFERED], [ENDED, OFFERED], [ENDED, TICKED], [OFFERED, REVISION], [b"noise"]])
def test_an_input_without_its_end_is_refused(tail: list[bytes]) -> None:
    """The partition is named, and what stands there instead."""
    with pytest.raises(NotDrained, match=r"the input has not ended: the last record of floor\.events:1 is"):
        refuse_open_input({0: [ENDED], 1: tail})


@pytest.mark.parametrize("tail", [[OFFERED, ENDED], [ENDED, REVISION], [REVISION]])
def test_an_ended_input_may_be_drained(tail: list[bytes]) -> None:
    """A revision that people applied later is no new input; a partition with nothing else had none."""
    refuse_open_input({0: tail})


def test_what_is_missing_is_counted_by_partition() -> None:
    """A partition without a checkpoint is missing whole; one that is further than asked is through."""
    assert missing({0: 10, 1: 5, 2: 3, 3: 0}, {0: 8, 2: 9}) == {0: 2, 1: 5}


def test_checkpoints_are_read_by_topic(own_schema: Settings) -> None:
    """The boundary is the last offset that is stored: the next one is one more."""
    client = clickhouse_client(own_schema)
    rows = [["floor.events:3", 1, "partition", 41], ["floor.contributions:0", 2, "partition", -1]]
    client.insert("subjects", rows, column_names=["subject", "hop", "kind", "boundary"])

    assert stored_offsets(client, "floor.events") == {3: 42}
    assert stored_offsets(client, "floor.contributions") == {0: 0}


def test_a_topic_that_was_made_anew_is_not_through_by_what_was_stored_of_the_one_before(own_schema: Settings) -> None:
    """Its partitions begin at 0 again: until the worker has stored something of them, nothing of it is through."""
    client = clickhouse_client(own_schema)
    client.insert("topics", [["floor.events", 1], ["floor.events", 2]], column_names=["topic", "epoch"])
    rows = [["floor.events:0", "partition", 900, (1 << 48) + 900], ["floor.events:1", "partition", 3, (2 << 48) + 3]]
    client.insert("subjects", rows, column_names=["subject", "kind", "boundary", "version"])

    assert stored_offsets(client, "floor.events") == {1: 4}


def test_without_a_worker_the_time_runs_out(run_on_floor: Run, own_floor: Settings) -> None:
    """Exit 1 with what is missing, and no word of success."""
    prepare(own_floor)

    ended = run_on_floor("drain", "--timeout", "0.3")

    assert (ended.code, ended.out) == (1, "")
    assert ended.err.splitlines()[-1].startswith("not drained in time: records not stored yet: floor.events:0")
    assert "drained:" not in ended.err


def test_with_every_checkpoint_at_the_end_it_is_drained(
    run_on_floor: Run, own_floor: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Checkpoints at the ends of both logs end the wait: exit 0."""
    monkeypatch.setattr("floorpulse.drain.HOPS", HOPS[:2])
    prepare(own_floor)
    with admin_client(own_floor) as admin:
        ends = {topic: end_offsets(admin, topic) for topic in (EVENTS, CONTRIBUTIONS)}
    rows = [[f"{topic}:{part}", "partition", end - 1, 1 << 48] for topic in ends for part, end in ends[topic].items()]
    clickhouse_client(own_floor).insert("subjects", rows, column_names=["subject", "kind", "boundary", "version"])

    ended = run_on_floor("drain", "--timeout", "0")

    assert ended.code == 0
    assert ended.err.startswith("drained: floor.events")


def test_a_group_that_never_committed_has_no_offsets(own_floor: Settings) -> None:
    """Nothing committed is nothing through, and no error."""
    prepare(own_floor)

    with admin_client(own_floor) as admin:
        assert committed_offsets(admin, COMMANDS, "nobody") == {}
