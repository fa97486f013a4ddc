"""A month of real calls through a whole floor, with the worker killed and the file sent twice."""

from __future__ import annotations

from typing import Any

import pytest

from tests.acceptance.conftest import FEBRUARY_ZONE, KILLS
from tests.acceptance.floors import WholeFloor

MONTH = ("--by", "site", "--from", "1999-02-01", "--to", "1999-03-01", *FEBRUARY_ZONE)

pytestmark = [pytest.mark.timeout(900), pytest.mark.xdist_group("february")]


@pytest.fixture
def floor(february_floor: WholeFloor) -> WholeFloor:
    """The month, sent once while the worker is killed five times, and once more."""
    return february_floor


def test_the_worker_was_killed(floor: WholeFloor) -> None:
    """The run means something: the worker died and was started again as often as it was killed."""
    assert floor.part("worker")["restarts"] >= KILLS


def test_the_figures_of_the_month_are_the_known_ones(floor: WholeFloor) -> None:
    """Counts exactly, times to the last digit that the reference gives."""
    (month,) = floor.ask("kpi", *MONTH)

    assert {key: month[key] for key in ("offered", "answered", "abandoned")} == {
        "offered": 31_125,
        "answered": 27_162,
        "abandoned": 3_963,
    }
    assert round(month["asa_s"], 4) == 40.7743
    assert round(month["aht_s"], 3) == 176.353


@pytest.mark.parametrize(("variant", "share"), [(1, 0.561157), (2, 0.596753), (3, 0.520771), (4, 0.542688)])
def test_every_form_of_the_service_level_is_the_known_one(floor: WholeFloor, variant: int, share: float) -> None:
    """One month, four contracts: the definition decides."""
    (month,) = floor.ask("kpi", *MONTH, "--service-level-variant", str(variant), "--threshold", "20")

    assert round(month["service_level"], 6) == share


def test_the_short_call_rule_opens_a_case_for_three_agents(floor: WholeFloor) -> None:
    """Over 14 days, on 1, 11 and 14 February, and for nobody else; the rule of one day only alerts."""
    fired = floor.ask(
        "query",
        "SELECT subject, toString(min(day)) AS day FROM alert_transitions FINAL"
        " WHERE rule = 'short-calls-14d' AND state = 'firing' GROUP BY subject ORDER BY day",
    )
    opened: list[dict[str, Any]] = floor.ask("cases", "list")

    assert [row["day"] for row in fired] == ["1999-02-01", "1999-02-11", "1999-02-14"]
    assert sorted(case["subject"] for case in opened) == sorted(row["subject"] for row in fired)


def test_every_number_is_proved_by_the_raw_events(floor: WholeFloor) -> None:
    """After five kills and a second copy of everything: no difference."""
    answer = floor.run("reconcile")

    assert answer.code == 0, answer.out
    assert "0 differences" in answer.err


def test_the_second_copy_counted_nothing(floor: WholeFloor) -> None:
    """Every event of the second run is a duplicate, and every one of the first is stored once."""
    (counts,) = floor.ask("query", "SELECT sum(rows) AS r, sum(duplicates) AS d FROM subjects FINAL WHERE hop = 1")
    (events,) = floor.ask("query", "SELECT count() AS n FROM events FINAL")

    assert (int(counts["r"]), int(counts["d"]), int(events["n"])) == (89_412, 89_412, 89_412)
