"""Traps d (outliers) and e (clocks) of reference/kpis.md §4: cut, set aside or set to 0, and counted for all to see."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from clickhouse_connect.driver.client import Client

from floorpulse.settings import Settings
from floorpulse.wiring import clickhouse_client
from schemas.events import ContactAbandoned, ContactHandled, FloorEvent, encode, subject_of
from schemas.kpis import KPIS, value
from schemas.panes import LONGEST_PART_MS
from schemas.times import HOUR_MS, from_ms, to_ms
from sinks.clickhouse import ClickHouseSink
from sinks.quality import all_time, read_quality
from sources.core.csv_events import CsvParser
from sources.core.mapping import read_mapping
from sources.core.parsed import Accepted, Parsed, Rejected, content_hash
from sources.core.queue_log import QueueLogParser
from sources.core.technion import COLUMNS, PHANTOM, TechnionParser
from sources.readers.files import read_file, summary
from streams.core.log import Item
from streams.core.subject import fold_all
from tests.streams.runs import new_engine

CALL = (
    "AA0101 9000{n} 0 0 PS 990201 7:10:00 {vru_exit} {vru} 7:10:10 7:10:40 30 {outcome} {start} 8:21:43 4264 {server}"
)
USUAL = {"vru_exit": "7:10:10", "vru": "10", "outcome": "AGENT", "start": "7:10:40", "server": "AGENT_A"}
ZONE = ZoneInfo("Asia/Jerusalem")
MAPPING = """\
source: crm
events:
  - type: contact_handled
    fields: {id: Nr, contact: Nr, at: Ended, started_at: Began, agent: Agent, queue: Queue, talk_s: Talk}
