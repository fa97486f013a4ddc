"""A source whose records nearly all go to the dead letters stops, and says so (P5)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import InputError
from schemas.letter_limit import LetterCount, LetterLimit
from sources.core.own import JsonLinesParser
from sources.core.parsed import Resolve
from sources.core.queue_log import QueueLogParser
from sources.readers.files import Reading, read_file
from sources.readers.producing import EventProducer
from sources.readers.tail import Tail

GOOD = '{{"type":"contact_offered","source":"acd","id":"c{}","at":"2026-03-02T08:00:00Z","contact":"c","queue":"q"}}'
BAD = "no event"
NO_LIMIT = LetterLimit(0, 100)


def counted(records: str, limit: LetterLimit | None = None) -> str:
    """The verdict after records: `g` a good one, `d` a dead letter."""
    count = LetterCount(limit or LetterLimit())
    for record in records:
        (count.good if record == "g" else count.dead)()
    return count.verdict()


@pytest.mark.parametrize(
    ("records", "verdict"),
    [
        ("d" * 99, ""),
        ("d" * 100, "100 records in a row are dead letters"),
        ("d" * 99 + "g" + "d" * 99, ""),
        ("gd" * 499 + "g", ""),
        ("gd" * 500, "500 of the last 1,000 records are dead letters"),
        (("g" * 19 + "d") * 50, ""),
        (("g" * 19 + "d") * 49 + "g" * 18 + "dd", "51 of the last 1,000 records are dead letters"),
        ("gd" * 80 + "g" * 1_000 + "d" * 50, ""),
    ],
)
def test_a_source_stops_by_rows_in_a_row_or_by_their_share(records: str, verdict: str) -> None:
    """100 in a row at any time; more than 5 % as soon as 1,000 were judged."""
    assert counted(records) == verdict


def test_a_limit_can_be_taken_off() -> None:
    """0 in a row and 100 % let everything pass."""
    assert counted("d" * 5_000, NO_LIMIT) == ""


def test_counting_at_once_is_counting_one_by_one() -> None:
    """A worker counts whole chunks."""
    count = LetterCount(LetterLimit(in_a_row=0))
    for _ in range(3):
        count.good(700)
        count.dead(25)

    assert count.verdict() == ""
    count.dead(1)
    assert count.verdict() == "51 of the last 1,000 records are dead letters"


@pytest.fixture
def read(tmp_path: Path, nobody: Resolve) -> Callable[..., Reading]:
    """Reads a file of these lines."""

    def run(lines: list[str], **options: Any) -> Reading:
        file = tmp_path / "calls.jsonl"
        file.write_text("\n".join(lines))
        return read_file(file, "hash", JsonLinesParser(nobody), 1, **options)

    return run


def test_a_file_that_turns_bad_is_not_sent(read: Callable[..., Reading]) -> None:
    """One line names file, line, fault and count; nothing was sent by then."""
    with pytest.raises(InputError, match=r"calls\.jsonl: line 102: .*: nothing sent, as 100 records in a row are dead"):
        read([GOOD.format(1), GOOD.format(2), *[BAD] * 150])


def test_a_file_without_one_good_row_is_refused(read: Callable[..., Reading]) -> None:
    """However short it is: nothing shows that the fault is the rows'."""
    with pytest.raises(InputError, match=r"calls\.jsonl: line 1: .*: nothing sent, as no row of it can be used"):
        read([BAD])


def test_a_file_with_few_bad_rows_is_read(read: Callable[..., Reading]) -> None:
    """One in twenty is fine; with the limit off any share is."""
    rows = [BAD if number % 20 == 7 else GOOD.format(number) for number in range(2_000)]

    assert len(read(rows).rejected) == 100
    assert len(read([GOOD.format(1), *[BAD] * 500], limit=NO_LIMIT).rejected) == 500


@pytest.fixture
def tail(tmp_path: Path, out: EventProducer, nobody: Resolve) -> Callable[[], Tail]:
    """Makes a tail of the same log with the same state."""
    log, state = tmp_path / "queue_log", tmp_path / "state.json"
    return lambda: Tail(log, state, QueueLogParser(nobody, "pbx", 0), out)


def line(number: int) -> str:
    return f"17724384{number:02d}|c{number}|sales|NONE|ENTERQUEUE||900\n"


def test_a_tail_stops_and_stays_stopped(tail: Callable[[], Tail], tmp_path: Path, sender: Any) -> None:
    """What it refused in a row before a restart counts on, so a restart drains nothing more."""
    log = tmp_path / "queue_log"
    log.write_text(line(0) + "bad\n" * 60)
    tail().run(lambda: False)
    with log.open("a") as stream:
        stream.write("bad\n" * 60)

    for _ in range(3):
        with pytest.raises(InputError, match=r"queue_log:101: .*: stopped, as 100 records in a row are dead letters"):
            tail().run(lambda: False)

    assert len(sender.letters()) == 60


def test_a_tail_of_another_file_sends_nothing(tail: Callable[[], Tail], tmp_path: Path, sender: Any) -> None:
    """Before a first good line nothing shows that the fault is the lines': they wait, unsent, at each start."""
    log = tmp_path / "queue_log"
    log.write_text("bad\n" * 3)

    tail().run(lambda: False)
    assert sender.sent == []

    with log.open("a") as stream:
        stream.write(line(0))
    tail().run(lambda: False)
    assert len(sender.letters()) == 3
