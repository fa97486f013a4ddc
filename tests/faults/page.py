"""The page `docs/run/faults.md`: the table of faults with what the last long run saw."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from floorpulse.docs.markdown import codes, table
from tests.faults.catalogue import PLANTED, ROWS, Row
from tests.faults.test_negative_controls import FOUND_BY

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "run" / "faults.md"
SEEN = Path(__file__).with_name("seen.json")

LEAD = """\
Real processes (Kafka, ClickHouse, one to three workers, gateway, delivery) are killed, stopped, slowed down and lied
to, while a feed goes in that comes from a seed. A ledger of our own notes what was acknowledged; a plain recomputation
of the log, without code of the engine, says what must have come of it. After each run these are compared:
"""
CHECKS = (
    ("I1", "everything acknowledged is in exactly one place: `events` or the dead letters"),
    ("I2", "nothing else is there, and every byte is the one that was sent"),
    ("I3", "every pane and every rolling window equals the recomputation, to the last digit"),
    ("I4", "the alerts are those of the reference; table and topic say the same, all copies the same bytes"),
    ("I5", "the ledger's chain holds; each alert that opens a case stands in exactly one"),
    ("I6", "a fresh alert comes in time, while the fault lasts and after it"),
    ("I7", "the fault really happened: deaths, replays, duplicates and letters are counted"),
    ("I8", "per partition every offset up to Kafka's end is a row, a duplicate, a letter or a control record"),
)
HOW = """\
`make soak` runs everything in full length with 20 seeds and writes this page; `make test` runs the short form with 3.
A run that fails prints its seed: `FLOORPULSE_FAULT_SEED=1004 make test ARGS=tests/faults` repeats it. A worker dies at
a named point when its environment says `FLOORPULSE_CRASH_AT=after_panes:2`; nothing else looks at that variable.
"""


def page(seen: Mapping[str, Any]) -> str:
    """The whole page."""
    parts = [
        "<!-- Made by `make soak`: do not edit. -->",
        "# Faults, and what was seen",
        LEAD,
        table(("check", "what must hold"), CHECKS),
        HOW,
        "## The faults",
        _about(seen),
        table(("", "fault", "what must hold", "seen in the last long run"), [_line(row, seen) for row in ROWS]),
        "## Where each is proved",
        table(("", "tests", "not shown"), [(row.id, codes(_short(row.proof)), row.limit) for row in ROWS]),
        "## Bugs that the runs must find",
        "Each mechanism is taken out of a worker, one at a time; a run that then finds nothing fails.",
        table(("planted bug", "found by"), [(bug, FOUND_BY[bug]) for bug in PLANTED]),
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def read_seen() -> dict[str, Any]:
    """What the last long run saw; empty before the first."""
    found: dict[str, Any] = json.loads(SEEN.read_text(encoding="utf-8")) if SEEN.exists() else {}
    return found


def write(seen: Mapping[str, Any]) -> None:
    """Keep what was seen, and make the page of it."""
    SEEN.write_text(json.dumps(seen, indent=1) + "\n", encoding="utf-8")
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page(read_seen()), encoding="utf-8")


def _about(seen: Mapping[str, Any]) -> str:
    if not seen:
        return "No long run yet."
    failed = f"failed: {', '.join(seen['failed'])}" if seen["failed"] else "none failed"
    return f"{seen['on']}, {seen['machine']}: {seen['passed']} tests passed, {failed}; {seen['seeds']} seeds."


def _line(row: Row, seen: Mapping[str, Any]) -> tuple[str, str, str, str]:
    notes = [note for name, found in seen.get("notes", {}).items() if row.id in name.split() for note in found]
    return row.id, row.fault, row.must, "; ".join(_figures(notes))


def _figures(notes: Sequence[Mapping[str, Any]]) -> list[str]:
    """Each figure of all notes: its value, or from the least to the most."""
    names = dict.fromkeys(name for note in notes for name in note)
    return [f"{name.replace('_', ' ')} {_span([note[name] for note in notes if name in note])}" for name in names]


def _span(values: Sequence[Any]) -> str:
    if all(isinstance(value, int | float) for value in values):
        least, most = _short_number(min(values)), _short_number(max(values))
        return least if least == most else f"{least} to {most}"
    shown = ["-".join(map(_short_number, v)) if isinstance(v, list | tuple) else _short_number(v) for v in values]
    return ", ".join(dict.fromkeys(shown))


def _short_number(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _short(proof: Sequence[str]) -> list[str]:
    return [name.removeprefix("tests/") for name in proof]


if __name__ == "__main__":
    write(read_seen())
