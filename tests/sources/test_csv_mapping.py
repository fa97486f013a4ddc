"""CSV by a mapping: its errors name file, line and key; its rows are judged one by one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from schemas.errors import ConfigError, InputError
from sources.core.csv_events import CsvParser
from sources.core.mapping import read_mapping
from sources.core.parsed import Accepted, Parsed, Rejected, Resolve, Skipped

MAPPING = """\
source: crm
time_format: "%d.%m.%Y %H:%M"
timezone: Europe/Berlin
decimal_comma: true
delimiter: ";"
events:
  - type: quality_scored
    when: {Status: [final]}
    fields: {id: Nr, at: Date, agent: Agent, score: Points, fatal: Fatal}
    constants: {form: sales}
  - type: task_timed
    fields: {id: Nr, at: Date, agent: Agent, seconds: Time}
    constants: {task: letters}
    units: {seconds: hms}
"""
HEADER = "Nr;Date;Agent;Points;Fatal;Time;Status\r\n"

Parse = Callable[..., list[Parsed]]


@pytest.fixture
def parse(nobody: Resolve) -> Parse:
    """Parses rows under the header."""

    def run(*rows: str, mapping: str = MAPPING) -> list[Parsed]:
        text = HEADER + "".join(row + "\r\n" for row in rows)
        parser = CsvParser(read_mapping(mapping, "map.yaml"), ZoneInfo("UTC"), nobody)
        return list(parser.parse(text.encode().splitlines(keepends=True)))

    return run


def accepted(parsed: list[Parsed]) -> list[Any]:
    return [p.event for p in parsed if isinstance(p, Accepted)]


def test_a_row_becomes_every_event_that_its_values_ask_for(parse: Parse) -> None:
    """Local times, decimal commas, words for yes, H:MM:SS and constants."""
    scored, timed = accepted(parse("7;02.03.2026 09:30;Eva;87,5;no;0:02:30;final"))

    assert scored.at == datetime(2026, 3, 2, 8, 30, tzinfo=UTC)
    assert (scored.agent, scored.score, scored.fatal, scored.form) == ("crm:Eva", 87.5, False, "sales")
    assert (timed.id, timed.seconds, timed.task) == ("7", 150, "letters")


def test_an_hour_that_comes_twice_is_the_first(parse: Parse) -> None:
    """And one that never comes is that after it: clocks were put on before."""
    rows = [f"{n};{at};Eva;87,5;no;0:02:30;final" for n, at in enumerate(("25.10.2026 02:30", "29.03.2026 02:30"))]

    instants = [event.at for event in accepted(parse(*rows)) if event.type == "task_timed"]

    assert instants == [datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 3, 29, 1, 30, tzinfo=UTC)]


def test_blanks_around_a_value_change_nothing(parse: Parse) -> None:
    """Some systems fill their columns up with blanks: the row is the same to `when` as to its fields."""
    padded, plain = (parse(f"7;02.03.2026 09:30;Eva {end};87,5;no;0:02:30; final{end}") for end in ("   ", ""))

    assert accepted(padded) == accepted(plain)
    assert [event.type for event in accepted(padded)] == ["quality_scored", "task_timed"]


def test_an_empty_row_is_left_out(parse: Parse) -> None:
    """A spreadsheet writes its empty rows with all their delimiters: refused, a hundred of them would stop the file."""
    mapping = MAPPING.replace("    when: {Status: [final]}\n", "")

    parsed = parse(*[" ; ;;;;;"] * 150, mapping=mapping)

    assert [p.reason for p in parsed if isinstance(p, Skipped)] == ["empty row"] * 150
    assert len(parsed) == 150


def test_a_row_that_no_event_asks_for_is_left_out(parse: Parse) -> None:
    """`when` names the values of a column."""
    only_scores = MAPPING[: MAPPING.index("  - type: task_timed")]

    parsed = parse("7;02.03.2026 09:30;Eva;87,5;no;0:02:30;draft", mapping=only_scores)

    assert [type(p) for p in parsed] == [Skipped]


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ("7;2 March;Eva;1;no;0:00:01;final", "Date: expected a time like %d.%m.%Y %H:%M, found '2 March'"),
        (
            "7;01.01.0001 00:00;Eva;1;no;0:00:01;final",
            "Date: expected a time like %d.%m.%Y %H:%M, found '01.01.0001 00:00'",
        ),
        (
            "7;02.03.2026 09:30;Eva;many;no;0:00:01;final",
            "Points: expected a number with a decimal comma, found 'many'",
        ),
        ("7;02.03.2026 09:30;Eva;8.5;no;0:00:01;final", "Points: expected a number with a decimal comma, found '8.5'"),
        ("7;02.03.2026 09:30;Eva;8_5;no;0:00:01;final", "Points: expected a number with a decimal comma, found '8_5'"),
        ("7;02.03.2026 09:30;Eva;1;no;-0:05:00;final", "Time: expected greater than or equal to 0, found '-300.0'"),
        ("7;02.03.2026 09:30;Eva;1;no;0:05:-30;final", "Time: expected a time H:MM:SS, found '0:05:-30'"),
        ("7;02.03.2026 09:30;Eva;101;no;0:00:01;final", "Points: expected less than or equal to 100, found '101.0'"),
        ("7;02.03.2026 09:30;Eva;-1;no;0:00:01;final", "Points: expected greater than or equal to 0, found '-1.0'"),
        ("7;02.03.2026 09:30;Eva;1;maybe;0:00:01;final", "Fatal: expected yes or no, found 'maybe'"),
        (";02.03.2026 09:30;Eva;1;no;0:00:01;final", "Nr: expected a value, found 'none'"),
        ("7;02.03.2026 09:30;Eva", "row: expected 7 columns, found '3 columns'"),
    ],
)
def test_a_bad_cell_names_line_and_column(parse: Parse, row: str, text: str) -> None:
    """The row is refused alone, by the name of the column."""
    good = "8;02.03.2026 09:30;Eva;87,5;no;0:02:30;final"

    parsed = parse(good, row, good)

    assert [(p.line, p.text) for p in parsed if isinstance(p, Rejected)] == [(3, text)]
    assert len(accepted(parsed)) == 4


@pytest.mark.parametrize(
    ("cell", "seconds"),
    [("1.234,5", 1234.5), ("1234,5", 1234.5), ("1.234", 1234.0), ("0,125", 0.125), (",5", 0.5), ("-1", 0.0)],
)
def test_a_point_parts_thousands_where_the_comma_is_decimal(parse: Parse, cell: str, seconds: float) -> None:
    """As spreadsheets of such a country write it."""
    plain = MAPPING.replace("    units: {seconds: hms}\n", "").replace(
        "when: {Status: [final]}", "when: {Status: [none]}"
    )

    (timed,) = accepted(parse(f"7;02.03.2026 09:30;Eva;1;no;{cell};final", mapping=plain))

    assert timed.seconds == seconds


@pytest.mark.parametrize(
    ("cell", "seconds"), [("2:00:00", 7200.0), ("0:01:02,5", 62.5), ("0:01:02.5", 62.5), ("-0:00:01", 0.0)]
)
def test_a_length_may_have_decimals_and_a_sign(parse: Parse, cell: str, seconds: float) -> None:
    """The sign is of the whole: minutes before midnight are no minutes after it."""
    (_, timed) = accepted(parse(f"7;02.03.2026 09:30;Eva;1;no;{cell};final"))

    assert timed.seconds == seconds


CALLS = """\
source: acd
timezone: Europe/Berlin
events:
  - type: contact_handled
    fields: {id: Nr, contact: Nr, at: End, started_at: Start, agent: Agent, talk_s: Talk}
