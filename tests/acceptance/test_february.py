"""
Real calls through a whole floor, with the worker killed and the file sent twice: a week, or with `--soak` the month.

Every cell, by day, half hour, agent and queue, is that of a count of the file by itself, and the figures of the month
are the known ones.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from statistics import mean
from typing import Any

import pytest

from tests.acceptance.conftest import FEBRUARY_ZONE
from tests.acceptance.floors import WholeFloor
from tests.acceptance.recompute_february import SHORT_S, STEPS, THRESHOLD_S, By, Cell, cells, facts

SITE_MONTH = ("--by", "site", "--from", "1999-02-01", "--to", "1999-03-01", *FEBRUARY_ZONE)
MONTH = ("--from", "1999-02-01", "--to", "1999-03-02", *FEBRUARY_ZONE)
"""A contact that began on the 28th may end on the next day."""

pytestmark = pytest.mark.timeout(900)


def test_the_worker_was_killed(february_floor: WholeFloor, kills: int) -> None:
    """The run means something: the worker died and was started again as often as it was killed."""
    assert february_floor.part("worker")["restarts"] >= kills + 1


@pytest.mark.usefixtures("whole_month")
def test_the_figures_of_the_month_are_the_known_ones(february_floor: WholeFloor) -> None:
    """Counts exactly, times to the last digit that the reference gives."""
    (month,) = february_floor.ask("kpi", *SITE_MONTH)

    assert {key: month[key] for key in ("offered", "answered", "abandoned")} == {
        "offered": 31_125,
        "answered": 27_162,
        "abandoned": 3_963,
    }
    assert round(month["asa_s"], 4) == 40.7743
    assert round(month["aht_s"], 3) == 176.353


@pytest.mark.usefixtures("whole_month")
@pytest.mark.parametrize(("variant", "share"), [(1, 0.561157), (2, 0.596753), (3, 0.520771), (4, 0.542688)])
def test_every_form_of_the_service_level_is_the_known_one(
    february_floor: WholeFloor, variant: int, share: float
) -> None:
    """One month, four contracts: the definition decides."""
    contract = ("--service-level-variant", str(variant), "--threshold", "20")
    (month,) = february_floor.ask("kpi", *SITE_MONTH, *contract)

    assert round(month["service_level"], 6) == share


@pytest.mark.usefixtures("whole_month")
def test_the_short_call_rule_opens_a_case_for_three_agents(february_floor: WholeFloor) -> None:
    """Over 14 days, on 1, 11 and 14 February, and for nobody else; the rule of one day only alerts."""
    fired = february_floor.ask(
        "query",
        "SELECT subject, toString(min(day)) AS day FROM alert_transitions FINAL"
        " WHERE rule = 'short-calls-14d' AND state = 'firing' GROUP BY subject ORDER BY day",
    )
    opened: list[dict[str, Any]] = february_floor.ask("cases", "list")

    assert [row["day"] for row in fired] == ["1999-02-01", "1999-02-11", "1999-02-14"]
    assert sorted(case["subject"] for case in opened) == sorted(row["subject"] for row in fired)


def test_every_number_is_proved_by_the_raw_events(february_floor: WholeFloor) -> None:
    """After all kills and a second copy of everything: no difference."""
    answer = february_floor.run("reconcile")

    assert answer.code == 0, answer.out
    assert "0 differences" in answer.err


def test_the_second_copy_counted_nothing(february_floor: WholeFloor, february: Path, soak: bool) -> None:
    """Every event of the second run is a duplicate, and every one of the first is stored once."""
    sent = sum(1 for _ in facts(february))
    (counts,) = february_floor.ask(
        "query", "SELECT sum(rows) AS r, sum(duplicates) AS d FROM subjects FINAL WHERE hop = 1"
    )
    (events,) = february_floor.ask("query", "SELECT count() AS n FROM events FINAL")

    assert (int(counts["r"]), int(counts["d"]), int(events["n"])) == (sent, sent, sent)
    assert sent == 89_412 or not soak


Row = dict[str, Any]


def ask(floor: WholeFloor, by: str, *options: str) -> list[Row]:
    """The rows of `floorpulse kpi`."""
    rows: list[Row] = floor.ask("kpi", "--by", by, *MONTH, *options)
    return rows


def share(top: int, n: int) -> float | None:
    """A fraction, rounded once; None of nothing."""
    return float(Fraction(top, n)) if n else None


def in_time(waits: list[int]) -> int:
    """So many of the answered were so within the threshold."""
    return sum(wait <= THRESHOLD_S for wait in waits)


WAITING: dict[str, Callable[[Cell], Any]] = {
    "offered": lambda cell: cell.offered,
    "answered": lambda cell: len(cell.waits),
    "abandoned": lambda cell: len(cell.given_up),
    "abandon_rate": lambda cell: share(len(cell.given_up), cell.offered),
    "asa_s": lambda cell: share(sum(cell.waits), len(cell.waits)),
    "avg_abandon_wait_s": lambda cell: share(sum(cell.given_up), len(cell.given_up)),
    "service_level": lambda cell: share(in_time(cell.waits), len(cell.waits) + len(cell.given_up)),
}
HANDLING: dict[str, Callable[[Cell], Any]] = {
    "handled": lambda cell: len(cell.talks),
    "aht_s": lambda cell: share(sum(cell.talks), len(cell.talks)),
    "avg_talk_s": lambda cell: share(sum(cell.talks), len(cell.talks)),
    "short_call_share": lambda cell: share(sum(talk <= SHORT_S for talk in cell.talks), len(cell.talks)),
}


OF_AGENTS: dict[str, Callable[[Cell], Any]] = {
    "engaged_s": lambda cell: cell.engaged_s,
    "concurrency": lambda cell: share(sum(cell.talks), round(cell.engaged_s)),
}


@pytest.mark.parametrize("step", list(STEPS))
@pytest.mark.parametrize("by", ["agent", "queue", "site"])
def test_every_cell_is_that_of_the_file(
    february_floor: WholeFloor, february: Path, soak: bool, by: By, step: str
) -> None:
    """Counts exactly, times to the millisecond, shares to the last digit; no cell more and none less."""
    figures = HANDLING | OF_AGENTS if by == "agent" else WAITING | HANDLING
    expected = {
        (group, start.isoformat()): {name: of(cell) for name, of in figures.items()}
        for (group, start), cell in cells(february, by, STEPS[step]).items()
    }

    rows = ask(february_floor, by, "--step", step, "--kpi", ",".join(figures))

    found = {
        (row[by].removeprefix("technion:"), row["from"][:19]): {name: row[name] for name in figures} for row in rows
    }
    differing = [
        name for at in found.keys() & expected.keys() for name in figures if found[at][name] != expected[at][name]
    ]
    days, halves = (20, 800) if soak else (6, 200)
    assert len(expected) > (days if step == "1d" else halves)
    assert differing == []
    assert len(found.keys() ^ expected.keys()) == 0
    assert len(found) == len(rows)


@pytest.mark.usefixtures("whole_month")
@pytest.mark.parametrize(("variant", "percent"), [("1", 56.1), ("2", 59.7), ("3", 52.1), ("4", 54.3)])
def test_golden_service_level_of_the_real_month(february_floor: WholeFloor, variant: str, percent: float) -> None:
    """One month, four contracts: 7.6 points from the definition alone."""
    (month,) = ask(february_floor, "site", "--service-level-variant", variant)

    assert round(100 * month["service_level"], 1) == percent


@pytest.mark.usefixtures("whole_month")
def test_trap_a_handle_time_of_the_real_month(february_floor: WholeFloor, february: Path) -> None:
    """Contacts of known agents took 179 s each; the mean of the agents' means is 206 s."""
    rows = ask(february_floor, "agent")

    pooled = sum(row["aht_s"] * row["handled"] for row in rows) / sum(row["handled"] for row in rows)
    naive = mean(row["aht_s"] for row in rows)
    assert (round(pooled), round(naive)) == (179, 206)


@pytest.mark.usefixtures("whole_month")
def test_trap_a_service_level_of_the_real_month(february_floor: WholeFloor) -> None:
    """Of the month's contacts 52.1 % were answered in time; the mean of its half hours is 59.2 %."""
    (month,) = ask(february_floor, "site")
    halves = ask(february_floor, "site", "--step", "30m")

    naive = mean(row["service_level"] for row in halves if row["service_level"] is not None)
    assert (round(100 * month["service_level"], 1), round(100 * naive, 1)) == (52.1, 59.2)
