"""How rows are printed."""

from __future__ import annotations

import pytest

from floorpulse.cli.output import print_csv, print_table


def test_text_from_outside_is_no_formula(capsys: pytest.CaptureFixture[str]) -> None:
    """A dead letter holds what anybody has sent: its source and its place are text to a spreadsheet too."""
    print_csv(("source", "bytes", "sent"), [("=HYPERLINK(A1)", 12, None), ("+1", -3, "-2"), ("acd", 0, "")])

    lines = capsys.readouterr().out.splitlines()
    assert lines == ["source,bytes,sent", "'=HYPERLINK(A1),12,", "'+1,-3,'-2", "acd,0,"]


def test_a_table_cuts_nothing_on_a_narrow_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A long word goes on in the next line; a column that must stay whole does not."""
    for name, value in (("TTY_INTERACTIVE", "0"), ("FORCE_COLOR", "1"), ("NO_COLOR", "1"), ("COLUMNS", "30")):
        monkeypatch.setenv(name, value)

    print_table(("id", "word"), [("b" * 20, "a" * 40)], whole=("id",))

    out = capsys.readouterr().out
    assert (out.count("a"), "b" * 20 in out) == (40, True)