"""


def call(resolve: Resolve, start: str, end: str) -> Parsed:
    """A row of one call."""
    parser = CsvParser(read_mapping(CALLS, "map.yaml"), ZoneInfo("UTC"), resolve)
    (parsed,) = parser.parse([b"Nr,Start,End,Agent,Talk\n", f"1,{start},{end},Eva,60\n".encode()])
    return parsed


@pytest.mark.parametrize(
    ("start", "end", "lasted_s"),
    [
        ("2026-03-02T09:00", "2026-03-02T09:05", 300),
        ("2026-10-25T02:50", "2026-10-25T02:10", 1_200),
        ("2026-10-25T02:10", "2026-10-25T02:50", 2_400),
        ("2026-03-02T09:00:01", "2026-03-02T09:00:00", 0),
    ],
    ids=["plain", "into the second hour", "within the first", "two clocks"],
)
def test_a_contact_ends_after_its_start(nobody: Resolve, start: str, end: str, lasted_s: int) -> None:
    """In the second of two hours of one name where it must."""
    (event,) = accepted([call(nobody, start, end)])

    assert (event.at - event.started_at).total_seconds() == lasted_s


@pytest.mark.parametrize(
    ("start", "end"),
    [("2026-03-02T09:05", "2026-03-02T09:00"), ("2026-10-25T02:50+02:00", "2026-10-25T02:10+02:00")],
    ids=["columns mixed up", "with its offset"],
)
def test_a_contact_that_ends_before_its_start_is_refused(nobody: Resolve, start: str, end: str) -> None:
    """By the name of the column."""
    refused = call(nobody, start, end)

    assert isinstance(refused, Rejected)
    assert refused.kind == "Start: expected a time at most 2 s after that of the end"


def test_two_small_gaps_of_one_contact_are_both_lifted(nobody: Resolve) -> None:
    """`clamped_s` is the larger one, whichever comes first."""
    waits = CALLS.replace("talk_s: Talk", "talk_s: Talk, waited_s: Wait")
    parser = CsvParser(read_mapping(waits, "map.yaml"), ZoneInfo("UTC"), nobody)
    times = b"2026-03-02T09:00,2026-03-02T09:00,Eva"

    (event,) = accepted(list(parser.parse([b"Nr,Start,End,Agent,Talk,Wait\n", b"1," + times + b",-2,-1\n"])))

    assert (event.talk_s, event.waited_s, event.clamped_s) == (0, 0, 2)


PAUSES = """\
source: wfm
events:
  - type: state_changed
    fields: {id: Nr, at: From, agent: Agent}
    constants: {state: away}
  - type: state_changed
    fields: {id: Nr, at: To, agent: Agent}
    constants: {state: ready}
    id_suffix: "-end"
