"""Every pane equals a recomputation from the raw events, to the last digit (promise P2)."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.events import ContactHandled, ShiftPlanned
from streams.core import identity
from tests.streams.floors import DAWN, DAYS_LATER, Fact, facts, in_log, item_of
from tests.streams.oracle import TTL, Sent, counting, milliseconds, panes_of
from tests.streams.runs import STEPS, Run, new_engine
from tests.streams.test_restart import away, handled


def clock_of(log: list[Sent], *, event_clock: bool) -> int:
    """The time that a log has brought."""
    if not event_clock:
        return max(sent.broker_ms for sent in log)
    happened = [milliseconds(sent.event.at) for sent in log if not isinstance(sent.event, ShiftPlanned)]
    return max((at for at in happened if at <= DAYS_LATER), default=-1)


@pytest.mark.parametrize("event_clock", [False, True])
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(told=facts(16), steps=st.lists(st.sampled_from(STEPS), max_size=60))
def test_every_pane_equals_the_raw_events(
    monkeypatch: pytest.MonkeyPatch, event_clock: bool, told: list[Fact], steps: list[str]
) -> None:
    """Whatever came twice, late, revised, void or in conflict, and whenever flushes let go of panes and ids."""
    monkeypatch.setattr(identity, "REMEMBERED", 3)
    log = in_log(told, event_clock=event_clock)
    run = Run(new_engine(event_clock=event_clock))

    run.fold(map(item_of, log), steps)
    run.finish()

    assert run.panes() == panes_of(log, clock_of(log, event_clock=event_clock))


def test_the_oracle_counts_the_highest_revision_only() -> None:
    """The oracle itself: of a fact in three revisions one counts, of a void one none."""
    first = handled(0, 1).record
    assert isinstance(first, ContactHandled)
    told = [Fact(first.model_copy(update={"revision": number}), number, 1) for number in (0, 2, 1)]
    void = Fact(first.model_copy(update={"revision": 3, "void": True}), 3, 1)

    assert [sent.event.revision for sent in counting(in_log(told, event_clock=False))] == [2]
    assert counting(in_log([*told, void], event_clock=False)) == []


def test_the_oracle_ends_a_forgotten_state_after_twelve_hours() -> None:
    """The oracle itself: 720 full minutes, and not one more."""
    log = [Sent(0, DAWN, away(0, 0).record, 1)]  # type: ignore[arg-type]

    found = panes_of(log, DAWN + TTL)

    assert len(found) == 720
    assert {pane.sums["away_ms"] for pane in found.values()} == {60_000}
    assert [pane.sums for pane in panes_of(log, DAWN + TTL - 1).values()] == [{"aways": 1}]
