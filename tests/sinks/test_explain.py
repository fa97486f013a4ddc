"""How a figure came about: computed again from the raw events of a real store, with all that does not count."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from schemas.controls import Ticked
from schemas.events import (
    ContactAbandoned,
    ContactAnswered,
    ContactHandled,
    ContactOffered,
    FloorEvent,
    StateChanged,
    encode,
    subject_of,
)
from schemas.kpi_terms import Limits
from schemas.kpis import KPIS, service_level
from schemas.registry import Alias, Floor, Membership, Person, ReasonCode, Registry, Team
from schemas.times import DAY_MS, HOUR_MS, MINUTE_MS, from_ms, to_ms
from sinks.clickhouse import ClickHouseSink
from sinks.explain import IN_PART, Explanation, Formula, read_explanation
from sinks.scope import Asked, Kind
from streams.core.log import Item
from streams.core.spans import TTL_MS
from tests.streams.runs import new_engine

AT = datetime(2026, 3, 2, 10, tzinfo=UTC)
NOON_MS = to_ms(AT) + 2 * HOUR_MS
LATER_MS = to_ms(AT) + 5 * DAY_MS

Tell = Callable[..., None]
Explain = Callable[..., Explanation]


@pytest.fixture
def tell(client: Client) -> Tell:
    """Folds events in the order given, and stores them with their panes; the clock then stands hours after them."""
    engine = new_engine(event_clock=True)
    said: list[FloorEvent | Ticked] = []

    def run(*events: FloorEvent, hours: int = 1, ingest: int = 0) -> None:
        for event in (*events, Ticked(at=max(event.at for event in events) + timedelta(hours=hours))):
            key = b"" if isinstance(event, Ticked) else subject_of(event).encode()
            item = Item(len(said), LATER_MS + len(said), encode(event), key, event, None, len(said), ingest)
            said.append(event)
            engine.apply(item)
        engine.take_outbox()
        ClickHouseSink(client).write([engine.freeze()])
        engine.acknowledged(engine.boundary)

    return run


@pytest.fixture
def explain(client: Client) -> Explain:
    """Explains a KPI of somebody over the two hours from ten to noon, or another range."""

    def run(kpi: str, kind: Kind, name: str, registry: Registry | None = None, **changes: Any) -> Explanation:
        asked = replace(Asked(kind, name, to_ms(AT), NOON_MS), **changes)
        found = service_level(3) if kpi == "service_level" else KPIS[kpi]
        return read_explanation(client, asked, Formula(found, Limits(20, 5), registry or Registry(Floor())))

    return run


def handled(number: int, minute: float, **changes: Any) -> ContactHandled:
    """A contact of a1 for `sales` with a minute of talk, that many minutes after ten."""
    at = AT + timedelta(minutes=minute)
    values: dict[str, Any] = {
        "source": "acd", "id": f"h{number}", "at": at, "contact": f"c{number}", "agent": "a1", "queue": "sales",
        "started_at": at - timedelta(minutes=1), "talk_s": 60.0,
    }  # fmt: skip
    return ContactHandled(**values | changes)


def state(number: int, minute: float, name: str, **changes: Any) -> StateChanged:
    """A state of a1, that many minutes after ten."""
    values: dict[str, Any] = {"source": "acd", "id": f"s{number}", "at": AT + timedelta(minutes=minute), "agent": "a1"}
    return StateChanged(**values | {"state": name} | changes)


def excluded(explanation: Explanation) -> list[tuple[str, str]]:
    return [(item.why, item.id) for item in explanation.excluded]


def test_a_mean_is_shown_with_every_contact_behind_it(tell: Tell, explain: Explain) -> None:
    """Numerator, denominator, n, value, and what each contact adds; the panes agree."""
    tell(handled(1, 5), handled(2, 50, talk_s=90.0, wrap_s=30.0), handled(3, 121))

    found = explain("aht_s", "agent", "a1")

    assert (found.parts, found.n, found.value) == ((180_000, 2), 2, 90.0)
    assert [(item.fact.event.id, item.top, item.bottom) for item in found.listed] == [
        ("h1", 60_000, 1),
        ("h2", 120_000, 1),
    ]
    assert found.disagreements == []
    assert found.compared == 4  # of each contact its counters and the minute in which it engaged the agent


def test_a_contact_that_ended_after_the_range_is_named(tell: Tell, explain: Explain) -> None:
    """It was going on at the end of the range, and counts where it ended."""
    tell(handled(1, 5), handled(2, 121, started_at=AT + timedelta(minutes=118)))

    assert excluded(explain("handled", "agent", "a1")) == [("ended after the range", "h2")]


def test_state_time_is_shown_by_stretches_and_cut_at_the_edges(tell: Tell, explain: Explain) -> None:
    """Ready since before ten, on a contact, and away beyond noon: only what lies in the range counts."""
    tell(state(1, -30, "ready"), state(2, 60, "on_contact"), state(3, 90, "away"), state(4, 150, "ready"))

    found = explain("occupancy", "agent", "a1")

    assert found.parts == (30 * MINUTE_MS, 90 * MINUTE_MS)
    assert [(item.fact.event.id, item.top, item.bottom, item.note) for item in found.listed] == [
        ("s1", 0, 60 * MINUTE_MS, IN_PART),
        ("s2", 30 * MINUTE_MS, 30 * MINUTE_MS, ""),
    ]
    assert found.disagreements == []


def test_a_state_that_is_not_over_says_that_it_does_not_count_yet(tell: Tell, explain: Explain) -> None:
    """Its time is added when it ends; after 12 h it ended by itself."""
    tell(state(1, 60, "ready"))

    assert excluded(explain("ready_s", "agent", "a1")) == [("not over yet", "s1")]

    tell(handled(1, 60), hours=TTL_MS // HOUR_MS)
    found = explain("ready_s", "agent", "a1")
    assert found.value == 3600.0
    assert "ended by itself after 12 h" in found.listed[0].note


def test_a_correction_shows_what_it_was_and_is(tell: Tell, explain: Explain) -> None:
    """The replaced revision does not count, and the change of the figure is told."""
    tell(handled(1, 5), handled(1, 5, revision=1, talk_s=90.0))

    found = explain("aht_s", "agent", "a1")
    (step,) = found.corrections

    assert found.value == 90.0
    assert (step.replaced, step.by, step.changes) == (0, 1, "talk_s 60.0 -> 90.0")
    assert (step.before, step.after) == ((60_000, 1), (90_000, 1))
    assert excluded(found) == [("replaced by revision 1", "h1")]


def test_an_ingest_is_named_beside_its_own_revision(tell: Tell, explain: Explain) -> None:
    """What was replaced came with another file: whoever takes one of the two back must not take the wrong one."""
    tell(handled(1, 5), ingest=3)
    tell(handled(1, 5, revision=1, talk_s=90.0), ingest=4)

    (replaced,) = explain("aht_s", "agent", "a1").excluded

    assert replaced.detail == "revision 0 of a contact_handled; revision 1 is of ingest 4"


def test_a_fact_that_moved_away_is_told_on_both_sides(tell: Tell, explain: Explain) -> None:
    """The contact was another agent's after all."""
    tell(handled(1, 5), handled(1, 5, revision=1, agent="a2"))

    before, after = explain("handled", "agent", "a1"), explain("handled", "agent", "a2")

    assert (before.value, after.value) == (0, 1)
    assert [(step.changes, step.before[0], step.after[0]) for step in before.corrections] == [("agent a1 -> a2", 1, 0)]
    assert [(step.changes, step.before[0], step.after[0]) for step in after.corrections] == [("agent a1 -> a2", 0, 1)]


