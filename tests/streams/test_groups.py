"""Groups: their figures and alerts are a function of what the partitions gave, whatever came first."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.alerts import Transition
from schemas.controls import RegistryChanged
from schemas.errors import InvalidEvent
from schemas.events import encode
from schemas.registry import Floor, Membership, Person, Registry, Team
from schemas.times import MINUTE_MS, from_ms
from streams.core.contributions import decode_contributions, encode_contributions, packed_contributions
from streams.core.groups import GroupEngine
from streams.core.log import Contribution, Frozen, Revision
from streams.core.versions import version_of
from tests.streams.judges import FIVE, Busy, Notes
from tests.streams.runs import Run, new_engine, restarted
from tests.streams.test_restart import handled

NOON_MINUTE = 29_541_120
Sums = dict[str, dict[int, dict[str, int]]]


def given_by(partition: int, mark: int, sums: Sums | None = None, part: int = 0, parts: int = 1) -> Contribution:
    """What a partition gives with a mark."""
    return Contribution(partition, NOON_MINUTE + mark, version_of(1, mark), _absolute(sums or {}), part, parts)


def _absolute(sums: Sums) -> Sums:
    return {group: {NOON_MINUTE + minute: s for minute, s in minutes.items()} for group, minutes in sums.items()}


@st.composite
def partitions(draw: st.DrawFn) -> list[list[Contribution]]:
    """Three partitions with rising marks, sums of two teams now and then, some of them for earlier minutes."""
    return [draw(_of_partition(number)) for number in range(3)]


@st.composite
def _of_partition(draw: st.DrawFn, number: int) -> list[Contribution]:
    found: list[Contribution] = []
    mark = draw(st.integers(0, 3))
    for _ in range(draw(st.integers(1, 8))):
        sums: Sums = {}
        for team in draw(st.sampled_from([[], [], ["team:t1"], ["team:t1", "team:t2"]])):
            minute = mark - draw(st.integers(0, 3))
            sums[team] = {minute: {"handled": draw(st.integers(0, 3))}}
        split = len(sums) == 2 and draw(st.booleans())
        if split:
            found += [given_by(number, mark, {k: v}, i, 2) for i, (k, v) in enumerate(sums.items())]
        else:
            found.append(given_by(number, mark, sums))
        mark += draw(st.sampled_from([1, 1, 1, 2, 30]))
    found.append(given_by(number, 300))
    return found


@st.composite
def orders(draw: st.DrawFn) -> list[int]:
    """Whose turn it is."""
    return draw(st.lists(st.integers(0, 2), max_size=60))


def interleaved(parts: Sequence[Sequence[Contribution]], order: Sequence[int]) -> list[Contribution]:
    """One log of all partitions, each in its own order."""
    left = [list(part) for part in parts]
    log = [left[turn].pop(0) for turn in order if left[turn]]
    return log + [contribution for part in left for contribution in part]


def new_groups(judge: Any, partitions: int = 3) -> GroupEngine:
    """Groups that have taken nothing."""
    return GroupEngine(partitions, 1, Registry(Floor()), judge)


def fed(engine: GroupEngine, log: Sequence[Contribution], first: int = 0) -> list[Transition]:
    """Take a log, one contribution per message; returns what came of it."""
    for offset, contribution in enumerate(log[first:], first):
        engine.apply(offset, [contribution])
    return [transition for transition, _ in engine.take_outbox().transitions]


@settings(max_examples=100, deadline=None)
@given(parts=partitions(), one=orders(), other=orders())
def test_the_order_of_the_partitions_does_not_matter(
    parts: list[list[Contribution]], one: list[int], other: list[int]
) -> None:
    """Any interleaving gives the same alerts and the same sums."""
    first, second = new_groups(Busy()), new_groups(Busy())

    said = fed(first, interleaved(parts, one))
    again = fed(second, interleaved(parts, other))

    assert said == again
    assert _days(first) == _days(second)


def _days(engine: GroupEngine) -> dict[str, Any]:
    return {key: group.days for key, group in engine.groups.items()}


@settings(max_examples=60, deadline=None)
@given(parts=partitions(), order=orders(), back=st.integers(1, 6), at=st.floats(0, 1))
def test_what_a_restarted_partition_gives_again_counts_once(
    parts: list[list[Contribution]], order: list[int], back: int, at: float
) -> None:
    """A partition that replays repeats its last contributions, to the byte."""
    once, twice = new_groups(Busy()), new_groups(Busy())
    first = parts[0]
    cut = round(at * len(first))
    repeated = [first[:cut] + first[max(cut - back, 0) :], *parts[1:]]

    said = fed(once, interleaved(parts, order))
    again = fed(twice, interleaved(repeated, order))

    assert said == again
    assert _days(once) == _days(twice)


def restarted_groups(old: GroupEngine, frozen: list[Frozen], log: Sequence[Contribution | Revision]) -> GroupEngine:
    """Groups from what was stored of old ones, fed what came before their checkpoint."""
    engine = GroupEngine(old.partitions, old.epoch, old.registry, old.judge)
    bodies = {row.subject: json.dumps(row.body).encode() for part in frozen for row in part.subjects}
    checkpoint = frozen[-1].checkpoint
    body = json.loads(json.dumps(checkpoint.body))
    start = engine.load(type(checkpoint)(checkpoint.boundary, checkpoint.clock_ms, 0, 0, 0, 0, body), bodies)
    for offset in range(start, checkpoint.boundary + 1):
        record = log[offset]
        if isinstance(record, Contribution):
            (message,) = encode_contributions([record])
            engine.replay(offset, packed_contributions(message))
    engine.replayed()
    return engine


@settings(max_examples=100, deadline=None)
@given(parts=partitions(), order=orders(), at=st.floats(0, 1), back=st.integers(0, 4))
def test_a_restart_of_the_groups_changes_nothing(
    parts: list[list[Contribution]], order: list[int], at: float, back: int
) -> None:
    """What comes after the checkpoint is judged as if the worker had not died, repeats in the log included."""
    parts = [parts[0][:3] + parts[0][max(3 - back, 0) :], *parts[1:]]
    log = interleaved(parts, order)
    cut = round(at * (len(log) - 1)) + 1
    whole = new_groups(Busy())
    fed(whole, log[:cut])
    frozen = [whole.freeze()]
    expected = fed(whole, log, cut)

    engine = restarted_groups(whole, frozen, log)
    said = fed(engine, log, cut)

    assert said == expected
    assert {k: d for k, d in _days(engine).items() if d} == {k: d for k, d in _days(whole).items() if d}


def test_groups_that_start_twice_begin_to_read_at_the_same_place() -> None:
    """What the first start read again is not in any state: the next one needs it too."""
    log = [given_by(0, mark, {"team:t1": {mark: {"handled": 1}}}) for mark in range(1, 5)]
    groups = new_groups(Busy(), 1)
    fed(groups, log)
    frozen = [groups.freeze()]

    again = restarted_groups(groups, frozen, log)

    assert again.checkpoint().body["replay_from"] == frozen[0].checkpoint.body["replay_from"] == 0


def test_a_minute_is_judged_when_all_partitions_have_passed_it() -> None:
    """The slowest partition holds the groups."""
    #   partition 0   1 2 3
    #   partition 1   1 2         judged: 1 and 2
    notes = Notes()
    engine = new_groups(notes, 2)

    fed(engine, [given_by(0, mark, {"team:t1": {mark: {"handled": 1}}}) for mark in (1, 2, 3)])
    assert notes.judged == []
    fed(engine, [given_by(1, 1), given_by(1, 2)])

    noon = NOON_MINUTE * MINUTE_MS
    assert notes.judged == [("team:t1", noon + 2 * MINUTE_MS, 1), ("team:t1", noon + 3 * MINUTE_MS, 2)]


def test_a_rule_over_days_is_judged_for_a_group_when_its_site_day_has_closed() -> None:
    """
    A quarter of an hour after midnight, by the sums of the days; at midnight of the next day they count still.

    minute    16:01 two contacts    0:13    0:14        0:14 of the day after
    judged                                  too few     with one more: breached
    """
    engine, closes = new_groups(Busy(), 1), 8 * 60 + 14
    log = [given_by(0, 1, {"team:t1": {1: {"handled": 2}}}), given_by(0, closes)]
    assert not [step for step in fed(engine, log) if step.rule == "days"]

    engine.apply(2, [given_by(0, closes + 1, {"team:t1": {closes + 1: {"handled": 1}}})])
    engine.apply(3, [given_by(0, closes + 24 * 60 - 1)])
    assert not [step for step, _ in engine.take_outbox().transitions if step.rule == "days"]
    engine.apply(4, [given_by(0, closes + 24 * 60)])

    (step,) = (step for step, _ in engine.take_outbox().transitions if step.rule == "days")
    assert (step.value, step.day, step.at) == (3, date(2026, 3, 3), datetime(2026, 3, 4, 0, 15, tzinfo=UTC))
    assert (step.window_from, step.window_to) == (
        datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 4, tzinfo=UTC),
    )  # fmt: skip


def test_marks_that_say_nothing_are_left_out_of_the_message() -> None:
    """Coalescing marks changes nothing that the groups find."""
    log = [
        given_by(0, 1),
        given_by(0, 2),
        given_by(0, 3, {"team:t1": {2: {"handled": 2}}}),
        given_by(0, 4),
        given_by(0, 9),
    ]
    plain, packed = new_groups(Busy(), 1), new_groups(Busy(), 1)

    said = fed(plain, log)
    messages = encode_contributions(log)
    decoded = [decode_contributions(message) for message in messages]

    assert [len(d) for d in decoded if isinstance(d, list)] == [2]
    for offset, message in enumerate(decoded):
        assert isinstance(message, list)
        packed.apply(offset, message)
    assert [t for t, _ in packed.take_outbox().transitions] == said


@settings(max_examples=60, deadline=None)
@given(parts=partitions(), order=orders())
def test_the_way_over_the_topic_changes_nothing(parts: list[list[Contribution]], order: list[int]) -> None:
    """Encoded by partition and decoded, the groups say the same."""
    plain, packed = new_groups(Busy()), new_groups(Busy())

    said = fed(plain, interleaved(parts, order))
    for offset, message in enumerate(m for part in parts for m in encode_contributions(part)):
        decoded = decode_contributions(message)
        assert isinstance(decoded, list)
        packed.apply(offset, decoded)

    assert [t for t, _ in packed.take_outbox().transitions] == said


def _roster(team: str) -> Registry:
    floor = Floor(teams=[Team(id="t1"), Team(id="t2")], people=[Person(id="a1", teams=[Membership(team=team)])])
    return Registry(floor, revision=1 if team == "t1" else 2)


@pytest.mark.parametrize("is_restarted", [False, True])
def test_a_move_takes_the_resident_minutes_along(*, is_restarted: bool) -> None:
    """After a roster correction both teams get their minutes again: the old one as zero, the new one whole."""
    run = Run(new_engine(event_clock=False, registry=_roster("t1"), judge=Notes()))
    run.fold([handled(0, 0.1), handled(1, 0.2), handled(2, 1.5)])
    run.finish()
    first = run.given
    if is_restarted:
        run = restarted(run)
    change = RegistryChanged(at=from_ms(NOON_MINUTE * MINUTE_MS), revision=2)
    item = handled(3, 1.6)
    moved = Revision(_roster("t2"), Notes(), Notes())

    run.engine.apply(type(item)(3, item.broker_ms, encode(change), b"", change, revision=moved))
    run.engine.apply(handled(4, 3.0))
    run.freeze()

    minute = handled(0, 0.1).broker_ms // MINUTE_MS
    assert first[0].sums["team:t1"][minute]["handled"] == 2
    last = run.given[-2].sums
    assert last["team:t1"] == {minute: {}, minute + 1: {}}
    assert (last["team:t2"][minute]["handled"], last["team:t2"][minute + 1]["handled"]) == (2, 1)


def test_an_emptied_minute_takes_its_share_back() -> None:
    """A partition that gives zero for a minute is no longer part of the group's sum."""
    notes = Notes()
    engine = new_groups(notes, 2)
    both = {"team:t1": {1: {"handled": 2}}}

    fed(engine, [given_by(0, 1, both), given_by(1, 1, both), given_by(0, 2, {"team:t1": {1: {}}}), given_by(1, 2)])

    assert [handled_ for _, _, handled_ in notes.judged] == [4, 2]
    assert engine.groups["team:t1"].window(FIVE.minutes) == {"handled": 2}


@pytest.mark.parametrize(
    "message",
    [
        b'[{"partition": 1}]',
        b'[{"partition":0,"mark":1,"version":1,"part":0,"parts":1,"sums":{"team:t1":[[1,9]]}}]\n{"a":1}',
        b'[{"partition":0,"mark":1,"version":1,"part":0,"parts":1,"sums":{"team:t1":[[1,5]]}}]\n{"a":1}',
        b'[{"partition":0,"mark":1,"version":1,"part":0,"parts":1,"sums":{"team:t1":[[1,5]]}}]\n{"a":',
    ],
    ids=["no sums", "cut off", "too long", "no JSON"],
)
def test_a_broken_message_is_refused(message: bytes) -> None:
    """What is no contribution is named as such."""
    with pytest.raises(InvalidEvent, match="contribution"):
        decode_contributions(message)
