"""Rolling windows: running totals that equal the sums over their minutes at every instant."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.alerts import Look, Window
from schemas.times import MINUTE_MS
from streams.core.panes import RESIDENT_MINUTES, Panes, add_to
from tests.streams.floors import DAWN
from tests.streams.judges import Notes
from tests.streams.runs import new_engine
from tests.streams.test_clockwork import ticked
from tests.streams.test_restart import handled

LENGTHS = (1, 5, 15, 60)
SENT_LATE_MINUTES = 60
LOOKS = {
    length: Look(Window("rolling", minutes=length), frozenset({"handled"}), ("away:",)) for length in (*LENGTHS, 80)
}
Step = tuple[str, int, int]


def steps() -> st.SearchStrategy[list[Step]]:
    """(add, minutes before the last, value), (slide, minutes, 0), (look, length, 0) or (write, 0, 0)."""
    adds = st.tuples(st.just("add"), st.integers(-2, SENT_LATE_MINUTES), st.sampled_from([-2, -1, 1, 3]))
    slides = st.tuples(st.just("slide"), st.sampled_from([0, 1, 1, 2, 14, 31, 61, 90]), st.just(0))
    looks = st.tuples(st.just("look"), st.sampled_from(sorted(LOOKS)), st.just(0))
    return st.lists(st.one_of(adds, slides, looks, st.just(("write", 0, 0))), max_size=60)


def test_the_windows_that_are_written_end_with_the_minute_that_runs() -> None:
    """
    Each with what it holds, an empty one too; the day and, without a plan, the shift began at midnight.

    minute     1         31 ... 36 ... 40 ... 46 ... 50
    contacts   x                       x             (a flush)
    """
    engine = new_engine(event_clock=False, judge=Notes())
    for item in (handled(0, 1), handled(1, 40), ticked(2, 50)):
        engine.apply(item)

    rows = [row for row in engine.freeze().windows if row.subject == "agent:a1"]

    assert [(row.window, (row.opened_ms - DAWN) // MINUTE_MS, row.sums.get("handled", 0)) for row in rows] == [
        ("5m", 46, 0), ("15m", 36, 1), ("30m", 21, 1), ("60m", -9, 2), ("day", -480, 2), ("shift", -480, 2),
    ]  # fmt: skip
    assert {row.closed_ms - DAWN for row in rows} == {50 * MINUTE_MS}


def test_what_comes_to_nothing_is_no_column() -> None:
    """Sums from which everything was taken back equal those to which nothing was ever added."""
    totals = add_to({"handled": 2, "talk_ms": 60}, {"handled": 1, "talk_ms": 60, "wrap_ms": 0}, -1)

    assert totals == {"handled": 1}


def naive(added: list[tuple[int, int]], last: int, length: int) -> int:
    """The plain sum."""
    return sum(value for minute, value in added if last - length < minute <= last)


@settings(max_examples=300, deadline=None)
@given(steps=steps())
def test_running_totals_equal_the_sums_over_their_minutes(steps: list[Step]) -> None:
    """Whenever somebody looks, whatever was added late or taken back, and whatever was let go since."""
    panes, last = Panes(), 100
    added: list[tuple[int, int]] = []
    for kind, number, value in [*steps, *(("look", length, 0) for length in LOOKS), ("write", 0, 0)]:
        if kind == "slide":
            last += number
            panes.freeze()
            panes.evict(last + 1 - RESIDENT_MINUTES)
        elif kind == "add":
            panes.add(last - number, ("", ""), {"handled": value, "away:lunch": value, "talk_ms": 7}, 1, 0, None)
            added.append((last - number, value))
        elif kind == "write":
            written = {length: sums.get("handled", 0) for length, sums in panes.windows(last, LENGTHS).items()}
            assert written == {length: naive(added, last, length) for length in LENGTHS}
        else:
            looked = panes.window(last, number, LOOKS[number])
            wanted = naive(added, last, number)
            assert (looked.get("handled", 0), looked.get("away:lunch", 0)) == (wanted, wanted)
            assert "talk_ms" not in looked

    wanted_of = {length: naive(added, last, length) for length in LENGTHS}
    one = {length: panes.window(last, length) for length in LENGTHS}
    assert {length: sums.get("handled", 0) for length, sums in one.items()} == wanted_of


def five_minutes(contacts: list[int], last: int) -> int:
    """Contacts in the five minutes that end with `last`."""
    panes = Panes()
    for minute in contacts:
        panes.add(minute, ("", ""), {"handled": 1}, 1, 0)
    return panes.window(last, 5, LOOKS[5]).get("handled", 0)


def test_a_window_of_five_minutes_holds_the_minutes_that_end_with_the_last() -> None:
    """Minute 3 is in the windows that end with minutes 3 to 7."""
    #   minute   2   3   4   5   6   7   8
    #   contact      x
    #   in           |---------------|
    assert [five_minutes([3], last) for last in (2, 3, 7, 8)] == [0, 1, 1, 0]


def test_what_comes_to_nothing_leaves_no_column() -> None:
    """A sum that is taken back is absent from what is written, not zero."""
    panes = Panes()
    for value in (1, -1):
        panes.add(3, ("", ""), {"handled": value}, 1, 0)

    assert panes.windows(3, [5]) == {5: {}}
