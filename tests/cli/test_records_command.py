"""What the lists of cases and alerts are asked for."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from enum import StrEnum
from typing import Any, get_args

import pytest
from typer.testing import CliRunner

from floorpulse.access import login_name
from floorpulse.cli.main import make_app
from floorpulse.cli.records import AlertStateName, CaseStateName
from floorpulse.settings import Settings
from floorpulse.wiring import clickhouse_client
from records.core.coaching import CaseState
from records.store.clickhouse import ClickHouseLedgerStore
from records.store.ledger import Ledger
from schemas.alerts import Transition
from schemas.records import case_id, open_command
from tests.records.test_ledger_chain import NOON_MS, fired


@pytest.mark.parametrize("noun", ["cases", "alerts"])
def test_a_state_that_is_none_is_refused(noun: str) -> None:
    """An empty list would say that there is nothing to do."""
    result = CliRunner().invoke(make_app(noun), [noun, "list", "--state", "acknoledged"])

    assert result.exit_code == 2
    assert "acknoledged" in result.stderr


@pytest.mark.parametrize(
    ("names", "states"),
    [
        (CaseStateName, {"open", *get_args(CaseState)}),
        (AlertStateName, {"open", *get_args(Transition.model_fields["state"].annotation)}),
    ],
)
def test_every_state_can_be_asked_for(names: type[StrEnum], states: set[str]) -> None:
    """As the ledger and the engine have them, and `open`."""
    assert set(names) == states


def test_a_row_of_a_list_is_one_line_whatever_it_tells_of(
    run_on_schema: Callable[..., Any], own_schema: Settings
) -> None:
    """So that it can be searched in a pipe; an id that looks like markup is neither swallowed nor the end of it all."""
    row = ("alert-2", 1, "firing", "agent:[/b][red]a1", "a-rule-with-quite-a-long-name-60m")
    with closing(clickhouse_client(own_schema)) as client:
        client.insert("alert_transitions", [row], column_names=["alert", "sequence", "state", "subject", "rule"])

    result = run_on_schema("alerts", "list")

    (line,) = [line for line in result.out.splitlines() if "alert-2" in line]
    assert {"agent:[/b][red]a1", "a-rule-with-quite-a-long-name-60m"} <= set(line.split())


def test_a_look_at_a_case_is_noted(run_on_schema: Callable[..., Any], own_schema: Settings) -> None:
    """Under the name that was given, else under that of the login, as on the pages; one that is not there is none."""
    opened, case = open_command(fired(), "coaching"), case_id("alert-1")
    assert opened is not None
    with closing(clickhouse_client(own_schema)) as client:
        Ledger(ClickHouseLedgerStore(client)).handle(opened, NOON_MS)

        ended = [run_on_schema("cases", "show", *args).code for args in ((case,), (case, "--as", "l01"), ("none",))]

        assert ended == [0, 0, 2]
        looks = client.query("SELECT viewer, subject, page, detail FROM access_log ORDER BY at").result_rows
    assert looks == [(viewer, "agent:a1", "case", case) for viewer in (login_name(), "l01")]
