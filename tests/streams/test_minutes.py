"""Values by minute are the same whether they rest or not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import from_json, to_json

from streams.core.minutes import Minutes
from streams.core.panes import Pane, Panes

HORIZON, RESTING = 10, 20
MINUTE = st.integers(5, 25)
STEP = st.one_of(
    st.tuples(st.just("set"), MINUTE),
    st.tuples(st.just("change"), MINUTE),
    st.tuples(st.just("read"), MINUTE),
    st.tuples(st.just("settle"), MINUTE),
)


@given(st.lists(STEP, max_size=30))
def test_a_value_that_rested_is_what_it_was(steps: list[tuple[str, int]]) -> None:
    """
    Set, change, read and settle in any order: what is read is what a plain dict would hold.

    minutes   5 ........ 10 ......... 20 ....... 25
                forgotten     resting      awake       after a settle, but for the one that is busy
    """
    minutes: Minutes[dict[str, int], bytes] = Minutes(to_json, from_json)
    plain: dict[int, dict[str, int]] = {}
    for number, (step, minute) in enumerate(steps):
        if step == "set":
            minutes[minute], plain[minute] = {"talk_ms": number}, {"talk_ms": number}
        elif step == "change" and (held := minutes.wake(minute)) is not None:
            held["talk_ms"] = plain[minute]["talk_ms"] = number
        elif step == "settle":
            minutes.settle(HORIZON, RESTING, {minute})
            plain = {at: value for at, value in plain.items() if at >= HORIZON or at == minute}
        assert minutes.get(minute) == plain.get(minute)
        assert (dict(minutes.items()), set(minutes), len(minutes)) == (plain, set(plain), len(plain))
        assert all(at in minutes for at in plain)


def test_what_rests_is_kept_as_json() -> None:
    """Else it would take eight times the room; what is busy is about to be written, and stays as it is."""
    minutes: Minutes[dict[str, int], bytes] = Minutes(to_json, from_json)
    for minute in (9, 10, 15, 19, 20):
        minutes[minute] = {"talk_ms": minute}

    minutes.settle(HORIZON, RESTING, {15})

    assert minutes.asleep == {10: b'{"talk_ms":10}', 19: b'{"talk_ms":19}'}
    assert set(minutes.awake) == {15, 20}


def test_a_pane_that_rested_is_added_to_as_if_it_had_not() -> None:
    """A contact of an hour ago joins its cell; the window that ends an hour later has both."""
    panes, cell = Panes(), ("sales", "voice")
    panes.add(30, cell, {"handled": 1, "talk_ms": 5_000}, 1, 7, 5_000)
    panes.freeze()
    panes.evict(0)
    assert set(panes.minutes.asleep) == {30}

    panes.add(30, cell, {"handled": 1, "talk_ms": 9_000}, 1, 8, 9_000)

    ((_, _, pane),) = panes.freeze()
    assert _told(pane) == ({"handled": 2, "talk_ms": 14_000}, [5_000, 9_000], 8)
    assert panes.windows(89, (5, 60)) == {5: {}, 60: {"handled": 2, "talk_ms": 14_000}}


def _told(pane: Pane) -> tuple[dict[str, int], list[int], int]:
    return pane.sums, pane.handle_times, pane.version
