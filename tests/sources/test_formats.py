"""Which parser reads which file, and what several files of one log have in common."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from schemas.events import FloorEvent, StateChanged
from sources.core.parsed import Accepted, Resolve
from sources.readers.formats import Format, new_parsers

LOG = """\
1366720300|M|q1|A|ADDMEMBER|
1366720301|M|q2|A|ADDMEMBER|
1366720310|c1|q1|NONE|ENTERQUEUE||5551|1
1366720320|c1|q1|A|CONNECT|10|x|2
1366720330|c2|q1|NONE|ENTERQUEUE||5552|1
1366720420|c1|q1|A|COMPLETECALLER|10|100|1
1366720430|NONE|q1|A|PAUSE|Lunch
1366720440|c2|q1|NONE|EXITWITHKEY|2|1
1366720450|M|q1|A|REMOVEMEMBER|
1366720460|NONE|q2|A|UNPAUSE|
1366720470|M|q2|A|REMOVEMEMBER|
"""
Parse = Callable[..., list[FloorEvent]]


@pytest.fixture
def parse(tmp_path: Path, nobody: Resolve) -> Parse:
    """The facts of files with these contents, the newest given first, as a shell names rotated logs."""

    def run(*contents: str) -> list[FloorEvent]:
        files = []
        for number, content in enumerate(contents):
            files.append(tmp_path / f"queue_log.{number}")
            files[-1].write_text(content)
        form = Format("queue_log", "queue_log", ZoneInfo("UTC"), wrap_s=60)
        parsed = [
            found
            for file, parser in new_parsers(form, nobody, files)
            for found in parser.parse(file.read_bytes().splitlines(keepends=True))
        ]
        return [found.event for found in parsed if isinstance(found, Accepted)]

    return run


def test_rotated_files_of_a_log_are_one_log(parse: Parse) -> None:
    """Wherever the rotation fell: pauses, logins, waits and wraps go on over it."""
    lines = LOG.splitlines(keepends=True)
    whole = parse(LOG)

    for cut in range(1, len(lines)):
        assert parse("".join(lines[cut:]), "".join(lines[:cut])) == whole


def test_what_does_not_follow_begins_anew(parse: Parse) -> None:
    """A second copy and a file of days later: nobody knows what was open, and every wrap ends."""
    late = LOG.replace("13667", "13677")

    found = parse(late, LOG, LOG)

    assert found == [*parse(LOG), *parse(LOG), *parse(late)]
    assert [e.state for e in parse("".join(LOG.splitlines(keepends=True)[:6])) if isinstance(e, StateChanged)] == [
        "ready",
        "on_contact",
        "wrap",
        "ready",
    ]
