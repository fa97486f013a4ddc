"""Since when an agent is in a state, whatever the reasons were: what is forgotten on the way changes nothing."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from schemas.times import HOUR_MS, MINUTE_MS
from streams.core.spans import TTL_MS, Change, Timeline

STEPS = st.lists(
    st.tuples(st.sampled_from(["away", "ready"]), st.sampled_from(["", "lunch"]), st.integers(1, 200)), min_size=1
)


def timeline_of(steps: list[tuple[str, str, int]], *, pruned_each: int = 0) -> Timeline:
    """Enter one state after the other, each so many minutes after the one before."""
    timeline, at = Timeline(), 0
    for number, (state, reason, minutes) in enumerate(steps, start=1):
        at += minutes * MINUTE_MS
        timeline.insert(Change(at, number, state, reason, f"s{number}"), at)
        if pruned_each and number % pruned_each == 0:
            timeline.prune(at - HOUR_MS)
            timeline = Timeline.load(json.loads(json.dumps(timeline.dump())))
    return timeline


def test_a_stay_goes_on_when_its_reason_changes() -> None:
    """
    Ready, away for a break, for lunch, for training.

    minute   10      20     30      40
    state    ready   away   away    away
    """
    timeline = timeline_of([("ready", "", 10), ("away", "break", 10), ("away", "lunch", 10), ("away", "training", 10)])

    assert timeline.since() == 20 * MINUTE_MS


def test_a_state_that_ended_by_itself_is_another_stay() -> None:
    """Nobody said anything for more than 12 hours: the state of before is over."""
    timeline = timeline_of([("away", "break", 10), ("away", "lunch", TTL_MS // MINUTE_MS + 1)])

    assert timeline.since() == 10 * MINUTE_MS + TTL_MS + MINUTE_MS


def test_taking_back_the_first_that_is_remembered_forgets_what_was_before_it() -> None:
    """What the state was before it is not known: the stay begins with the next."""
    timeline = timeline_of([("away", "", 10)] * 4)
    timeline.prune(200 * MINUTE_MS)
    assert timeline.since() == 10 * MINUTE_MS

    timeline.remove("s3", 40 * MINUTE_MS)

    assert timeline.since() == 40 * MINUTE_MS


@given(STEPS, st.integers(1, 4))
def test_forgetting_and_loading_change_no_stay(steps: list[tuple[str, str, int]], each: int) -> None:
    """Whatever was pruned, and however often it was dumped."""
    assert timeline_of(steps, pruned_each=each).since() == timeline_of(steps).since()
