"""The views on trouble with clocks and data: each rule finds what it names, and nothing beside it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from schemas.events import (
    ContactAbandoned,
    ContactAccepted,
    ContactHandled,
    ContactOffered,
    FloorEvent,
    StateChanged,
    encode,
    subject_of,
)
from schemas.registry import Alias, Floor, Person, ReasonCode
from schemas.telemetry import DEAD_REASONS
from schemas.times import HOUR_MS, from_ms, to_ms
from sinks.quality import CHECKS, all_time, read_quality
from sinks.reconcile import reconcile
from sinks.registry import store_registry
from sinks.schema import statements
from streams.core.spans import TTL_MS

AT = datetime(2026, 3, 2, 10, tzinfo=UTC)
DAY = (to_ms(AT) - 10 * 3_600_000, to_ms(AT) + 14 * 3_600_000)

Store = Callable[..., None]
Found = dict[str, dict[str, tuple[int, str]]]


@pytest.fixture
def store(client: Client) -> Store:
    """Stores events as the worker does, with other values of the row where given."""
    names = [
        "type",
        "subject",
        "at",
        "source",
        "id",
        "revision",
        "void",
        "superseded_by",
        "payload",
        "offset",
        "version",
    ]

    def put(*events: FloorEvent, superseded_by: int = 0) -> None:
        rows = [
            [
                e.type,
                subject_of(e),
                e.at,
                e.source,
                e.id,
                e.revision,
                int(e.void),
                superseded_by,
                encode(e).decode(),
                n,
                n,
            ]
            for n, e in enumerate(events, start=1)
        ]
        client.insert("events", rows, column_names=names)

    return put


@pytest.fixture(autouse=True)
def clock(client: Client) -> None:
    """The floor's time is the midnight after the day."""
    row = ["floor.events:0", 1, "partition", from_ms(DAY[1]), 9, 6, 1, 2, 0, '{"base":0}', 1]
    names = ["subject", "hop", "kind", "clock", "boundary", "rows", "duplicates", "dead", "controls", "body", "version"]
    client.insert("subjects", [row], column_names=names)


def handled(number: int, **changes: Any) -> ContactHandled:
    """A contact of a1."""
    values: dict[str, Any] = {"agent": "a1", "queue": "q", "started_at": AT, "talk_s": 60.0} | changes
    return ContactHandled(**_base(number) | values)


def entered(number: int, at: datetime, state: str, **changes: Any) -> StateChanged:
    """A state of a1."""
    return StateChanged(**_base(number) | {"at": at, "state": state, "agent": "a1"} | changes)


def _base(number: int) -> dict[str, Any]:
    return (
        {"source": "acd", "id": f"e{number}", "at": AT, "contact": f"c{number}"}
        if number < 100
        else {
            "source": "acd",
            "id": f"s{number}",
            "at": AT,
        }
    )


def found(client: Client, span: tuple[int, int] = DAY) -> Found:
    """Check -> part -> (n, example), of what was found."""
    answer: Found = {}
    for finding in read_quality(client, *span):
        if finding.n:
            answer.setdefault(finding.check.id, {})[finding.part] = (finding.n, finding.example)
    return answer


def test_every_check_is_told_even_when_nothing_was_found(client: Client) -> None:
    """0 is an answer; and every reason of a dead letter has a check."""
    told = [finding.check.id for finding in read_quality(client, *DAY)]

    assert list(dict.fromkeys(told)) == [check.id for check in CHECKS]
    assert {check.id for check in CHECKS} >= DEAD_REASONS


def test_clamped_gaps_are_counted_by_source(client: Client, store: Store) -> None:
    """The example is the largest; a replaced fact, one of another day and one without a gap do not count."""
    store(handled(1, clamped_s=1.0), handled(2, clamped_s=2.0), handled(3, at=AT + timedelta(days=1), clamped_s=1.0))
    store(handled(4, clamped_s=1.0), superseded_by=1)

    assert found(client)["clamped"] == {"acd": (2, "e2")}


def test_capped_contacts_are_counted(client: Client, store: Store) -> None:
    """Beyond 4 h of talk, hold or wrap; exactly 4 h is believed."""
    store(handled(1, talk_s=14_400.0), handled(2, hold_s=14_400.001), handled(3, wrap_s=50_000.0))

    assert found(client)["capped"] == {"acd": (2, "e3")}