"""
HEAD = "Nr,Began,Ended,Agent,Queue,Talk\n"

Found = dict[str, tuple[int, str]]
Store = Callable[[Iterable[FloorEvent]], Found]


@pytest.fixture
def client(own_schema: Settings) -> Iterator[Client]:
    """A store with the whole schema."""
    client = clickhouse_client(own_schema)
    yield client
    client.close()


@pytest.fixture
def store(client: Client) -> Store:
    """Folds and stores events as the worker does; gives what data-quality then says: check -> (n, example)."""

    def run(events: Iterable[FloorEvent]) -> Found:
        engine = new_engine(event_clock=True)
        told = sorted(events, key=lambda event: event.at)
        broker_ms = to_ms(told[-1].at) + HOUR_MS
        for offset, event in enumerate(told):
            engine.apply(Item(offset, broker_ms, encode(event), subject_of(event).encode(), event, content=offset))
        engine.take_outbox()
        ClickHouseSink(client).write([engine.freeze()])
        found = read_quality(client, *all_time(client))
        return {finding.check.id: (finding.n, finding.example) for finding in found if finding.n}

    return run


def nobody(source: str, agent: str, _at_ms: int) -> str:
    return f"{source}:{agent}"


def calls(*rows: dict[str, str]) -> list[bytes]:
    """Lines of a made-up file in the form of the February file."""
    told = [CALL.format(n=n, **USUAL | row) for n, row in enumerate(rows, start=1)]
    return [line.replace(" ", "\t").encode() + b"\r\n" for line in (" ".join(COLUMNS), *told)]


def technion(*rows: dict[str, str]) -> list[Parsed]:
    return list(TechnionParser(ZONE, nobody).parse(calls(*rows)))


def events(parsed: Iterable[Parsed]) -> list[FloorEvent]:
    return [found.event for found in parsed if isinstance(found, Accepted)]


def contact(talk_s: float) -> ContactHandled:
    """A contact that is said to have lasted that long."""
    at = from_ms(1_772_445_600_000)
    return ContactHandled(
        source="acd", id="stuck", at=at, contact="c1", agent="a1", queue="q", started_at=at, talk_s=talk_s
    )


def test_trap_d_a_record_that_got_stuck_is_cut_to_what_is_believed_and_shown(store: Store) -> None:
    """Twenty hours of talk would spoil every mean; 4,264 s, the longest of the February file, is real."""
    stuck, real = contact(72_000.0), contact(4_264.0)

    (pane,) = (
        pane
        for _, cells in fold_all([(0, stuck)], 0).minutes.items()
        for pane in cells.values()
        if "handled" in pane.sums
    )

    assert value(KPIS["avg_talk_s"], pane.sums) == LONGEST_PART_MS / 1000
    assert (pane.sums["capped"], pane.sums["capped_ms"]) == (1, 57_600_000)
    assert store([stuck])["capped"] == (1, "stuck")
    assert "capped" not in counted_of(real)


def counted_of(event: FloorEvent) -> set[str]:
    """The columns that an event adds to."""
    panes = fold_all([(0, event)], 0)
    return {column for _, cells in panes.minutes.items() for pane in cells.values() for column in pane.sums}


def test_trap_d_phantom_calls_are_counted_and_told(tmp_path: Path) -> None:
    """They are no facts of the floor, and the reader says how many there were and why."""
    file = tmp_path / "calls.txt"
    file.write_bytes(b"".join(calls({}, {"outcome": "PHANTOM"}, {"outcome": "PHANTOM"})))

    reading = read_file(file, "hash", TechnionParser(ZONE, nobody), 1)

    assert dict(reading.skipped) == {PHANTOM: 2}
    assert len(reading.messages) == 3
    assert "2 left out (phantom row)" in summary(reading, 1.0)


def test_trap_d_a_negative_ivr_time_spoils_no_wait() -> None:
    """The wait is that of the queue; the time before it is not counted in any figure."""
    usual, odd = technion({}), technion({"vru_exit": "7:09:20", "vru": "-40"})

    assert [(e.type, e.at) for e in events(odd)] == [(e.type, e.at) for e in events(usual)]
    assert [e.waited_s for e in events(odd) if isinstance(e, ContactHandled)] == [30]


def test_trap_d_contacts_of_nobody_count_for_the_queue_and_are_shown(store: Store) -> None:
    """NO_SERVER is no agent: dropping these calls, or making an agent of the word, would both be wrong."""
    found = events(technion({"server": "NO_SERVER"}))

    assert [subject_of(event) for event in found] == ["queue:PS"] * 3
    assert store(found)["without_agent"][0] == 1


def test_trap_e_a_service_a_second_before_the_queue_was_left_is_clamped_and_shown(store: Store) -> None:
    """Two clocks: up to 2 s is no gap; more is left as it is, and nothing is said where there is no gap."""
    rows = [{"start": f"7:10:{second}"} for second in ("37", "38", "39", "40", "41")]

    handled = [event for event in events(technion(*rows)) if isinstance(event, ContactHandled)]

    assert [event.clamped_s for event in handled] == [0, 2, 1, 0, 0]
    assert [event.talk_s for event in handled] == [4264] * 5
    assert store(handled)["clamped"] == (2, handled[1].id)


def test_trap_e_the_content_hash_is_the_vendors_own() -> None:
    """A file that went in before gaps were marked is still the same file: the same facts, no conflict."""
    (line,) = calls({"start": "7:10:39"})[1:]
    parsed = [found for found in technion({"start": "7:10:39"}) if isinstance(found, Accepted)]

    assert {found.content for found in parsed} == {content_hash(line.rstrip(b"\r\n"))}


@pytest.mark.parametrize(
    ("ends", "waited"), [("201", (1.0, 0.0)), ("200", (0.0, 0.0)), ("199", (0.0, 1.0)), ("198", (0.0, 2.0))]
)
def test_trap_e_a_wait_that_ended_before_it_began_is_clamped(ends: str, waited: tuple[float, float]) -> None:
    """(wait, clamped) of a call that gave up in a line without its waiting time."""
    log = f"1366720200|c1|q|NONE|ENTERQUEUE||5550|1\n1366720{ends}|c1|q|NONE|ABANDON|1|1\n"

    (left,) = (e for e in events(QueueLogParser(nobody).parse(lines(log))) if isinstance(e, ContactAbandoned))

    assert (left.waited_s, left.clamped_s) == waited


def test_trap_e_a_longer_negative_wait_is_refused_with_its_reason() -> None:
    """Three seconds are no difference of clocks: the line is set aside, and a restart with it keeps what is open."""
    parser = QueueLogParser(nobody)
    log = "".join(
        f"1366720{line}\n"
        for line in ("200|c1|q|NONE|ENTERQUEUE||5550|1", "197|c1|q|NONE|ABANDON|1|1", "197|NONE|NONE|NONE|QUEUESTART|")
    )

    refused = [found for found in parser.parse(lines(log)) if isinstance(found, Rejected)]

    assert [found.text for found in refused] == [
        "time: expected at most 2 s before what it ends, 1366720200, found '1366720197'",
        "time: expected at most 2 s before what it ends, 1366720200, found '1366720197'",
    ]
    assert list(parser.memory.waiting) == ["c1|q"]


def test_trap_e_small_negative_durations_of_a_table_are_clamped_and_longer_ones_refused() -> None:
    """-1.5 s of talk is 0 and said so; a start 2 s after the end too; -3 s is a fault of the row."""
    rows = [
        "1,2026-03-02T10:00:00Z,2026-03-02T10:01:00Z,a1,q,-1.5",
        "2,2026-03-02T10:01:02Z,2026-03-02T10:01:00Z,a1,q,60",
        "3,2026-03-02T10:00:00Z,2026-03-02T10:01:00Z,a1,q,-3",
        "4,2026-03-02T10:00:00Z,2026-03-02T10:01:00Z,a1,q,60",
    ]
    parser = CsvParser(read_mapping(MAPPING, "map.yaml"), ZoneInfo("UTC"), nobody)

    parsed = list(parser.parse(lines(HEAD + "\n".join(rows) + "\n")))

    handled = [event for event in events(parsed) if isinstance(event, ContactHandled)]
    assert [(event.id, event.talk_s, event.clamped_s) for event in handled] == [
        ("1", 0, 1.5),
        ("2", 60, 2),
        ("4", 60, 0),
    ]
    assert handled[1].started_at == handled[1].at
    assert [found.text for found in parsed if isinstance(found, Rejected)] == [
        "Talk: expected greater than or equal to 0, found '-3.0'"
    ]


def lines(text: str) -> list[bytes]:
    return text.encode().splitlines(keepends=True)
