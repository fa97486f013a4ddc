"""Following a queue_log: growth, rotation, truncation, and a restart in between."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from schemas.errors import ConfigError, InputError, Unavailable
from schemas.times import to_ms
from sources.core.parsed import Resolve
from sources.core.queue_log import QueueLogParser
from sources.readers.producing import EventProducer
from sources.readers.tail import Tail

Follow = Callable[..., None]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """The log that Asterisk writes."""
    return tmp_path / "queue_log"


@pytest.fixture
def follow(log: Path, tmp_path: Path, out: EventProducer, nobody: Resolve) -> Follow:
    """Runs a fresh reader; each step is done when it has read what is there, then it ends."""

    def run(*steps: Callable[[], object]) -> None:
        left = list(steps)

        def wait() -> bool:
            if left:
                left.pop(0)()
                return True
            return False

        Tail(log, tmp_path / "position.json", QueueLogParser(nobody), out).run(wait)

    return run


def entered(*numbers: int) -> str:
    return "".join(f"{1_366_720_100 + n}|c{n}|q|NONE|ENTERQUEUE||5550|1\n" for n in numbers)


def calls(sender: Any) -> list[str]:
    return [record.contact for record in sender.records()]


def append(path: Path, text: str) -> None:
    with path.open("a") as stream:
        stream.write(text)


def test_what_is_appended_is_sent(log: Path, follow: Follow, sender: Any) -> None:
    """A line that is still being written waits for its end."""
    log.write_text(entered(1) + "1366720102|c2|q|NO")

    follow(lambda: append(log, "NE|ENTERQUEUE||5550|1\n"))

    assert calls(sender) == ["c1", "c2"]
    assert sender.letters() == []


def test_rotation_drains_the_old_file_first(log: Path, follow: Follow, sender: Any) -> None:
    """Lines written after the last look and before the new file are not lost."""
    log.write_text(entered(1))

    def rotate() -> None:
        append(log, entered(2))
        log.rename(log.with_suffix(".0"))
        log.write_text(entered(3))

    follow(rotate)

    assert calls(sender) == ["c1", "c2", "c3"]


@pytest.mark.parametrize("again", [False, True])
def test_an_empty_new_file_keeps_the_old_one(log: Path, follow: Follow, sender: Any, again: bool) -> None:
    """A rotation makes the new file first; until it is told, Asterisk writes to the old one. `again`: restarted."""
    log.write_text(entered(1))
    old = log.with_suffix(".0")

    def rotate() -> None:
        log.rename(old)
        log.touch()

    then: list[Callable[[], object]] = [
        lambda: append(old, entered(2)),
        lambda: append(old, entered(3)),
        lambda: append(log, entered(4)),
    ]
    if again:
        follow(rotate)
        for step in then:
            step()
            follow()
    else:
        follow(rotate, *then)

    assert calls(sender) == ["c1", "c2", "c3", "c4"]


def test_a_name_without_a_file_keeps_the_old_one(log: Path, follow: Follow, sender: Any) -> None:
    """Between renaming and creating, Asterisk may still write to the old file."""
    log.write_text(entered(1))
    old = log.with_suffix(".0")

    follow(lambda: log.rename(old), lambda: append(old, entered(2)), lambda: log.write_text(entered(3)))

    assert calls(sender) == ["c1", "c2", "c3"]


def test_truncation_begins_anew(log: Path, follow: Follow, sender: Any) -> None:
    """A file shorter than what was read has been emptied."""
    log.write_text(entered(1, 2))

    follow(lambda: log.write_text(entered(3)))

    assert calls(sender) == ["c1", "c2", "c3"]


def test_a_truncated_file_that_has_grown_again_begins_anew(log: Path, follow: Follow, sender: Any) -> None:
    """Emptied and written to between two looks, it may be longer than what was read: its first bytes tell."""
    log.write_text(entered(1))

    follow(lambda: log.write_text(entered(2, 3, 4)))

    assert calls(sender) == ["c1", "c2", "c3", "c4"]
    assert sender.letters() == []


def test_a_restart_goes_on_where_it_stopped(log: Path, follow: Follow, sender: Any) -> None:
    """Nothing twice, nothing lost."""
    log.write_text(entered(1))
    follow()
    append(log, entered(2))

    follow()

    assert calls(sender) == ["c1", "c2"]


def test_files_rotated_while_nobody_read_are_read_first(log: Path, follow: Follow, sender: Any) -> None:
    """The rest of the file read last, then the newer ones, then the present one."""
    log.write_text(entered(1))
    follow()
    append(log, entered(2))
    log.rename(log.with_suffix(".1"))
    log.with_suffix(".0").write_text(entered(3))
    log.write_text(entered(4))

    follow()

    assert calls(sender) == ["c1", "c2", "c3", "c4"]


@pytest.mark.parametrize("rest", ["queue_log.1.gz", "queue_log.1", None])
def test_a_file_that_is_not_found_again_is_told(log: Path, follow: Follow, sender: Any, rest: str | None) -> None:
    """Packed, copied and emptied, or removed while nobody read: from which line on something may be missing."""
    log.write_text(entered(1))
    follow()
    log.rename(log.with_name("old"))
    if rest:
        log.with_name(rest).write_text(entered(1, 2))
    log.write_text(entered(3))

    with capture_logs() as logs:
        follow()

    lost = {"event": "file_lost", "log_level": "error", "file": "queue_log", "line": 1}
    assert [one for one in logs if one["event"] == "file_lost"] == [lost]
    assert calls(sender) == ["c1", "c3"]


def test_a_file_that_is_found_again_is_not_told_of(log: Path, follow: Follow) -> None:
    """Under its own name, and under that which a rotation gave it."""
    log.write_text(entered(1))
    follow()

    with capture_logs() as logs:
        follow()
        log.rename(log.with_name("queue_log.1"))
        log.write_text(entered(2))
        follow()

    assert [one["event"] for one in logs] == ["file_rotated"]


def test_what_else_stands_beside_the_log_is_passed_over(log: Path, follow: Follow, sender: Any) -> None:
    """A folder of old logs and a link that leads nowhere have the beginning of its name, and no lines."""
    log.with_name("queue_log.archive").mkdir()
    log.with_name("queue_log.last").symlink_to(log.with_name("gone"))
    log.write_text(entered(1))

    follow()

    assert calls(sender) == ["c1"]


def test_open_calls_are_remembered_over_a_restart(log: Path, follow: Follow, sender: Any) -> None:
    """A wait that the log does not tell is counted from a line before the restart."""
    log.write_text(entered(1))
    follow()
    append(log, "1366720190|c1|q|NONE|EXITWITHKEY|2|1\n")

    follow()

    assert sender.records()[-1].waited_s == 89


@pytest.mark.parametrize("again", [False, True])
def test_a_wrap_ends_while_no_line_comes(
    log: Path, tmp_path: Path, out: EventProducer, sender: Any, nobody: Resolve, again: bool
) -> None:
    """
    On a quiet floor the agent is ready when the wrap is over, not at the next line. `again`: restarted in the wrap.

    log        CONNECT 110  COMPLETEAGENT 170
    looked at                                  189   190
    state      on_contact   wrap                     ready
    """
    log.write_text("1366720110|c1|q|A|CONNECT|10|x|2\n1366720170|c1|q|A|COMPLETEAGENT|10|60|1\n")
    now = [0.0]
    told: list[str] = []

    def look(*seconds: float) -> None:
        left = list(seconds)

        def wait() -> bool:
            told.append(sender.records()[-1].state)
            more = bool(left)
            now[0] = left.pop(0) if more else now[0]
            return more

        parser = QueueLogParser(nobody, wrap_s=20)
        Tail(log, tmp_path / "position.json", parser, out, elapsed=lambda: now[0]).run(wait)

    if again:
        look()
    look(19.0, 20.0)

    assert told[-3:] == ["wrap", "wrap", "ready"]
    assert to_ms(sender.records()[-1].at) == 1_366_720_190_000


def test_what_was_not_acknowledged_is_sent_again(log: Path, follow: Follow, sender: Any) -> None:
    """The position moves only after the broker has the lines; the ids are the same, so nothing counts twice."""
    log.write_text(entered(1, 2))
    sender.fails = True
    with pytest.raises(Unavailable):
        follow()
    sender.fails = False

    follow()

    identities = sender.identities()
    assert identities[:2] == identities[2:]


def test_a_bad_line_is_a_dead_letter_with_its_place(log: Path, follow: Follow, sender: Any) -> None:
    """The lines around it go in."""
    log.write_text(entered(1) + "nonsense\n" + entered(2))

    follow()

    assert calls(sender) == ["c1", "c2"]
    assert [m.headers["origin"] for m in sender.letters()] == [b"queue_log:2"]


def test_a_damaged_position_is_refused(log: Path, follow: Follow, tmp_path: Path) -> None:
    """It says which file, and what to do."""
    (tmp_path / "position.json").write_text("{")

    with pytest.raises(ConfigError, match=r"position\.json: not a position of a tail"):
        follow()


def test_a_position_that_cannot_be_kept_is_one_line(log: Path, follow: Follow, tmp_path: Path) -> None:
    """It says which file, and why."""
    log.write_text(entered(1))
    (tmp_path / "position.json.new").mkdir()

    with pytest.raises(ConfigError, match=r"position\.json: cannot be written: Is a directory"):
        follow()


def test_a_position_that_cannot_be_read_is_one_line(follow: Follow, tmp_path: Path) -> None:
    """To go on at the start of the log instead would be a guess."""
    (tmp_path / "position.json").mkdir()

    with pytest.raises(ConfigError, match=r"position\.json: cannot be read: Is a directory"):
        follow()


def test_a_log_that_cannot_be_read_is_one_line(log: Path, follow: Follow) -> None:
    """One that is not there yet is waited for; one that is there and cannot be read is not."""
    log.mkdir()

    with pytest.raises(InputError, match="queue_log: cannot be read: Is a directory"):
        follow()