def test_dead_letters_are_counted_by_reason(client: Client) -> None:
    """At the time that they name; what names none, at that of the broker."""
    dated = f'{{"at":"{AT.isoformat()}"}}'
    rows = [
        ["floor.events", 0, 7, "", "future", dated, AT + timedelta(days=9)],
        ["floor.events", 0, 8, "", "future", '{"at":"2026-03-09T10:00:00Z"}', AT],
        ["file", -1, 3, "calls.csv:3", "rejected_row", "a;b", AT],
    ]
    names = ["topic", "partition", "offset", "origin", "reason", "value", "at"]
    client.insert("dead_letters", rows, column_names=names)

    answer = found(client)

    assert answer["future"] == {"floor.events": (1, "floor.events:0:7")}
    assert answer["rejected_row"] == {"file": (1, "calls.csv:3")}


def test_facts_that_count_for_two_are_counted(client: Client, store: Store) -> None:
    """The same revision under another agent; what a higher one replaced, or took back, counts for one."""
    store(handled(1), handled(2), handled(3), entered(101, AT, "ready"), entered(102, AT, "ready", agent="a2"))
    store(handled(1, agent="a2"), handled(2, agent="a2"), handled(2, agent="a3"))
    store(handled(4), superseded_by=1)
    store(handled(4, agent="a2", revision=1), handled(3, agent="a2", revision=1, void=True))

    assert found(client)["counted_twice"] == {"acd": (2, "e1")}


def test_waits_and_contacts_that_nobody_ended_are_counted(client: Client, store: Store) -> None:
    """
    Without an end within 12 h; one that ended, and one that may still end, do not count.

    Nor does c4, whose departure was told by a clock that is a second behind.
    """
    base: dict[str, Any] = {"source": "acd", "at": AT}
    late: dict[str, Any] = {"source": "acd", "at": AT + timedelta(hours=3)}
    store(
        ContactOffered(**base, id="o1", contact="c1", queue="q"),
        ContactOffered(**base, id="o2", contact="c2", queue="q"),
        ContactAbandoned(**late, id="o2", contact="c2", queue="q", waited_s=3600.0),
        ContactOffered(**late, id="o3", contact="c3", queue="q"),
        ContactAccepted(**base, id="k1", contact="c9", agent="a1"),
        ContactAccepted(**base, id="k2", contact="c1", agent="a1"),
        handled(1, at=AT + timedelta(hours=1)),
        ContactAbandoned(**base, id="o4", contact="c4", queue="q", waited_s=0.0, clamped_s=1.001),
        ContactOffered(**base | {"at": AT + timedelta(seconds=1.001)}, id="o4", contact="c4", queue="q"),
    )

    answer = found(client)

    assert answer["open_waits"] == {"q": (1, "c1")}
    assert answer["open_contacts"] == {"acd": (1, "c9")}


@pytest.mark.parametrize("ends", [DAY[1], to_ms(AT) - 8 * HOUR_MS])
def test_an_end_after_12_hours_ends_nothing_any_more(client: Client, store: Store, ends: int) -> None:
    """
    What ended by itself is counted, whether or not the range holds the late end too; the last instant is in time.

        01:00           13:00     14:00
        c1, c3 |----------|         x  too late
        c2, c4 |----------x            in time
    """
    began, in_time, too_late = (AT + timedelta(hours=hours) for hours in (-9, 3, 4))
    left: dict[str, Any] = {"source": "acd", "queue": "q", "waited_s": 60.0}
    store(
        *(ContactOffered(source="acd", id=c, at=began, contact=c, queue="q") for c in ("c1", "c2")),
        ContactAbandoned(**left, id="c1", at=too_late, contact="c1"),
        ContactAbandoned(**left, id="c2", at=in_time, contact="c2"),
        *(ContactAccepted(source="acd", id=c, at=began, contact=c, agent="a1") for c in ("c3", "c4")),
        handled(3, at=too_late),
        handled(4, at=in_time),
    )

    answer = found(client, (DAY[0], ends))

    assert answer["open_waits"] == {"q": (1, "c1")}
    assert answer["open_contacts"] == {"acd": (1, "c3")}


