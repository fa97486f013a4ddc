"""How rows are printed."""

from __future__ import annotations

import pytest

from floorpulse.cli.output import print_csv


def test_text_from_outside_is_no_formula(capsys: pytest.CaptureFixture[str]) -> None:
    """A dead letter holds what anybody has sent: its source and its place are text to a spreadsheet too."""
    print_csv(("source", "bytes", "sent"), [("=HYPERLINK(A1)", 12, None), ("+1", -3, "-2"), ("acd", 0, "")])

    lines = capsys.readouterr().out.splitlines()
    assert lines == ["source,bytes,sent", "'=HYPERLINK(A1),12,", "'+1,-3,'-2", "acd,0,"]
