"""A thousand agents through a whole simulated day: no millisecond of anybody's time is lost or counted twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from itertools import pairwise

import pytest

from schemas.events import StateChanged
from schemas.panes import STATE_COLUMN
from schemas.registry import Floor, Registry
from schemas.times import DAY_MS, HOUR_MS, MINUTE_MS, to_ms
from sources.readers.simulator.engine import Simulator
from sources.readers.simulator.spec import FloorSpec
from streams.core.log import Item
from streams.core.partition import PartitionEngine
from streams.core.spans import EVER, TTL_MS
from streams.core.subject import AgentTime, fold
from tests.streams.judges import Notes

OPENED = 1_772_438_400_000
"""2026-03-02 08:00 UTC."""
HOURS = 24
SPEC = FloorSpec(teams=100, team_size=10, calls_per_agent_hour=1.0)
"""A quiet floor of 1,000 agents: the day is as long as any other, with fewer changes of state an hour."""
STATES = frozenset(STATE_COLUMN.values())
FLUSH_EACH = 500
LIVE = 40
"""So many agents of the day go through a live engine as well: windows that slide each minute take their time."""

Day = dict[str, list[StateChanged]]
Minutes = dict[int, int]
"""Minute -> ms in all states but offline."""


@pytest.fixture(scope="module")
def day() -> Day:
    """Agent -> changes of state in the order of time."""
    found: dict[str, list[StateChanged]] = defaultdict(list)
    for event in Simulator(SPEC, 11).events(OPENED, HOURS):
        if isinstance(event, StateChanged):
            found[event.agent].append(event)
    return dict(found)


@pytest.fixture(scope="module")
def folded(day: Day) -> dict[str, Minutes]:
    """Agent -> what the fold makes of each minute, for everybody."""
    return {agent: by_fold(changes) for agent, changes in day.items()}


@pytest.fixture(scope="module")
def live(day: Day) -> dict[str, Minutes]:
    """The same from a live engine that ticks, slides windows, flushes and lets go, for the first agents."""
    some = {agent: day[agent] for agent in sorted(day)[:LIVE]}
    told = sorted((event for changes in some.values() for event in changes), key=lambda event: event.at)
    engine = PartitionEngine(0, 1, Registry(Floor()), Notes(asked=frozenset()), event_clock=True)
    found: dict[str, Minutes] = defaultdict(dict)
    late: dict[str, set[int]] = defaultdict(set)
    for offset, event in enumerate(told):
        engine.apply(Item(offset, OPENED + 30 * DAY_MS, b"", b"", event))
        if offset % FLUSH_EACH == 0 or offset + 1 == len(told):
            engine.take_outbox()
            frozen = engine.freeze()
            for key, minute, _, pane in frozen.panes:
                found[key.removeprefix("agent:")][minute] = in_states(pane.sums)
            for key, minutes in frozen.late.items():
                late[key.removeprefix("agent:")] |= minutes
            engine.acknowledged(offset)
    for agent, minutes in late.items():
        by_flusher = by_fold(day[agent])
        found[agent] |= {minute: by_flusher.get(minute, 0) for minute in minutes}
    return {agent: {minute: ms for minute, ms in mine.items() if ms} for agent, mine in found.items()}


def by_fold(changes: Iterable[StateChanged]) -> Minutes:
    """What the fold makes of an agent's day, change by change."""
    time, found = AgentTime(), defaultdict[int, int](int)
    for offset, change in enumerate(changes):
        for delta in fold(change, offset, time, EVER).deltas:
            found[delta.minute] += delta.sign * in_states(delta.sums)
        time.timeline.prune(to_ms(change.at) - TTL_MS)
    return {minute: ms for minute, ms in found.items() if ms}


def in_states(sums: dict[str, int]) -> int:
    """Time in all states but offline, ms."""
    return sum(ms for column, ms in sums.items() if column in STATES)


def logged_in(changes: Iterable[StateChanged]) -> list[tuple[int, int]]:
    """[start, end) of each stay in a state but offline, up to the last change."""
    told = [(to_ms(change.at), change.state) for change in changes]
    return [(at, until) for (at, state), (until, _) in pairwise(told) if state != "offline"]


def test_a_thousand_agents_worked_through_the_day(day: Day) -> None:
    """The run means something: everybody logged in and worked over midnight, and nobody is in one state for 12 h."""
    midnight = OPENED + 16 * HOUR_MS

    assert len(day) == 1_000
    assert all(to_ms(changes[0].at) < midnight < to_ms(changes[-1].at) for changes in day.values())
    assert max(end - start for changes in day.values() for start, end in logged_in(changes)) < 12 * HOUR_MS


def test_logged_in_time_is_the_sum_of_the_states(day: Day, folded: dict[str, Minutes]) -> None:
    """Of each agent: last change less first change less time offline, to the millisecond."""
    for agent, changes in day.items():
        first, last = to_ms(changes[0].at), to_ms(changes[-1].at)
        offline = sum(to_ms(b.at) - to_ms(a.at) for a, b in pairwise(changes) if a.state == "offline")

        assert sum(folded[agent].values()) == last - first - offline, agent


def test_no_minute_has_more_than_a_minute(day: Day, folded: dict[str, Minutes]) -> None:
    """A minute in which the agent was logged in throughout has 60,000 ms, every other one its part, none more."""
    for agent, changes in day.items():
        assert folded[agent] == by_hand(changes), agent
        assert max(folded[agent].values()) == MINUTE_MS


def by_hand(changes: Iterable[StateChanged]) -> Minutes:
    """Time logged in by minute, cut out of the stays one by one."""
    found: Minutes = defaultdict(int)
    for start, end in logged_in(changes):
        for minute in range(start // MINUTE_MS, (end - 1) // MINUTE_MS + 1):
            found[minute] += min(end, (minute + 1) * MINUTE_MS) - max(start, minute * MINUTE_MS)
    return {minute: ms for minute, ms in found.items() if ms}


def test_a_live_engine_has_the_same_minutes(folded: dict[str, Minutes], live: dict[str, Minutes]) -> None:
    """What was flushed while the day went on, minute by minute, is what the fold makes of the whole day."""
    assert len(live) == LIVE
    for agent, minutes in live.items():
        assert minutes == folded[agent], agent


def test_a_lost_change_would_show(day: Day) -> None:
    """The negative control: without one logout the sums of an agent differ."""
    changes = next(changes for changes in day.values() if any(c.state == "offline" for c in changes[:-1]))
    lost = next(number for number, change in enumerate(changes[:-1]) if change.state == "offline")

    right, wrong = by_fold(changes), by_fold(changes[:lost] + changes[lost + 1 :])

    assert sum(wrong.values()) > sum(right.values())