def test_states_that_ended_by_themselves_are_counted(client: Client, store: Store) -> None:
    """12 h without another state; offline may last, and the next state may be of the next day."""
    store(
        entered(101, AT - timedelta(hours=9), "ready"),
        entered(102, AT + timedelta(hours=3), "away"),
        entered(103, AT - timedelta(hours=2), "wrap", agent="a2"),
        entered(104, AT + timedelta(hours=9), "offline", agent="a2"),
        entered(105, AT, "ready", agent="a3"),
    )

    assert found(client)["open_states"] == {"ready": (2, "s101")}


def test_the_ttl_of_the_views_is_that_of_the_engine() -> None:
    """A state or a wait ends by itself after the same time in both."""
    text = "\n".join(statement for file, statement in statements() if file == "0005_quality.sql")

    assert text.count(f"INTERVAL {TTL_MS // 3_600_000} HOUR") == text.count("INTERVAL") > 0


def test_agents_and_reasons_that_nobody_knows_are_counted(client: Client, store: Store) -> None:
    """An alias that does not cover the time is none; a registered reason is known."""
    alias = Alias(source="acd", id="47", valid_to=AT - timedelta(days=1))
    now = Alias(source="acd", id="48")
    person = Person(id="a1", aliases=[alias, now])
    store_registry(client, Floor(people=[person], reason_codes=[ReasonCode(id="lunch")]), "lead", AT)
    store(
        entered(101, AT, "away", reason="lunch"),
        entered(102, AT, "away", reason="smoke", agent="acd:47"),
        entered(103, AT, "away", reason="smoke", agent="acd:48"),
        handled(4, agent=None),
    )

    answer = found(client)

    assert answer["unmapped"] == {"acd": (1, "acd:47")}
    assert answer["unknown_reasons"]["smoke"][0] == 2
    assert list(answer["unknown_reasons"]) == ["smoke"]
    assert answer["without_agent"] == {"acd": (1, "e4")}


def test_the_longest_silence_of_a_source_is_told(client: Client, store: Store) -> None:
    """From one minute with events to the next, in seconds; with the last event."""
    store(handled(1), handled(2, at=AT + timedelta(minutes=50, seconds=9)), handled(3, at=AT + timedelta(hours=1)))

    silence = {finding.part: finding for finding in read_quality(client, *DAY) if finding.check.id == "silence"}

    assert silence["acd"].n == 3000
    assert silence["acd"].shown == "0:50:00"
    assert silence["acd"].example == "last event 2026-03-02 11:00:00, longest from 2026-03-02 10:00"


def test_partitions_must_balance(client: Client) -> None:
    """Ten offsets: six events, a duplicate and two letters leave one that nobody accounts for, until a gap does."""
    answer = found(client)

    assert answer["duplicates"] == {"floor.events:0": (1, "")}
    assert answer["unbalanced"] == {"floor.events:0": (1, "")}

    names = ["topic", "partition", "from_offset", "to_offset"]
    client.insert("gaps", [["floor.events", 0, 4, 4]], column_names=names)
    answer = found(client)

    assert "unbalanced" not in answer
    assert answer["gaps"] == {"floor.events:0": (1, "offsets 4 to 4")}


def test_a_gap_of_the_topic_before_stands_for_nothing_of_this_one(client: Client) -> None:
    """A topic that was made anew begins at 0: what was lost of the one before is told, and accounts for no offset."""
    now = datetime.now(UTC)
    names = ["topic", "partition", "from_offset", "to_offset", "accepted_at"]
    client.insert("gaps", [["floor.events", 0, 4, 7, now - timedelta(days=2)]], column_names=names)
    topics = [["floor.events", 1, now - timedelta(days=9)], ["floor.events", 2, now - timedelta(days=1)]]
    client.insert("topics", topics, column_names=["topic", "epoch", "seen_at"])
    mark = ["floor.events:0", 1, "partition", 4, 10, 1, 2, 0, '{"base":8}', 2 << 48]
    columns = ["subject", "hop", "kind", "boundary", "rows", "duplicates", "dead", "controls", "body", "version"]
    client.insert("subjects", [mark], column_names=columns)

    answer = found(client)

    assert answer["gaps"] == {"floor.events:0": (4, "offsets 4 to 7")}
    assert "unbalanced" not in answer
    assert [difference.where for difference in reconcile(client).differences if difference.what == "offsets"] == []


def test_all_time_holds_every_event(client: Client, store: Store) -> None:
    """From the first to beyond the last, and up to the floor's clock."""
    store(handled(1), handled(2, at=AT + timedelta(hours=2)))

    assert all_time(client) == (to_ms(AT), DAY[1] + 1)