def test_a_fact_taken_back_is_shown(tell: Tell, explain: Explain) -> None:
    """It stays on record and counts for nothing."""
    tell(handled(1, 5), handled(2, 6), handled(1, 5, revision=1, void=True))

    found = explain("handled", "agent", "a1")

    assert found.value == 1
    assert excluded(found) == [("taken back by revision 1", "h1")]
    assert found.corrections[0].void


def test_what_was_capped_is_shown(tell: Tell, explain: Explain) -> None:
    """Five hours of talk count as four."""
    tell(handled(1, 5, talk_s=18_000.0))

    found = explain("avg_talk_s", "agent", "a1")

    assert found.value == 14_400.0
    assert [item.detail for item in found.excluded] == ["3,600,000 ms of talk, hold or wrap beyond 4 h"]


def test_dead_letters_that_name_the_subject_are_shown(client: Client, tell: Tell, explain: Explain) -> None:
    """By key, by field, or by a word of a row; not those of others or of another day."""
    tell(handled(1, 5))
    rows = [
        ["floor.events", 0, 1, "", "future", "agent:a1", b'{"at":"2026-03-02T10:30:00Z"}'],
        ["floor.events", 0, 2, "", "conflict", "agent:a1", b'{"at":"2026-03-04T10:30:00Z"}'],
        ["floor.events", 0, 3, "", "invalid", "", b'{"at":"2026-03-02T10:31:00Z","agent":"a1"}'],
        ["floor.events", 0, 4, "", "invalid", "", b'{"at":"2026-03-02T10:32:00Z","agent":"a10"}'],
        ["file", -1, 5, "calls.csv:5", "rejected_row", "file:calls.csv", b"7;a1;x"],
        ["file", -1, 6, "calls.csv:6", "rejected_row", "file:calls.csv", b"7;a10;x"],
    ]
    names = ["topic", "partition", "offset", "origin", "reason", "key", "value"]
    client.insert("dead_letters", rows, column_names=names)

    found = explain("handled", "agent", "a1")

    assert sorted(excluded(found)) == [
        ("dead letter: future", "floor.events:0:1"),
        ("dead letter: invalid", "floor.events:0:3"),
        ("dead letter: rejected_row", "calls.csv:5"),
    ]


