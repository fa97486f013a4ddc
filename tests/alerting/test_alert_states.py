"""The life of an alert, step by step: the table of every state and finding, and what holds over any timeline."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerting.states import Ending, Finding, Pace, step
from schemas.alerts import Reason, RuleState

PACE = Pace(for_ms=300, keep_ms=120)
NOW = 10_000

# state before, what was found, state after, reason of the transition
TABLE = [
    ("inactive", "breached", "pending", None),
    ("inactive", "between", "inactive", None),
    ("inactive", "calm", "inactive", None),
    ("pending", "breached", "pending", None),
    ("pending", "between", "inactive", None),
    ("pending", "calm", "inactive", None),
    ("firing", "breached", "firing", None),
    ("firing", "between", "firing", None),
    ("firing", "calm", "keep_firing", None),
    ("keep_firing", "breached", "firing", None),
    ("keep_firing", "between", "keep_firing", None),
    ("keep_firing", "calm", "keep_firing", None),
    *[(state, ending, "inactive", None) for state in ("inactive", "pending") for ending in get_args(Ending)],
    *[(state, ending, "inactive", ending) for state in ("firing", "keep_firing") for ending in get_args(Ending)],
]


@pytest.mark.parametrize(("before", "found", "after", "reason"), TABLE)
def test_table(before: str, found: Finding, after: str, reason: str | None) -> None:
    """Every state answers every finding as the table says, while neither `for` nor `keep_firing_for` is over."""
    state = RuleState(state=before, since_ms=NOW - 100, keep_since_ms=NOW - 50)  # type: ignore[arg-type]

    result = step(state, found, NOW, PACE, NOW)

    assert (result.state.state, result.reason) == (after, reason)


def test_table_is_whole() -> None:
    """The table has a row for each state and each finding."""
    findings = {"breached", "between", "calm", *get_args(Ending)}

    rows = {(before, found) for before, found, _, _ in TABLE}

    assert rows == {(s, f) for s in ("inactive", "pending", "firing", "keep_firing") for f in findings}
    assert len(rows) == len(TABLE)


def test_fires_after_for() -> None:
    """
    A breach fires once it has lasted for `for`, and says when that will be.

    time    10000      10299    10300
    found   breached   breached breached
    state   pending    pending  firing
    """
    first = step(RuleState(), "breached", 10_000, PACE, 10_000)
    early = step(first.state, "breached", 10_299, PACE, 10_299)
    last = step(early.state, "breached", 10_300, PACE, 10_300)

    assert (first.due_ms, early.due_ms, early.reason) == (10_300, 10_300, None)
    assert (last.reason, last.state.since_ms) == ("breached", 10_000)


def test_one_false_drops_pending() -> None:
    """
    A pending rule forgets the breach at the first finding that is none; the next counts from its own start.

    time    10000      10200   10250      10549
    found   breached   calm    breached   breached
    """
    state = RuleState()
    for now, found in ((10_000, "breached"), (10_200, "calm"), (10_250, "breached")):
        state = step(state, found, now, PACE, now).state  # type: ignore[arg-type]

    assert step(state, "breached", 10_549, PACE, 10_549).reason is None
    assert step(state, "breached", 10_550, PACE, 10_550).state.since_ms == 10_250


def test_kept_firing_resolves_after_keep() -> None:
    """
    A calm alert is kept for `keep_firing_for`, and a breach within it goes on with the same episode.

    time    10000  10100      10150  10269  10270
    found   calm   breached   calm   calm   calm
    """
    state = RuleState("firing", since_ms=9_000, alert="x")
    for now, found in ((10_000, "calm"), (10_100, "breached"), (10_150, "calm"), (10_269, "calm")):
        done = step(state, found, now, PACE, now)  # type: ignore[arg-type]
        state = done.state
    last = step(state, "calm", 10_270, PACE, 10_270)

    assert (done.state.state, done.state.alert, done.due_ms) == ("keep_firing", "x", 10_270)
    assert last.reason == "cleared"


def test_no_second_episode_with_the_same_start() -> None:
    """After an end the next episode starts later than the one before, even where its breach seems to be older."""
    ended = step(RuleState("firing", since_ms=10_000), "too_few", 10_000, Pace(), 10_000).state

    again = step(ended, "breached", 10_000, Pace(), 9_000)
    later = step(ended, "breached", 10_001, Pace(), 9_000)

    assert (again.reason, again.due_ms) == (None, 10_001)
    assert (later.reason, later.state.since_ms) == ("breached", 10_001)


findings = st.lists(st.sampled_from(["breached", "between", "calm", "too_few"]), max_size=60)


def _fired(timeline: list[str], pace: Pace) -> tuple[list[int], list[Reason]]:
    """Starts of the episodes that fired, and all reasons in order; the timeline has a finding each 100 ms."""
    state = RuleState()
    starts: list[int] = []
    reasons: list[Reason] = []
    for index, found in enumerate(timeline):
        done = step(state, found, NOW + index * 100, pace, NOW + index * 100)  # type: ignore[arg-type]
        state = done.state
        if done.reason:
            reasons.append(done.reason)
        if done.reason == "breached":
            starts.append(state.since_ms)
    return starts, reasons


@given(findings)
def test_an_episode_fires_once(timeline: list[str]) -> None:
    """Over any timeline firing and resolving take turns, and no two episodes have the same start."""
    starts, reasons = _fired(timeline, PACE)

    assert all(reason == "breached" for reason in reasons[::2])
    assert all(reason != "breached" for reason in reasons[1::2])
    assert len(set(starts)) == len(starts)


@given(st.lists(st.sampled_from(["breached", "between"]), max_size=60))
def test_flapping_inside_hysteresis(timeline: list[str]) -> None:
    """What goes over the threshold and back, but never as far as the clear threshold, is one episode."""
    starts, _ = _fired(["breached", *timeline], Pace())

    assert starts == [NOW]


@given(findings)
def test_unbroken_breach_fires_when_long_enough(timeline: list[str]) -> None:
    """A breach of `for` without a break fires whatever came before, unless its alert is still firing."""
    starts, reasons = _fired([*timeline, "breached", "breached", "breached", "breached"], PACE)

    assert starts
    assert reasons[-1] == "breached"
