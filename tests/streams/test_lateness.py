"""Facts that are too old or too far ahead to be folded: dead letters, with the reason (P1)."""

from __future__ import annotations

import pytest

from schemas.times import MINUTE_MS
from streams.core.log import Item
from tests.streams.floors import DAWN
from tests.streams.judges import Notes
from tests.streams.runs import new_engine
from tests.streams.test_clockwork import DAY_MINUTES, ticked
from tests.streams.test_restart import handled


@pytest.mark.parametrize(("ahead_s", "reasons"), [(120, []), (121, ["future"])])
def test_from_the_future_goes_to_the_dead_letters(ahead_s: int, reasons: list[str]) -> None:
    """Up to two minutes ahead of the broker is a clock that is off; beyond it is no fact."""
    found = handled(0, ahead_s / 60)
    engine = new_engine(event_clock=False, judge=Notes())

    engine.apply(Item(0, DAWN, found.payload, b"k", found.record, content=1))

    assert [letter.reason for letter in engine.take_outbox().letters] == reasons
    assert (engine.dead, engine.rows) == (len(reasons), 1 - len(reasons))


@pytest.mark.parametrize(
    ("kept_days", "log_days", "age_days", "reasons"),
    [
        (35, 36, 32.9, []),
        (35, 36, 33, ["too_late"]),
        (35, 32.9, 300, []),
        (7, 10, 4.9, []),
        (7, 10, 5, ["too_late"]),
        (90, 50, 49, []),
    ],
)
def test_too_late_is_what_the_raw_events_no_longer_reach(
    kept_days: int, log_days: float, age_days: float, reasons: list[str]
) -> None:
    """Two days less than they are kept; while the log is younger than that, history of any age is taken."""
    now, day = round(log_days * DAY_MINUTES), DAY_MINUTES
    old = handled(1, now - age_days * day)
    engine = new_engine(event_clock=False, judge=Notes(), kept_ms=kept_days * day * MINUTE_MS)
    engine.apply(ticked(0, 0))

    engine.apply(Item(1, DAWN + now * MINUTE_MS, old.payload, b"", old.record, content=1))

    assert [letter.reason for letter in engine.take_outbox().letters] == reasons


@pytest.mark.parametrize(("began_day", "at_day", "reasons"), [(0, 6.9, ["too_late"]), (0, 7.1, []), (7.1, -300, [])])
def test_what_a_shorter_retention_let_go_makes_facts_too_late(
    began_day: float, at_day: float, reasons: list[str]
) -> None:
    """
    Raised from 35 days to 90 on day 40: what was stored up to day 5 is gone; a log that began later is all there.

        day 0       5        7                  40                50
            gone ---|  spare |--- taken --------^ raised          now
    """
    now = 50 * DAY_MINUTES
    old = handled(1, at_day * DAY_MINUTES)
    gone_ms, kept_ms = DAWN + 5 * DAY_MINUTES * MINUTE_MS, 90 * DAY_MINUTES * MINUTE_MS
    engine = new_engine(event_clock=False, judge=Notes(), kept_ms=kept_ms, gone_before_ms=gone_ms)
    engine.apply(ticked(0, began_day * DAY_MINUTES))

    engine.apply(Item(1, DAWN + now * MINUTE_MS, old.payload, b"", old.record, content=1))

    assert [letter.reason for letter in engine.take_outbox().letters] == reasons


def test_a_correction_is_too_late_as_soon_as_what_it_corrects_is() -> None:
    """A contact of the first day cannot be taken back, so it must not count today as well."""
    engine = new_engine(event_clock=False, judge=Notes())
    first, now = handled(1, 0), 40 * DAY_MINUTES
    for item in (ticked(0, 0), first._replace(offset=1)):
        engine.apply(item)
    known = engine.remembered.get(first.record.identity)  # type: ignore[union-attr]
    moved = handled(1, now).record.model_copy(update={"revision": 1})  # type: ignore[union-attr]

    engine.apply(Item(2, DAWN + now * MINUTE_MS, b"", b"", moved, content=2, prior=known))

    (letter,) = engine.take_outbox().letters
    assert (letter.reason, letter.detail) == (
        "too_late",
        "revision: 0, which it replaces, is of 2026-03-02T08:00:00+00:00: older than the raw events that are kept",
    )
    assert engine.rows == 1
