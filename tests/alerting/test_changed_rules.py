"""Rules that are changed or gone while they fire."""

from __future__ import annotations

from schemas.times import from_ms
from tests.alerting.views import MINUTE, NINE, FakeView, OneSubject, away_rule, handle_time, rule


def test_changed_rule_ends_its_episode() -> None:
    """A rule whose threshold changes closes its episode; the new one starts its own with another id."""
    floor = OneSubject([rule()], FakeView(by_window=handle_time(120)))
    floor.at(NINE)

    floor.applies([rule(threshold=110)])

    assert floor.at(NINE + 5_000) == ["rule_changed", "breached"]
    fired, closed, again = floor.told
    assert (closed.alert, closed.sequence, closed.threshold) == (fired.alert, 2, 100)
    assert again.alert != fired.alert


def test_changed_live_rule_does_not_bring_the_old_alert_back() -> None:
    """A live rule of another severity is judged anew from the change on, not from the start of the old episode."""
    floor = OneSubject([away_rule()], FakeView(held=("away", None, NINE)))
    floor.at(NINE + 30 * MINUTE)

    floor.applies([away_rule(severity="act")])
    reasons = floor.at(NINE + 31 * MINUTE)

    assert reasons == ["rule_changed", "breached"]
    assert floor.told[-1].started_at == from_ms(NINE + 31 * MINUTE)


def test_vanished_rule_ends_its_episode() -> None:
    """A rule that is no longer there closes its episode, and the transition still says what it was about."""
    floor = OneSubject([rule()], FakeView(by_window=handle_time(120)))
    floor.at(NINE)

    floor.applies([])

    assert floor.at(NINE + 5_000) == ["rule_changed"]
    assert (floor.told[-1].kpi, floor.told[-1].window, floor.told[-1].rule_version) == ("aht_s", "60m", 8)
    assert floor.at(NINE + 10_000) == []


def test_a_rule_that_went_before_the_last_revision_is_known_too() -> None:
    """Two may apply within the minute of a group: who heard of the alert hears of its end, and what it was about."""
    floor = OneSubject([rule(receiver="manager")], FakeView(by_window=handle_time(120)))
    floor.at(NINE)

    floor.applies([])
    floor.applies([away_rule(id="another")])

    assert floor.at(NINE + 5_000) == ["rule_changed"]
    assert (floor.told[-1].kpi, floor.told[-1].window, floor.told[-1].receiver) == ("aht_s", "60m", "manager")


def test_a_rule_has_the_same_version_from_release_to_release() -> None:
    """Were it made in another way, an update of the program would end every episode and begin it anew."""
    assert rule().version() == 121_792_368_901_794


def test_rewording_goes_on() -> None:
    """Another text, or another revision with the same rule, leaves the episode alone."""
    floor = OneSubject([rule()], FakeView(by_window=handle_time(120)))
    floor.at(NINE)

    floor.applies([rule(text="Look at it."), away_rule(id="another")])

    assert floor.at(NINE + 5_000) == []
