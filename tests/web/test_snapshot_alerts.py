"""Alerts joined with what people did, and the series around them."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest

from floorpulse.web.alert_views import Marks, alert_views, state_of
from floorpulse.web.formats import ago, duration, percent
from floorpulse.web.fragments import Area, Published, publish
from floorpulse.web.queries import MinuteRow
from floorpulse.web.record_queries import AlertRow
from floorpulse.web.series import frame_of, plot_data
from floorpulse.web.sparkline import bars, line
from records.core.alerts import Handling
from schemas.registry import Floor, Registry
from schemas.times import DAY_MS, HOUR_MS, MINUTE_MS

NOW = 20_000 * DAY_MS + 14 * HOUR_MS
REGISTRY = Registry(Floor())


def row(**more: Any) -> AlertRow:
    values: dict[str, Any] = {
        "alert": "a1", "sequence": 1, "state": "firing", "reason": "breached", "at_ms": NOW, "rule": "r",
        "rule_version": 1, "subject": "agent:a", "kpi": "short_call_share", "window": "30m",
        "from_ms": NOW - 30 * MINUTE_MS, "to_ms": NOW, "value": 0.3, "n": 20, "threshold": 0.15, "severity": "watch",
        "opens": "nothing", "team": "", "started_ms": NOW,
    }  # fmt: skip
    return AlertRow(**values | more)


@pytest.mark.parametrize(
    ("rule_state", "handled", "until_ms", "state"),
    [
        ("firing", "new", 0, "firing"),
        ("firing", "acknowledged", 0, "acknowledged"),
        ("firing", "snoozed", NOW + 1, "snoozed"),
        ("firing", "snoozed", NOW, "firing"),
        ("firing", "escalated", 0, "escalated"),
        ("firing", "dismissed", 0, "dismissed"),
        ("resolved", "acknowledged", 0, "over"),
        ("resolved", "dismissed", 0, "dismissed"),
    ],
)
def test_the_state_of_an_alert_is_that_of_its_rule_and_what_people_did(
    rule_state: str, handled: Any, until_ms: int, state: str
) -> None:
    """A snooze that ran out fires again; what is over is over, whoever had it."""
    assert state_of(row(state=rule_state), Marks(Handling(handled), until_ms), NOW) == state


@pytest.mark.parametrize(
    ("handled", "words"),
    [
        ("new", ""),
        ("acknowledged", "l01 has it"),
        ("escalated", "escalated by l01"),
        ("dismissed", "dismissed by l01"),
    ],
)
def test_an_alert_says_who_did_what_with_it(handled: Any, words: str) -> None:
    """What was handed on is still for somebody to take."""
    (view,) = alert_views([row(alert="x")], {"x": Marks(Handling(handled, by="l01"))}, {}, REGISTRY, NOW)

    assert view.handling_words == words
    assert view.needs_a_person == (handled != "dismissed")


def test_what_fires_comes_before_what_is_over_and_act_before_watch() -> None:
    """The inbox is sorted by urgency, in whatever order the steps come."""
    rows = [row(alert="over"), row(alert="over", sequence=2, state="resolved"), row(alert="w"),
            row(alert="a", severity="act")]  # fmt: skip
    random.Random(1).shuffle(rows)

    assert [view.id for view in alert_views(rows, {}, {}, REGISTRY, NOW)] == ["a", "w", "over"]


def test_a_point_of_the_plot_looks_back_over_the_alerts_own_window() -> None:
    """The value at the instant of the alert is that of the rule: the sums of the 30 minutes before it."""
    minutes = [MinuteRow("", NOW - m * MINUTE_MS, {"handled": 1, "short_calls": int(m <= 15)}) for m in range(1, 61)]
    frame = frame_of(row(), {}, REGISTRY, NOW)
    data = plot_data(frame, minutes, row(), {"clear": 0.1})

    assert data["x"][-1] == NOW // 1000
    assert (data["y"][-1], data["n"][-1]) == (0.5, 30)
    assert (data["threshold"], data["clear"]) == (0.15, 0.1)


def test_a_rule_over_days_is_drawn_by_site_days() -> None:
    """14 days back from each day, in the zone of the site, over a change of the clocks."""
    registry = Registry(Floor.model_validate({"sites": [{"id": "main", "timezone": "Europe/Berlin"}]}))
    frame = frame_of(row(window="14d"), {}, registry, NOW + 3 * DAY_MS)

    lengths = {later - earlier for earlier, later in zip(frame.starts, frame.starts[1:], strict=False)}
    assert lengths <= {23 * HOUR_MS, DAY_MS, 25 * HOUR_MS}
    assert frame.by_day
    assert frame.look_back == 14


@pytest.mark.parametrize(("seconds", "text"), [(7, "0:07"), (205, "3:25"), (3723, "1:02:03"), (None, "\u2013")])
def test_durations_are_minutes_and_seconds(seconds: float | None, text: str) -> None:
    """3:25, not 205 s."""
    assert duration(seconds) == text


def test_small_shares_keep_a_decimal() -> None:
    """4.1 % against a target of 5 % must not become 4 %."""
    assert [percent(0.041), percent(0.78), percent(0.0)] == ["4.1 %", "78 %", "0 %"]


def test_ages_are_in_the_largest_unit_that_says_enough() -> None:
    """Seconds, minutes, hours, days."""
    assert [ago(2_000), ago(6 * MINUTE_MS), ago(3 * HOUR_MS), ago(5 * DAY_MS)] == ["2 s", "6 min", "3 h", "5 d"]


def test_a_sparkline_breaks_where_a_value_is_missing() -> None:
    """No line is drawn through a time without data."""
    assert line([1.0, None, 2.0, 3.0]).count("M") == 2
    assert line([None, None]) == ""


def test_bars_of_nothing_draw_nothing() -> None:
    """A blank is no zero and a zero no bar."""
    assert bars([0, 0]) == ""
    assert bars([0, 3]).count("z") == 1


def test_only_pieces_whose_view_changed_are_sent() -> None:
    """A viewer who has version 1 gets of version 2 what differs, and an order only when it differs."""

    def render(macro: str, id_: str, view: object) -> str:
        return f"<p id={id_}>{view}</p>"

    first = publish(Published(), {"board": Area((("a", "m", 1), ("b", "m", 1)), {"box": ("a", "b")})}, render)
    second = publish(first, {"board": Area((("a", "m", 1), ("b", "m", 2)), {"box": ("a", "b")})}, render)

    assert second.changes(1, ["board"]) == {"pieces": {"b": "<p id=b>2</p>"}, "orders": {}}
    assert second.changes(-1, ["board"])["orders"] == {"box": ["a", "b"]}


def test_what_comes_into_an_order_is_sent_with_it() -> None:
    """A page that began without the piece has nothing to put there; one that leaves is not sent."""
    pieces = (("calm", "m", 0), ("need", "m", 1))
    orders: list[dict[str, tuple[str, ...]]] = [{"needs": (id_,)} for id_ in ("need", "calm", "calm")]
    published = Published()
    for ids in orders:
        published = publish(published, {"board": Area(pieces, ids)}, lambda macro, id_, view: f"{view}")

    assert published.changes(1, ["board"]) == {"pieces": {"calm": "0"}, "orders": {"needs": ["calm"]}}
    assert published.changes(2, ["board"]) == {"pieces": {}, "orders": {}}


def test_rows_come_whole_to_who_opens_their_team() -> None:
    """Whoever follows the board at version 2 and opens a team gets all of that team, and of the board what is new."""
    areas = {
        "board": Area((("h", "m", 1),), {}),
        "rows-t": Area((("a", "m", 1), ("b", "m", 1)), {"rows-t": ("a", "b")}),
    }
    first = publish(Published(), areas, lambda macro, id_, view: f"{view}")
    second = publish(first, areas | {"board": Area((("h", "m", 2),), {})}, lambda macro, id_, view: f"{view}")

    assert second.changes(1, ["board"]) == {"pieces": {"h": "2"}, "orders": {}}
    assert second.changes(1, ["board", "rows-t"]) == {"pieces": {"h": "2"}, "orders": {}}
    assert second.changes(1, ["board", "rows-t"], ["rows-t"]) == {
        "pieces": {"h": "2", "a": "1", "b": "1"},
        "orders": {"rows-t": ["a", "b"]},
    }


def test_what_nobody_looks_at_is_not_rendered() -> None:
    """The rows of a folded team cost nothing; what is looked at twice is rendered once."""
    rendered: list[str] = []

    def render(macro: str, id_: str, view: object) -> str:
        rendered.append(id_)
        return id_

    published = publish(Published(), {"board": Area((("a", "m", 1), ("b", "m", 1)), {})}, render)
    published.html("b")
    published.html("b")

    assert rendered == ["b"]


def test_the_days_of_a_plot_end_with_the_floors_day() -> None:
    """Days to come have no values."""
    frame = frame_of(row(window="14d"), {}, REGISTRY, NOW)

    assert frame.starts[-1] == NOW - NOW % DAY_MS
    assert timedelta(milliseconds=frame.starts[-1] - frame.starts[0]).days == 56 + 14
