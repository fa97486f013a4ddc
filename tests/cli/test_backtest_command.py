"""`floorpulse rules backtest` over the morning of `tests.analyst_floor`: alerts that can be counted by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from floorpulse.settings import Settings
from floorpulse.wiring import clickhouse_client
from tests.analyst_floor import put_analyst_floor

Run = Callable[..., Any]
DAY = ("--from", "2026-03-02", "--to", "2026-03-03")
RULES = """\
rules:
  - {id: away-20, name: Away, text: Away for more than 20 min., kpi: time_in_state_s, subject: agent, window: now,
     state: away, comparison: ">", threshold: 1200}
  - {id: lunch-20, name: Lunch, text: Lunch of more than 20 min., kpi: time_in_state_s, subject: agent, window: now,
     state: away, reason: lunch, comparison: ">", threshold: 1200}
  - {id: fatal, name: Fatal, text: A fatal item today., kpi: fatal, subject: agent, window: day, comparison: ">=",
     threshold: 1}
  - {id: quality-1d, name: Quality, text: Below 90 in a day., kpi: quality, subject: agent, window: 1d,
     comparison: "<", threshold: 90, min_n: 1}
  - {id: team-fatal, name: Fatal, text: A fatal item in the team today., kpi: fatal, subject: team, window: day,
     comparison: ">=", threshold: 1}
  - {id: wait, name: Wait, text: Somebody waits for more than 10 min., kpi: longest_wait_s, subject: queue, window: now,
     comparison: ">", threshold: 600}
"""


@pytest.fixture
def rules(own_schema: Settings, tmp_path: Path) -> str:
    """A rule file beside a floor with the morning; its name."""
    put_analyst_floor(clickhouse_client(own_schema))
    file = tmp_path / "try.yaml"
    file.write_text(RULES, encoding="utf-8")
    return str(file)


def test_each_rule_is_counted_over_the_day(run_on_schema: Run, rules: str) -> None:
    """
    Two breaks of half an hour, one of them lunch; bob's evaluation of 80 is fatal; a wait of 20 min in `help`.

    ann's 88 became 92: what counts now is judged. A break is over 10 min after it fires, and seen at the next 5 s.
    """
    ended = run_on_schema("rules", "backtest", rules, *DAY, "--format", "json")

    assert ended.code == 0, ended.err
    found = {row["rule"]: row for row in json.loads(ended.out)}
    assert {rule: (row["alerts"], row["subjects"]) for rule, row in found.items()} == {
        "away-20": (2, 2), "lunch-20": (1, 1), "fatal": (1, 1), "quality-1d": (1, 1), "team-fatal": (1, 1),
        "wait": (1, 1),
    }  # fmt: skip
    assert found["away-20"]["median_min"] == 10.1
    assert (found["away-20"]["most_a_day"], found["away-20"]["most_to_a_team_a_day"]) == (2, 2)
    assert "7 alerts in 1.0 days" in ended.err


def test_nothing_is_written(run_on_schema: Run, rules: str, own_schema: Settings) -> None:
    """Not an alert, not a record, not a revision more than before."""
    client = clickhouse_client(own_schema)
    sql = (
        "SELECT name, total_rows FROM system.tables WHERE database = currentDatabase() AND total_rows > 0 ORDER BY name"
    )
    before = client.query(sql).result_rows

    assert run_on_schema("rules", "backtest", rules, *DAY).code == 0

    assert client.query(sql).result_rows == before


def test_only_the_rules_that_are_named(run_on_schema: Run, rules: str) -> None:
    """--rule may be given again; an unknown one is refused with those there are."""
    ended = run_on_schema("rules", "backtest", rules, *DAY, "--rule", "wait", "--rule", "fatal", "--format", "json")
    refused = run_on_schema("rules", "backtest", rules, *DAY, "--rule", "waits")

    assert [row["rule"] for row in json.loads(ended.out)] == ["fatal", "wait"]
    assert refused.code == 2
    assert refused.err == (
        "--rule waits: not in the file: expected away-20, lunch-20, fatal, quality-1d, team-fatal, wait\n"
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--from", "2026-03-03", "--to", "2026-03-02"), "--to 2026-03-02: expected an instant after --from"),
        (("--from", "2026-03-02", "--to", "2106-01-01"), "--to 2106-01-01: expected an instant that has passed"),
        (("--from", "yesterday"), "--from yesterday: expected a date"),
    ],
)
def test_a_span_that_cannot_be_is_refused(run_on_schema: Run, rules: str, options: tuple[str, ...], said: str) -> None:
    """One line, exit code 2."""
    ended = run_on_schema("rules", "backtest", rules, *options)

    assert ended.code == 2
    assert ended.err.startswith(said)
    assert ended.err.count("\n") == 1
