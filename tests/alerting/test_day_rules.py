"""Rules over days: judged when a site day closes, and only then."""

from __future__ import annotations

from datetime import date, timedelta

from tests.alerting.views import MINUTE, NINE, SHORT_14D, OneSubject

DAY1 = date(2026, 3, 1)


def close(floor: OneSubject, offset: int, handled: int, short: int) -> list[str]:
    """Close a day after the first with these sums of 14 days."""
    floor.view.by_window = {"14d": {"handled": handled, "short_calls": short}}
    day = DAY1 + timedelta(days=offset)
    done = floor.judge.close_day(floor.view, floor.states, day, NINE + offset * 1440 * MINUTE)
    floor.told += done.transitions
    return [one.reason for one in done.transitions]


def test_days_rule_keeps_one_episode() -> None:
    """
    A rule over days fires once and goes on from day to day, until a day's close finds it false.

    day      1     2      3      4      5
    share    16%   17%    15%    14%    16%
    """
    floor = OneSubject([SHORT_14D])

    reasons = [close(floor, offset, 100, short) for offset, short in enumerate((16, 17, 15, 14, 16))]

    assert reasons == [["breached"], [], [], ["cleared"], ["breached"]]
    assert [one.day for one in floor.told] == [date(2026, 3, day) for day in (1, 4, 5)]
    assert len({one.alert for one in floor.told}) == 2


def test_days_rule_is_judged_at_closes_only() -> None:
    """Between two closes a rule over days is not judged, and a day that was judged is not judged again."""
    floor = OneSubject([SHORT_14D])
    close(floor, 0, 100, 16)

    floor.view.by_window = {"14d": {"handled": 100, "short_calls": 1}}

    assert floor.at(NINE + MINUTE) == []
    assert close(floor, 0, 100, 1) == []
    assert close(floor, 1, 40, 20) == ["too_few"]


def test_changed_days_rule_closes_at_the_next_judging() -> None:
    """A rule over days that changed closes its episode without waiting for the end of the day."""
    floor = OneSubject([SHORT_14D])
    close(floor, 0, 100, 16)

    floor.applies([])

    assert floor.at(NINE + MINUTE) == ["rule_changed"]