def test_a_team_that_nobody_is_in_has_no_dead_letters(client: Client, explain: Explain) -> None:
    """Letters are found by who is named in them: where nobody is asked for, those of everybody else are not told."""
    names = ["topic", "partition", "offset", "reason", "value"]
    client.insert("dead_letters", [["floor.events", 0, 0, "invalid", "17,nonsense"]], column_names=names)

    found = explain("aht_s", "team", "t9", Registry(Floor(teams=[Team(id="t9")])))

    assert excluded(found) == []


def test_what_an_alias_counted_belongs_to_the_person_while_it_holds(tell: Tell, explain: Explain) -> None:
    """Under SOURCE:ID until eleven; what came after that is somebody else's, and ids that nobody has are named."""
    eleven = AT + timedelta(hours=1)
    person = Person(id="a1", aliases=[Alias(source="acd", id="47", valid_to=eleven)])
    tell(handled(1, 5), handled(2, 50, agent="acd:47"), handled(3, 70, agent="acd:47"), handled(4, 71, agent="acd:9"))

    found = explain("handled", "agent", "a1", Registry(Floor(people=[person])))

    assert found.value == 2
    assert [(item.why, item.subject, item.detail) for item in found.excluded] == [
        ("the alias does not hold then", "agent:acd:47", "1 facts of the range"),
        ("unmapped", "", "ids that nobody has: acd:9"),
    ]
    assert found.disagreements == []


def test_a_team_has_its_agents_of_each_minute(tell: Tell, explain: Explain) -> None:
    """a1 moved to t2 at eleven: the stretch of time over the move is cut there."""
    eleven = AT + timedelta(hours=1)
    moved = Person(id="a1", teams=[Membership(team="t1", valid_to=eleven), Membership(team="t2", valid_from=eleven)])
    stays = Person(id="a2", teams=[Membership(team="t1")])
    registry = Registry(Floor(people=[moved, stays], teams=[Team(id="t1"), Team(id="t2")]))
    tell(state(1, 30, "ready"), state(2, 90, "offline"), handled(1, 50), handled(2, 70), handled(3, 80, agent="a2"))

    first, second = (explain("ready_s", "team", team, registry) for team in ("t1", "t2"))
    counted = explain("handled", "team", "t1", registry)

    assert (first.value, second.value) == (1800.0, 1800.0)
    assert counted.value == 2
    assert [(item.why, item.subject) for item in counted.excluded] == [("not in the team then", "agent:a1")]
    assert counted.disagreements == []


def test_a_queue_has_its_waits_and_its_contacts(tell: Tell, explain: Explain) -> None:
    """Answered of the queue itself, handled of its agents; those of another queue do not count."""
    queue: dict[str, Any] = {"source": "acd", "contact": "c1", "queue": "sales"}
    tell(
        ContactOffered(**queue, id="q1", at=AT),
        ContactAnswered(**queue, id="q1", at=AT + timedelta(seconds=12), waited_s=12.0),
        ContactAbandoned(**queue, id="q2", at=AT + timedelta(seconds=40), waited_s=3.0),
        handled(1, 5),
        handled(2, 6, queue="help"),
        handled(3, 7, agent=None),
    )

    level, talk = explain("service_level", "queue", "sales"), explain("avg_talk_s", "queue", "sales")

    assert (level.parts, level.value) == ((1, 2), 0.5)
    assert [item.fact.event.type for item in level.listed] == ["contact_answered", "contact_abandoned"]
    assert talk.parts == (120_000, 2)
    assert level.disagreements == talk.disagreements == []


def test_sums_of_reason_codes_are_explained_by_the_registry(tell: Tell, explain: Explain) -> None:
    """Unpaid lunch is no shrinkage: neither in the numerator nor in the denominator."""
    registry = Registry(Floor(reason_codes=[ReasonCode(id="lunch", paid=False)]))
    tell(
        state(1, 0, "ready"), state(2, 60, "away", reason="lunch"), state(3, 90, "away", reason="break"),
        state(4, 100, "offline"),
    )  # fmt: skip

    found = explain("shrinkage", "agent", "a1", registry)

    assert found.parts == (10 * MINUTE_MS, 70 * MINUTE_MS)
    assert [item.fact.event.id for item in found.listed] == ["s1", "s3"]


def test_a_pane_that_was_changed_is_found(client: Client, tell: Tell, explain: Explain) -> None:
    """The difference is told by minute and term; a KPI that does not need the sum agrees."""
    tell(handled(1, 5))
    row = ["a1", from_ms(to_ms(AT) + 5 * MINUTE_MS), "sales", "voice", 7, 60_000, 2**48 + 1]
    names = ["agent", "minute", "queue", "channel", "handled", "talk_ms", "version"]
    client.insert("agent_minutes", [row], column_names=names)

    found = explain("handled", "agent", "a1")

    assert [(d.where, d.term, d.expected, d.found) for d in found.disagreements] == [
        ("agent:a1 2026-03-02T10:05:00.000Z sales/voice", "handled", 1, 7)
    ]
    assert explain("engaged_s", "agent", "a1").disagreements == []


def test_duplicates_are_told_by_partition(tell: Tell, explain: Explain) -> None:
    """Only how many there were: they are not kept."""
    tell(handled(1, 5))

    assert explain("handled", "agent", "a1").duplicates == {0: 0}