"""


def test_two_events_of_one_type_need_two_ids(nobody: Resolve) -> None:
    """Under one id the second would be a duplicate of the first: the row is refused, and a suffix helps."""
    file = b"Nr,From,To,Agent\n7,2026-03-02T09:00Z,2026-03-02T09:30Z,Eva\n".splitlines(keepends=True)
    same_id = PAUSES.replace('    id_suffix: "-end"\n', "")

    both, refused = (
        list(CsvParser(read_mapping(mapping, "map.yaml"), ZoneInfo("UTC"), nobody).parse(file))
        for mapping in (PAUSES, same_id)
    )

    assert [(event.id, event.state) for event in accepted(both)] == [("7", "away"), ("7-end", "ready")]
    assert [p.text for p in refused if isinstance(p, Rejected)] == [
        "Nr: expected an id of its own for each state_changed of a row (id_suffix of the mapping), found '7'"
    ]
    assert len(refused) == 1


def test_a_stray_quote_costs_one_line(parse: Parse) -> None:
    """An unclosed quote must not swallow the rest of the file."""
    good = "8;02.03.2026 09:30;Eva;87,5;no;0:02:30;final"

    parsed = parse(good, '9;02.03.2026 09:30;"Eva;1;no;0:00:01;final', good)

    assert [p.line for p in parsed if isinstance(p, Rejected)] == [3]
    assert len(accepted(parsed)) == 4


def test_a_quoted_cell_may_hold_line_ends(parse: Parse) -> None:
    """RFC 4180; the next row's line number counts the lines of the file."""
    parsed = parse('8;02.03.2026 09:30;"E\r\nva";87,5;no;0:02:30;final', "x")

    assert accepted(parsed)[0].agent == "crm:E\r\nva"
    assert [p.line for p in parsed if isinstance(p, Rejected)] == [4]


def test_a_header_without_a_mapped_column_is_refused(nobody: Resolve) -> None:
    """The line says which column is missing."""
    parser = CsvParser(read_mapping(MAPPING, "map.yaml"), ZoneInfo("UTC"), nobody)

    with pytest.raises(InputError, match="line 1: expected the column 'Date' of the mapping in the header"):
        list(parser.parse([b"Nr;Agent\n"]))


def test_a_header_that_has_a_mapped_column_twice_is_refused(nobody: Resolve) -> None:
    """Nobody can know which of the two is meant; what the mapping does not read may be there as often as it likes."""
    parser = CsvParser(read_mapping(MAPPING, "map.yaml"), ZoneInfo("UTC"), nobody)
    header = HEADER.encode().replace(b"Status", b"Note;Note;Status")

    with pytest.raises(InputError, match="line 1: expected the column 'Time' of the mapping once in the header"):
        list(parser.parse([header.replace(b"Note;Note", b"Time")]))
    assert not list(parser.parse([header]))


@pytest.mark.parametrize(
    ("wrong", "right", "message"),
    [
        ("score:", "scor:", r"map.yaml:9: events.0: fields.scor: not a field of quality_scored"),
        ("units:", "unit:", r"map.yaml:14: events.1.unit: unknown key"),
        ("Europe/Berlin", "Europe/Bonn", r"map.yaml:3: timezone: unknown time zone 'Europe/Bonn'"),
        ("at: Date, ", "", r"map.yaml:9: events.0: fields: quality_scored needs at too"),
        ("seconds: hms", "seconds: hours", r"map.yaml:14: events.1.units.seconds: Input should be"),
        ("source: crm\n", "", r"map.yaml:1: source: missing"),
        ("task_timed", "task_times", r"map.yaml:11: events.1: type: expected one of .*found 'task_times'"),
        ("events:", "events: [", r"map.yaml:\d+: not YAML"),
        ("crm", "c\0rm", r"map.yaml:1: not YAML"),
        (MAPPING, "", r"map.yaml:1: expected keys and values, found NoneType"),
        ("source: crm\n", "source: crm\nsource: acd\n", r"map.yaml:2: not YAML: source is given twice"),
    ],
)
def test_a_mapping_error_names_file_line_and_key(wrong: str, right: str, message: str) -> None:
    """One line for a person."""
    with pytest.raises(ConfigError, match=message):
        read_mapping(MAPPING.replace(wrong, right, 1), "map.yaml")
