"""The settings: what is refused, in one line that names file and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from floorpulse.settings import load_settings
from schemas.errors import ConfigError
from sinks.retention import Retention


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("retention_events_days: 90", ": retention_minutes_days: expected at least 90, as retention_events_days"),
        ("retention_minutes_days: 7", ":1: retention_minutes_days: expected at least 35, as retention_events_days"),
        ("retention_quarters_months: 1", ":1: retention_quarters_months: expected at least 2: a day that is rolled up"),
    ],
)
def test_nothing_outlives_what_it_is_counted_by(tmp_path: Path, text: str, said: str) -> None:
    """
    Raw events, minutes, quarter hours: each is kept no less than the one before.

    A late fact of a day whose minutes have expired would leave the day with that minute alone, until it is rolled up
    again without the fact.
    """
    file = tmp_path / "floorpulse.yaml"
    file.write_text(text, encoding="utf-8")

    with pytest.raises(ConfigError) as refused:
        load_settings(tmp_path, file=file)

    assert str(refused.value).startswith(f"{file}{said}")


def test_all_of_them_may_be_kept_longer(tmp_path: Path) -> None:
    """Together."""
    file = tmp_path / "floorpulse.yaml"
    file.write_text("retention_events_days: 90\nretention_minutes_days: 90", encoding="utf-8")

    assert load_settings(tmp_path, file=file).retention() == Retention(90, 90, 13)
