"""States that are taken back when what came before them has long been forgotten."""

from __future__ import annotations

import pytest

from schemas.events import StateChanged, TaskTimed
from schemas.times import MINUTE_MS, from_ms
from streams.core.spans import TTL_MS
from tests.streams.floors import DAWN, Fact, in_log, item_of
from tests.streams.oracle import Sent, panes_of
from tests.streams.runs import Run, new_engine, restarted
from tests.streams.test_clockwork import ticked
from tests.streams.test_engine_against_oracle import clock_of
from tests.streams.test_restart import handled


def entered(name: str, minute: int, *, revision: int = 0, state: str = "ready") -> Fact:
    """The agent enters a state; a revision takes that back."""
    event = StateChanged.model_validate(
        {
            "type": "state_changed",
            "source": "acd",
            "id": name,
            "at": from_ms(DAWN + minute * MINUTE_MS),
            "agent": "a1",
            "state": state,
            "revision": revision,
            "void": revision > 0,
        }
    )
    return Fact(event, 0, 1 + revision)


#   minute      0      1     2     ...  120
#   told        ready  wrap  away
#   at 120             both taken back
TOLD = [
    entered("first", 0),
    entered("second", 1, state="wrap"),
    entered("third", 2, state="away"),
    entered("second", 120, revision=1),
    entered("third", 120, revision=1),
]


def run_of(told: list[Fact]) -> Run:
    """All of it folded under the event clock."""
    run = Run(new_engine(event_clock=True))
    run.fold(map(item_of, in_log(told, event_clock=True)))
    run.finish()
    return run


def test_every_state_that_nobody_ends_ends_by_ttl() -> None:
    """
    A logout that is lost is no reason to miss the next one.

    hour     0        12       13       25       26
    told     ready             ready             (a tick)
    counted  ready ----        ready ----
    """
    engine = new_engine(event_clock=False)

    for offset, fact in enumerate((entered("first", 0), entered("second", 13 * 60))):
        engine.apply(item_of(Sent(offset, fact.event.at_ms, fact.event, 1)))
    engine.apply(ticked(2, 26 * 60))

    agent = engine.subjects["agent:a1"]
    assert agent.time.timeline.now() is None
    assert sum(sums.get("ready_ms", 0) for sums in agent.days.values()) == 2 * TTL_MS


def test_what_is_remembered_of_an_agent_does_not_grow_with_the_day() -> None:
    """A state and a contact in each minute of four hours: those of 90 minutes stay, for up to 5 more."""
    engine = new_engine(event_clock=False)

    for minute in range(240):
        fact = entered(f"s{minute}", minute, state="ready" if minute % 2 else "away")
        engine.apply(item_of(Sent(2 * minute, fact.event.at_ms, fact.event, 1)))
        engine.apply(handled(2 * minute + 1, minute + 0.5))

    time = engine.subjects["agent:a1"].time
    assert 90 <= len(time.timeline.changes) <= 97
    assert 90 <= len(time.engagement.intervals) <= 97


def test_the_state_before_is_open_again() -> None:
    """Only the last two are remembered after two hours; without them the first has not ended, and counts nothing."""
    log = in_log(TOLD, event_clock=True)

    assert run_of(TOLD).panes() == panes_of(log, clock_of(log, event_clock=True)) == {}


def test_what_comes_next_is_known_again_and_ends_the_state_before() -> None:
    """An hour later the agent goes away and comes back: the first state has lasted until then, and ready holds now."""
    told = [*TOLD, entered("fourth", 180, state="away"), entered("fifth", 185)]
    log = in_log(told, event_clock=True)
    run = run_of(told)

    now = run.engine.subjects["agent:a1"].time.timeline.now()
    assert now is not None
    assert now.state == "ready"
    assert run.panes() == panes_of(log, clock_of(log, event_clock=True))
    assert len(run.panes()) == 185


@pytest.mark.parametrize("restarts_after", [None, 5, 6, 7])
def test_what_comes_late_leaves_the_time_of_the_state_before(restarts_after: int | None) -> None:
    """Ready until the next change is in the stored minutes alone: a task of one of them takes nothing of it away."""
    #   minute      0      1     2    ...  90    ...  120                          130    131
    #   told        ready  wrap  away                 the last two are taken back  away   a task of minute 90
    task = TaskTimed(source="desk", id="t", at=from_ms(DAWN + 90 * MINUTE_MS), agent="a1", task="x", seconds=5, units=1)
    told = [*TOLD, entered("fourth", 130, state="away"), Fact(task, 41 * MINUTE_MS, 1)]
    log = in_log(told, event_clock=False)
    run = Run(new_engine(event_clock=False))

    for done, sent in enumerate(log, 1):
        run.fold([item_of(sent)])
        run.finish()
        run = restarted(run) if done == restarts_after else run

    assert run.panes() == panes_of(log, clock_of(log, event_clock=False))
    assert sum(pane.sums.get("ready_ms", 0) for pane in run.panes().values()) == 130 * MINUTE_MS
