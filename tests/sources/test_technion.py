"""The technion reader, rule by rule, on made-up rows; and the golden numbers where the real file is at hand."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from schemas.errors import InputError
from schemas.events import ContactAbandoned, ContactAnswered, ContactHandled, FloorEvent
from sources.core.parsed import Accepted, Parsed, Rejected, Resolve, Skipped
from sources.core.technion import COLUMNS, TechnionParser

GOOD = "AA0101 90001 0 0 PS 990201 7:10:00 7:10:10 10 7:10:10 7:10:40 30 AGENT 7:10:39 7:12:39 120 AGENT_A"
NO_QUEUE = "AA0101 90002 0 0 NW 990201 8:00:00 8:00:09 9 0:00:00 0:00:00 0 AGENT 8:00:08 8:01:08 60 NO_SERVER"
ABANDONED = "AA0102 90003 0 2 NE 990201 9:00:00 9:00:05 5 9:00:05 9:01:05 60 HANG 0:00:00 0:00:00 0 NO_SERVER"
IVR_ONLY = "AA0102 90004 0 0 PS 990201 9:00:00 9:00:05 5 0:00:00 0:00:00 0 HANG 0:00:00 0:00:00 0 NO_SERVER"
PHANTOM = "AA0102 90005 0 0 PS 990201 9:00:00 9:00:05 5 9:00:05 9:00:06 1 PHANTOM 0:00:00 0:00:00 0 NO_SERVER"
NO_SERVICE = "AA0103 90006 0 0 PS 990201 9:00:00 9:00:05 5 9:00:05 9:00:15 10 AGENT 0:00:00 0:00:00 0 AGENT_A"
MIDNIGHT = "AA0103 90007 0 0 PS 990201 23:59:30 23:59:40 10 23:59:40 0:00:10 30 AGENT 0:00:09 0:02:09 120 AGENT_A"
FILE = Path(os.environ.get("FLOORPULSE_TECHNION_FILE", "../shared/data/anonymous_bank_feb1999.txt"))

Parse = Callable[..., list[Parsed]]


@pytest.fixture
def parse(nobody: Resolve) -> Parse:
    """Parses rows, given with blanks for tabs, under the header."""

    def run(*rows: str, end: str = "\r\n") -> list[Parsed]:
        lines = [line.replace(" ", "\t") + "\r\n" for line in (" ".join(COLUMNS), *rows)]
        text = "".join(lines).removesuffix("\r\n") + end
        return list(TechnionParser(ZoneInfo("Asia/Jerusalem"), nobody).parse(text.encode().splitlines(keepends=True)))

    return run


def events(parsed: list[Parsed]) -> list[FloorEvent]:
    return [p.event for p in parsed if isinstance(p, Accepted)]


def utc(hour: int, minute: int, second: int = 0, day: int = 1) -> datetime:
    return datetime(1999, 2, day, hour, minute, second, tzinfo=UTC)


def test_one_row_holds_three_facts_each_at_its_own_time(parse: Parse) -> None:
    """Offered at q_start, answered at offered + q_time, handled at ser_exit; local time becomes UTC."""
    found = events(parse(GOOD))

    assert [(e.type, e.at) for e in found] == [
        ("contact_offered", utc(5, 10, 10)),
        ("contact_answered", utc(5, 10, 40)),
        ("contact_handled", utc(5, 12, 39)),
    ]


def test_identity_is_line_call_and_date(parse: Parse) -> None:
    """call_id repeats, so line and date are part of the id; the queue is the type column."""
    first = events(parse(GOOD))[0]

    assert (first.source, first.id) == ("technion", "AA0101-90001-990201")
    assert {getattr(e, "queue", None) for e in events(parse(GOOD))} == {"PS"}


def test_waits_and_talk_are_those_of_the_file(parse: Parse) -> None:
    """waited_s is q_time, talk_s is ser_time, the agent is the server."""
    _, answered, handled = events(parse(GOOD))

    assert isinstance(answered, ContactAnswered)
    assert isinstance(handled, ContactHandled)
    assert (answered.waited_s, handled.waited_s, handled.talk_s) == (30, 30, 120)
    assert answered.agent == handled.agent == "technion:AGENT_A"


def test_without_queue_it_is_offered_when_the_ivr_ends(parse: Parse) -> None:
    """A call without q_start is offered and answered at vru_exit; NO_SERVER is no agent."""
    offered, answered, handled = events(parse(NO_QUEUE))

    assert offered.at == answered.at == utc(6, 0, 9)
    assert isinstance(handled, ContactHandled)
    assert handled.agent is None


def test_hang_up_in_the_queue_is_abandoned(parse: Parse) -> None:
    """Abandoned at q_exit after q_time."""
    abandoned = events(parse(ABANDONED))[1]

    assert isinstance(abandoned, ContactAbandoned)
    assert (abandoned.at, abandoned.waited_s) == (utc(7, 1, 5), 60)


def test_phantoms_and_ivr_hang_ups_are_left_out(parse: Parse) -> None:
    """They are counted by reason and are no facts."""
    parsed = parse(PHANTOM, IVR_ONLY)

    assert [p.reason for p in parsed if isinstance(p, Skipped)] == ["phantom row", "hung up before the queue"]
    assert events(parsed) == []


def test_without_service_times_it_is_handled_in_no_time(parse: Parse) -> None:
    """A server without service times: talk 0, handled at q_exit."""
    handled = events(parse(NO_SERVICE))[2]

    assert isinstance(handled, ContactHandled)
    assert (handled.talk_s, handled.at, handled.started_at) == (0, utc(7, 0, 15), utc(7, 0, 15))


def test_times_after_midnight_are_of_the_next_day(parse: Parse) -> None:
    """A time more than 6 h before vru_entry is the next day."""
    _, answered, handled = events(parse(MIDNIGHT))

    assert answered.at == utc(22, 0, 10)
    assert handled.at == utc(22, 2, 9)


def test_without_queue_and_service_times_it_is_handled_when_the_ivr_ends(parse: Parse) -> None:
    """The last instant that the row tells."""
    handled = events(parse(NO_QUEUE.replace("8:00:08 8:01:08 60", "0:00:00 0:00:00 0")))[2]

    assert handled.at == utc(6, 0, 9)


def test_the_clock_change_of_the_day_counts(parse: Parse) -> None:
    """Clocks of Jerusalem were put on in the night to 2 April 1999: 7:10 is seven hours and not eight after 0:00."""
    offered = events(parse(GOOD.replace("990201", "990402")))[0]

    assert offered.at == datetime(1999, 4, 2, 4, 10, 10, tzinfo=UTC)


def test_blank_lines_are_no_rows(parse: Parse) -> None:
    """They are neither counted nor refused."""
    assert [p.line for p in parse(PHANTOM, "", PHANTOM)] == [2, 4]


@pytest.mark.parametrize(
    ("row", "text"),
    [
        (GOOD.replace(" 120 ", " 12x "), "ser_time: expected a whole number, found '12x'"),
        (GOOD.replace(" 120 ", " 1234567 "), "ser_time: expected a whole number, found '1234567'"),
        (GOOD.replace("7:10:40", "7:61:40"), "q_exit: expected a time H:MM:SS, found '7:61:40'"),
        (GOOD.replace("990201", "990231"), "date: expected a date YYMMDD, found '990231'"),
        (GOOD.replace("990201", "99-02-01"), "date: expected a date YYMMDD, found '99-02-01'"),
        (
            GOOD.replace("990201", "700101"),
            "at: expected greater than or equal to 1980-01-01T00:00:00Z, found '1970-01-01 05:10:10+00:00'",
        ),
        (GOOD.replace(" PS ", "  "), "type: expected 1 to 60 characters, found ''"),
        (GOOD.replace(" AGENT ", " AGENTS "), "outcome: expected AGENT, HANG or PHANTOM, found 'AGENTS'"),
        (GOOD.rsplit(" ", 3)[0], "row: expected 17 columns, found '14 columns'"),
    ],
)
def test_a_bad_row_names_line_and_field(parse: Parse, row: str, text: str) -> None:
    """A faulty row is refused alone, by line, field and expectation; the good ones beside it stay."""
    parsed = parse(ABANDONED, row, NO_QUEUE)

    assert [(p.line, p.text) for p in parsed if isinstance(p, Rejected)] == [(3, text)]
    assert len(events(parsed)) == 5


def test_a_name_cut_off_at_the_end_of_the_file_is_refused(parse: Parse) -> None:
    """A truncated file must not make an agent out of half a name."""
    parsed = parse(GOOD, NO_SERVICE.replace("AGENT_A", "AGEN"), end="")

    assert [p.line for p in parsed if isinstance(p, Rejected)] == [3]
    assert len(events(parsed)) == 3


def test_a_last_row_without_line_end_counts_when_its_name_is_known(parse: Parse) -> None:
    """A file made by hand need not end with a line end."""
    assert len(events(parse(GOOD, NO_SERVICE, end=""))) == 6


def test_another_format_is_refused_by_its_header(nobody: Resolve) -> None:
    """The one line says what was found and what was expected."""
    parser = TechnionParser(ZoneInfo("UTC"), nobody)

    with pytest.raises(InputError, match=r"line 1: expected the header of technion, 17 .*; found 'a,b'"):
        list(parser.parse([b"a,b\n", b"1,2\n"]))


def test_the_same_file_has_the_same_ids_and_hashes(parse: Parse) -> None:
    """Nothing of the run or of the release gets into identity or content: what is sent again is no conflict."""
    first, again = parse(GOOD, ABANDONED), parse(GOOD, ABANDONED)

    assert first == again
    assert [p.content for p in first if isinstance(p, Accepted)][::3] == ["3b7d476212523e52", "20b8e7330ebfeabb"]


@pytest.mark.skipif(not FILE.exists(), reason=f"the real month is not at {FILE} (FLOORPULSE_TECHNION_FILE)")
def test_golden_numbers_of_february_1999(nobody: Resolve) -> None:
    """The counts and means of the real month, to the digit."""
    with FILE.open("rb") as stream:
        found = events(list(TechnionParser(ZoneInfo("Asia/Jerusalem"), nobody).parse(stream)))

    answered = [e for e in found if isinstance(e, ContactAnswered)]
    abandoned = [e for e in found if isinstance(e, ContactAbandoned)]
    handled = [e for e in found if isinstance(e, ContactHandled)]
    assert (len(answered), len(abandoned), len(handled)) == (27_162, 3_963, 27_162)
    assert round(sum(e.waited_s for e in answered) / len(answered), 4) == 40.7743
    assert round(sum(e.talk_s for e in handled) / len(handled), 3) == 176.353
    assert sum(e.waited_s <= 20 for e in answered) == 16_209
    assert sum(e.waited_s <= 20 for e in abandoned) == 1_257
    assert sum(e.agent is None for e in handled) == 491
    assert sum(e.clamped_s > 0 for e in handled) == 20_619
