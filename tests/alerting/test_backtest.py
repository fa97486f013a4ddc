"""What rules would have told, counted."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from alerting.backtest import Span, Tally, tallies
from schemas.alerts import Transition
from schemas.times import to_ms

MANILA = ZoneInfo("Asia/Manila")
NOON = datetime(2026, 3, 3, 4, tzinfo=UTC)
"""12:00 in Manila."""


def of_days(first: str, after: str, zone: ZoneInfo = MANILA) -> Span:
    """From one local day to another."""
    from_ms, to_ms_ = (to_ms(datetime.fromisoformat(day).replace(tzinfo=zone)) for day in (first, after))
    return Span(from_ms, to_ms_, lambda _site: zone)


SPAN = of_days("2026-03-02", "2026-03-04")


def episode(
    alert: str, at: datetime = NOON, *, lasts_s: float | None = None, agent: str = "a1", **more: Any
) -> list[Transition]:
    """The steps of an alert; `lasts_s`: None while it fires."""
    fields: dict[str, Any] = {
        "alert": alert, "sequence": 1, "state": "firing", "reason": "breached", "at": at, "rule": "wrap",
        "rule_version": 1, "subject": f"agent:{agent}", "kpi": "avg_wrap_s", "window": "60m", "window_from": at,
        "window_to": at, "value": 200.0, "n": 9, "threshold": 180.0, "severity": "watch", "opens": "nothing",
        "team": "t1", "site": "main", "started_at": at,
    }  # fmt: skip
    fires = Transition(**fields | more)
    if lasts_s is None:
        return [fires]
    over = {"sequence": 2, "state": "resolved", "reason": "cleared", "at": at + timedelta(seconds=lasts_s)}
    return [fires, fires.model_copy(update=over)]


def test_each_alert_is_counted_once_whatever_becomes_of_it() -> None:
    """Three alerts of two agents: over after 60 s, after 30 min, and not over."""
    steps = [*episode("x", lasts_s=60), *episode("y", lasts_s=1800), *episode("z", agent="a2")]

    (tally,) = tallies(["wrap"], steps, SPAN)

    assert (tally.alerts, tally.subjects) == (3, 2)
    assert (tally.brief, tally.median_s, tally.lasting) == (1, 930.0, 1)


def test_a_rule_that_tells_nothing_stands_in_the_table() -> None:
    """Rules come in the order of their file, also those without an alert."""
    found = tallies(["quiet", "wrap"], episode("x", lasts_s=600), SPAN)

    assert found[0] == Tally("quiet")
    assert [tally.rule for tally in found] == ["quiet", "wrap"]


def test_the_most_of_a_day_is_by_site_days() -> None:
    """23:30 and 00:30 in Manila are two days, though one in UTC."""
    late = datetime(2026, 3, 2, 15, 30, tzinfo=UTC)
    steps = [*episode("x", late), *episode("y", late + timedelta(hours=1)), *episode("z", NOON)]

    (tally,) = tallies(["wrap"], steps, SPAN)

    assert tally.most_a_day == 2


def test_the_most_to_a_team_leaves_out_alerts_without_one() -> None:
    """Two of team t1, one of t2, four of a queue without a team: two."""
    steps = [*episode("x"), *episode("y"), *episode("z", team="t2")]
    steps += [step for number in range(4) for step in episode(f"q{number}", subject="queue:sales", team="")]

    (tally,) = tallies(["wrap"], steps, SPAN)

    assert (tally.most_a_day, tally.most_to_a_team) == (7, 2)


@pytest.mark.parametrize(
    ("at", "is_counted"),
    [
        ("2026-03-01T15:59:59", False),
        ("2026-03-01T16:00:00", True),
        ("2026-03-03T15:59:59", True),
        ("2026-03-03T16:00:00", False),
    ],
)
def test_an_alert_counts_by_the_instant_at_which_it_fires(at: str, is_counted: bool) -> None:
    """[from, to): what fires before, or at the end, belongs to another span."""
    (tally,) = tallies(["wrap"], episode("x", datetime.fromisoformat(at).replace(tzinfo=UTC)), SPAN)

    assert tally.alerts == is_counted


@pytest.mark.parametrize(("day", "is_counted"), [(1, False), (2, True), (3, True), (4, False)])
def test_a_rule_over_days_counts_by_the_day_that_it_names(day: int, is_counted: bool) -> None:
    """It is judged after midnight: the alert of the last day fires behind the span."""
    named = date(2026, 3, day)
    after = datetime(2026, 3, day, 16, 15, tzinfo=UTC)

    (tally,) = tallies(["wrap"], episode("x", after, day=named, window="14d"), SPAN)

    assert tally.alerts == is_counted
