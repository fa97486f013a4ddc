"""Rolling windows: running totals that equal the sums over their minutes at every instant."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.core.panes import Panes, Rolling

LENGTHS = (1, 5, 15, 60)
Step = tuple[str, int, int]


def steps() -> st.SearchStrategy[list[Step]]:
    """(add or slide, minute or minutes, value)."""
    adds = st.tuples(st.just("add"), st.integers(0, 200), st.sampled_from([-2, -1, 1, 3]))
    slides = st.tuples(st.just("slide"), st.sampled_from([0, 1, 1, 2, 14, 61, 90]), st.just(0))
    return st.lists(st.one_of(adds, slides), max_size=40)


def naive(added: list[tuple[int, int]], last: int, length: int) -> int:
    """The plain sum."""
    return sum(value for minute, value in added if last - length < minute <= last)


@settings(max_examples=100, deadline=None)
@given(steps=steps())
def test_running_totals_equal_the_sums_over_their_minutes(steps: list[Step]) -> None:
    """After every step, for every length, whatever was added late or taken back: of a group, and of a subject."""
    panes, rolling = Panes(), Rolling(LENGTHS, 100)
    added: list[tuple[int, int]] = []
    for kind, number, value in steps:
        if kind == "slide":
            rolling.slide(rolling.last + number)
        else:
            panes.add(number, ("", ""), {"handled": value}, 1, 0, None)
            rolling.add(number, {"handled": value})
            added.append((number, value))

        last, wanted = rolling.last, {length: naive(added, rolling.last, length) for length in LENGTHS}
        assert {length: sums.get("handled", 0) for length, sums in rolling.totals.items()} == wanted
        found = panes.windows(last, LENGTHS)
        assert {length: sums.get("handled", 0) for length, sums in found.items()} == wanted
        one = {length: panes.sums(last - length + 1, last, frozenset({"handled"})) for length in LENGTHS}
        assert {length: sums.get("handled", 0) for length, sums in one.items()} == wanted


def five_minutes(contacts: list[int], last: int) -> int:
    """Contacts in the five minutes that end with `last`."""
    rolling = Rolling([5], 0)
    for minute in contacts:
        rolling.add(minute, {"handled": 1})
    for minute in range(1, last + 1):
        rolling.slide(minute)
    return rolling.totals[5].get("handled", 0)


def test_a_window_of_five_minutes_holds_the_minutes_that_end_with_the_last() -> None:
    """Minute 3 is in the windows that end with minutes 3 to 7."""
    #   minute   2   3   4   5   6   7   8
    #   contact      x
    #   in           |---------------|
    assert [five_minutes([3], last) for last in (2, 3, 7, 8)] == [0, 1, 1, 0]


def test_what_comes_to_nothing_leaves_no_column() -> None:
    """A sum that is taken back is absent, not zero."""
    rolling = Rolling([5], 3)
    for value in (1, -1):
        rolling.add(3, {"handled": value})

    assert rolling.totals == {5: {}}
