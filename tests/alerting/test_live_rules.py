"""Rules on what lasts: the time in a state and the longest wait, told at the instant at which they come true."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from schemas.alerts import alert_id
from schemas.times import from_ms
from tests.alerting.views import MINUTE, NINE, FakeView, OneSubject, away_rule, rule


def test_away_fires_at_its_instant() -> None:
    """
    Away since 9:00 is more than 20 minutes at 9:20 and one millisecond, and the judge says so beforehand.

    at      9:00          9:20      9:20:00.001   9:25
    state   due 9:20+1ms  due       firing        ready: resolved
    """
    floor = OneSubject([away_rule()], FakeView(held=("away", "lunch", NINE)))

    assert floor.at(NINE) == []
    assert floor.due_ms == NINE + 20 * MINUTE + 1
    assert floor.at(NINE + 20 * MINUTE) == []
    assert floor.at(NINE + 20 * MINUTE + 1) == ["breached"]
    assert floor.told[0].evidence[0].what == "away"
    floor.view.held = ("ready", None, NINE + 25 * MINUTE)
    assert floor.at(NINE + 25 * MINUTE) == ["state_left"]


def test_due_of_at_least() -> None:
    """`>=` comes true at the threshold itself."""
    floor = OneSubject([away_rule(comparison=">=", threshold=0.25)], FakeView(held=("away", None, NINE)))

    floor.at(NINE)

    assert floor.due_ms == NINE + 250
    assert floor.at(NINE + 250) == ["breached"]


def test_another_stay_is_another_episode() -> None:
    """An agent who came back and left again between two judgings ends the first episode."""
    floor = OneSubject([away_rule(clear=60)], FakeView(held=("away", None, NINE)))
    floor.at(NINE + 21 * MINUTE)

    floor.view.held = ("away", None, NINE + 22 * MINUTE)

    assert floor.at(NINE + 25 * MINUTE) == ["state_left"]
    assert floor.due_ms == NINE + 42 * MINUTE + 1


def test_stays_that_were_told_late_are_told_apart() -> None:
    """
    Both passed the threshold before the first of them was judged: the second one is another episode all the same.

        9:00 away ......... 9:25 ready | told then: away since 9:01, at 9:27 that it was left, and away since 9:03
    """
    floor = OneSubject([away_rule()], FakeView(held=("away", None, NINE)))
    floor.at(NINE + 21 * MINUTE)
    floor.view.held = ("ready", None, NINE + 25 * MINUTE)
    floor.at(NINE + 25 * MINUTE)

    floor.view.held = ("away", None, NINE + 1 * MINUTE)
    assert floor.at(NINE + 26 * MINUTE) == ["breached"]
    assert floor.at(NINE + 26 * MINUTE + 5_000) == []
    floor.view.held = ("away", None, NINE + 3 * MINUTE)

    assert floor.at(NINE + 27 * MINUTE) == ["state_left", "breached"]


def test_another_reason_is_the_same_stay() -> None:
    """
    A rule for any reason counts from the entry into the state, one for a reason from the entry for it.

    away    break 9:00 -------- lunch 9:10 -------- 9:20:00.001
    any     due 9:20:00.001                         firing, and goes on when the reason changes again
    lunch                       due 9:30:00.001
    """
    any_reason, of_lunch = away_rule(id="any"), away_rule(id="lunch", reason="lunch")
    floor = OneSubject(
        [any_reason, of_lunch], FakeView(held=("away", "lunch", NINE + 10 * MINUTE), in_state_since=NINE)
    )

    assert floor.at(NINE + 20 * MINUTE + 1) == ["breached"]
    floor.view.held = ("away", "training", NINE + 25 * MINUTE)

    assert floor.at(NINE + 25 * MINUTE) == []
    assert [(one.rule, one.state) for one in floor.told] == [("any", "firing")]


def test_reason_and_logging_off() -> None:
    """A rule on one away reason leaves the others alone; logging off ends an away time as `logged_off`."""
    floor = OneSubject([away_rule(reason="coaching")], FakeView(held=("away", "lunch", NINE)))

    assert floor.at(NINE + 30 * MINUTE) == []
    floor.view.held = ("away", "coaching", NINE)
    assert floor.at(NINE + 31 * MINUTE) == ["breached"]
    floor.view.held = ("offline", None, NINE + 32 * MINUTE)
    assert floor.at(NINE + 32 * MINUTE) == ["logged_off"]


def longest_wait() -> OneSubject:
    """A queue with a rule on waits of more than two minutes, and two contacts waiting."""
    wait = rule(
        kpi="longest_wait_s", subject="queue", window="now", threshold=120, clear=60, pairs_with=None, id="wait"
    )
    return OneSubject([wait], FakeView("queue:sales", queue=[(NINE, "c1"), (NINE + MINUTE, "c2")]))


def test_longest_wait() -> None:
    """
    The oldest waiting contact makes the alert, with its exact start; it ends when nobody has waited for long.

    c1 waits from 9:00, c2 from 9:01; c1 leaves at 9:02:30, c2 at 9:03
    """
    floor = longest_wait()

    floor.at(NINE + MINUTE)
    assert floor.due_ms == NINE + 2 * MINUTE + 1
    assert floor.at(floor.due_ms) == ["breached"]
    assert [row.contact for row in floor.told[0].evidence] == ["c1", "c2"]
    floor.view.queue = [(NINE + MINUTE, "c2")]
    assert floor.at(NINE + 150_000) == []
    floor.view.queue = []
    assert floor.at(NINE + 3 * MINUTE) == ["cleared"]


@given(st.lists(st.integers(0, 40 * MINUTE), max_size=30))
def test_instants_do_not_matter_to_live_rules(instants: list[int]) -> None:
    """However often a live rule is judged, the episode starts at the instant at which it came true."""
    floor = OneSubject([away_rule(**{"for": "5m"})], FakeView(held=("away", None, NINE)))

    for offset in [*sorted(instants), 41 * MINUTE]:
        floor.at(NINE + offset)

    exact = NINE + 20 * MINUTE + 1
    assert [one.alert for one in floor.told] == [alert_id("r1", "agent:a1", "now", exact)]


def test_hours_over_midnight_start_a_live_episode() -> None:
    """What was already true when the hours began starts with them, whenever it is judged."""
    night = away_rule(shift_hours={"from": "22:00", "to": "06:00"})
    floor = OneSubject([night], FakeView(held=("away", None, NINE)))
    ten = NINE + 13 * 60 * MINUTE

    assert floor.at(ten - 1) == []
    assert floor.at(ten + 3 * 60 * MINUTE) == ["breached"]
    assert floor.told[0].started_at == from_ms(ten)
