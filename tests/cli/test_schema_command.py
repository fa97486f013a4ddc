"""`floorpulse schema`: tables, and the JSON Schema of what stands in the log."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from schemas.controls import CONTROL_TYPES
from schemas.events import EVENT_TYPES

Run = Callable[..., Any]


def test_every_event_and_control_record_has_a_schema(run: Run) -> None:
    """Each type is there, requires its `type`, and allows no unknown keys."""
    schemas = json.loads(run("schema", "events").out)

    assert set(schemas) == {*EVENT_TYPES, *CONTROL_TYPES}
    assert all("type" in schema["required"] and schema["additionalProperties"] is False for schema in schemas.values())


def test_schemas_are_written_as_files(run: Run, tmp_path: Path) -> None:
    """One file for each type."""
    run("schema", "events", "--out", str(tmp_path / "out"))

    written = {file.stem for file in (tmp_path / "out").iterdir()}
    assert written == {*EVENT_TYPES, *CONTROL_TYPES}


def test_a_folder_that_cannot_be_written_is_one_line(run: Run, tmp_path: Path) -> None:
    """A file in the way is named: exit 2."""
    (tmp_path / "taken").write_text("")

    ended = run("schema", "events", "--out", str(tmp_path / "taken"))

    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert str(tmp_path / "taken") in ended.err


def test_apply_makes_the_tables(run_on_store: Run) -> None:
    """After it the views answer, on an empty floor too."""
    run_on_store("schema", "apply")

    assert run_on_store("query", "SELECT count() AS n FROM events_current", "--format", "csv").out == '"n"\n0\n'
