"""What the lists of cases and alerts are asked for."""

from __future__ import annotations

from enum import StrEnum
from typing import get_args

import pytest
from typer.testing import CliRunner

from floorpulse.cli.main import make_app
from floorpulse.cli.records import AlertStateName, CaseStateName
from records.core.coaching import CaseState
from schemas.alerts import Transition


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
