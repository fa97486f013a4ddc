"""Rows of people who were erased: gone from every table, with every offset still accounted for (P1)."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from clickhouse_connect.driver.client import Client

from floorpulse.erasure import erased_everywhere, sweep, who, without
from floorpulse.housekeeping import Sweeper
from records.core.chain import broken_at
from records.store.alerts import ClickHouseAlerts
from records.store.clickhouse import ClickHouseLedgerStore
from records.store.ledger import Ledger
from schemas.controls import RegistryChanged
from schemas.erasure import NOBODY
from schemas.errors import InputError
from schemas.events import ContactAnswered, ContactHandled, FloorEvent, StateChanged, encode
from schemas.records import AcknowledgeAlert, Dismissal, DismissAlert, Snooze, SnoozeAlert, erased_stream, open_command
from schemas.registry import Alias, Erased, Floor, Membership, Person, Registry, Site, Target, Team
from schemas.times import MINUTE_MS, from_ms
from sinks.clickhouse import ClickHouseSink
from sinks.erasure import OWNED, erase_owned, found
from sinks.reconcile import reconcile
from sinks.registry import load_registry, store_registry
from sinks.restore import read_stored
from streams.core.log import Frozen, Item, Revision
from streams.core.partition import PartitionEngine
from tests.records.test_ledger_chain import fired
from tests.scanning import holding
from tests.streams.floors import DAWN, item_of
from tests.streams.judges import Busy
from tests.streams.oracle import Sent

AT = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
ZOE = "zoe-0412"
"""A work id that stands in nothing else."""
IDS = frozenset({ZOE, "acd:zoe-17"})
FLOOR = Floor(
    sites=[Site(id="main")],
    teams=[Team(id="t1", lead=ZOE, deputy="l2")],
    people=[
        Person(id=ZOE, name="Zoe zoe-name", teams=[Membership(team="t1")], aliases=[Alias(source="acd", id="zoe-17")]),
        Person(id="b2", teams=[Membership(team="t1")]),
    ],
    targets=[Target(kpi="aht_s", value=300, subject=f"agent:{ZOE}"), Target(kpi="aht_s", value=320)],
)
GONE = Erased(id=ZOE, at=AT, aliases=[Alias(source="acd", id="zoe-17")])


class Death(Exception):
    """The worker dies between two writes."""


def new_engine(floor: Floor = FLOOR, partition: int = 0) -> PartitionEngine:
    """A partition that knows Zoe."""
    return PartitionEngine(partition, 1, Registry(floor, 1), Busy(), event_clock=False)


def of_zoe(number: int, agent: str = ZOE) -> FloorEvent:
    """A contact that she handled."""
    at = from_ms(DAWN + number * MINUTE_MS)
    return ContactHandled(
        source="acd", id=f"h{number}", at=at, contact=f"c{number}", agent=agent, queue="sales", started_at=at, talk_s=30
    )


def state_of(number: int, agent: str) -> FloorEvent:
    """Somebody is ready."""
    return StateChanged(
        source="acd", id=f"s{number}", at=from_ms(DAWN + number * MINUTE_MS), agent=agent, state="ready"
    )


def answered(number: int) -> FloorEvent:
    """A contact that a queue gave to her."""
    at = from_ms(DAWN + number * MINUTE_MS)
    return ContactAnswered(source="acd", id=f"q{number}", at=at, contact="c", queue="sales", agent=ZOE, waited_s=4)


def fold(engine: PartitionEngine, events: list[FloorEvent], first: int = 0) -> None:
    """Fold events, a minute apart."""
    for offset, event in enumerate(events, first):
        engine.apply(item_of(Sent(offset, DAWN + offset * MINUTE_MS, event, offset)))


def erase_at(engine: PartitionEngine, offset: int) -> None:
    """The record from which on she is erased."""
    record = RegistryChanged(at=from_ms(DAWN), revision=2)
    revision = Revision(Registry(without(FLOOR, GONE), 2), Busy(), Busy())
    engine.apply(Item(offset, DAWN + offset * MINUTE_MS, encode(record), b"", record, revision=revision))


def frozen(engine: PartitionEngine) -> Frozen:
    """The flush of everything so far."""
    engine.take_outbox()
    return engine.freeze()


EVENTS = [of_zoe(0), of_zoe(1), answered(2), state_of(3, "b2"), of_zoe(4, "acd:zoe-17")]


@pytest.fixture
def stored(client: Client) -> PartitionEngine:
    """A partition with a flush stored in which she stands everywhere."""
    engine = new_engine()
    fold(engine, EVENTS)
    ClickHouseSink(client).write([frozen(engine)])
    return engine


def dying_at(client: Client, point: str) -> ClickHouseSink:
    """A sink that dies at a point."""

    def step(name: str) -> None:
        if name == point:
            raise Death

    return ClickHouseSink(client, step)


@pytest.mark.parametrize("point", ["after_events", "before_subjects", "after_subjects", "after_erasure"])
def test_the_flush_that_hears_of_it_deletes(client: Client, stored: PartitionEngine, point: str) -> None:
    """Dead at any point, the same flush again comes to the same: nothing of her, every offset accounted for."""
    fold(stored, [of_zoe(5)], 5)
    erase_at(stored, 6)
    flush = frozen(stored)

    with pytest.raises(Death):
        dying_at(client, point).write([flush])
    ClickHouseSink(client).write([flush])

    assert [one.table for one, rows in found(client, IDS, OWNED) if rows] == []
    assert client.query("SELECT partition, epoch, offset FROM erased_events FINAL ORDER BY offset").result_rows == [
        (0, 1, 0), (0, 1, 1), (0, 1, 4), (0, 1, 5),
    ]  # fmt: skip
    assert reconcile(client).differences == []


def test_what_a_start_needs_is_there_until_the_checkpoint_stands(client: Client, stored: PartitionEngine) -> None:
    """Whoever starts before the record starts from what its log had come to, conflicts and duplicates included."""
    before = found(client, IDS, OWNED)
    erase_at(stored, len(EVENTS))

    with pytest.raises(Death):
        dying_at(client, "before_subjects").write([frozen(stored)])

    assert found(client, IDS, OWNED) == before


def test_whoever_starts_behind_such_a_checkpoint_deletes_again(client: Client, stored: PartitionEngine) -> None:
    """The one before died between its checkpoint and the deletion: the first flush of the next one makes up for it."""
    erase_at(stored, len(EVENTS))
    with pytest.raises(Death):
        dying_at(client, "after_subjects").write([frozen(stored)])
    assert sum(rows for _, rows in found(client, IDS, OWNED)) > 0
    kept = read_stored(client, "floor.events", [0], 1).get(0)
    assert kept is not None
    following = PartitionEngine(0, 1, Registry(without(FLOOR, GONE), 2), Busy(), event_clock=False)

    following.load(kept)
    fold(following, [state_of(7, "b2")], len(EVENTS) + 1)
    ClickHouseSink(client).write([frozen(following)])

    assert [one.table for one, rows in found(client, IDS, OWNED) if rows] == []
    assert reconcile(client).differences == []


def test_a_partition_deletes_its_own_rows_only(client: Client) -> None:
    """Another one has not heard of it yet: what is stored of its log, and its small state, must be as they were."""
    for partition in (0, 1):
        engine = new_engine(partition=partition)
        fold(engine, [of_zoe(0, ZOE if partition == 0 else "acd:zoe-17")])
        ClickHouseSink(client).write([frozen(engine)])

    erase_owned(client, IDS, {0})

    assert client.query("SELECT DISTINCT partition FROM events").result_rows == [(1,)]
    assert client.query("SELECT subject FROM subjects WHERE kind = 'agent'").result_rows == [("agent:acd:zoe-17",)]


def filled(client: Client) -> None:
    """Zoe in every table: alerts, records, looks at her page, dead letters, two revisions of the registry."""
    store_registry(client, FLOOR, "tests", AT)
    store_registry(client, FLOOR, "tests", AT)
    ledger = Ledger(ClickHouseLedgerStore(client))
    alert = fired(subject=f"agent:{ZOE}")
    opening = open_command(alert, "coaching")
    assert opening is not None
    ledger.handle(opening, DAWN)
    ledger.handle(AcknowledgeAlert(id="k1", stream="alert:alert-1", by="lead-1"), DAWN)
    client.insert("alert_transitions", [["alert-1", 1, f"agent:{ZOE}"]], column_names=["alert", "sequence", "subject"])
    client.insert("access_log", [[AT, "lead-1", f"agent:{ZOE}"]], column_names=["at", "viewer", "subject"])
    letters = [
        ("invalid", "", b"{broken zoe-0412,", 1), ("invalid", "", b"{broken zoe-04123", 2),
        ("conflict", f"agent:{ZOE}", b"{}", 3), ("conflict", "queue:sales", b'{"agent":"zoe-0412"}', 4),
    ]  # fmt: skip
    client.insert(
        "dead_letters",
        [["floor.events", 5, offset, reason, key, value.decode()] for reason, key, value, offset in letters],
        column_names=["topic", "partition", "offset", "reason", "key", "value"],
    )
    client.command(
        "INSERT INTO agent_quarters (agent, quarter, queue, channel, version, stored_at)"
        f" VALUES ('{ZOE}', now(), '', '', 1, now64(3))"
    )


def test_a_sweep_leaves_the_word_that_she_is_erased_and_nothing_else(client: Client, stored: PartitionEngine) -> None:
    """Every column of text of every table is looked through; only the revision that erases her still names her."""
    filled(client)
    revision = store_registry(client, without(FLOOR, GONE), "tests", AT)
    erase_at(stored, len(EVENTS))
    ClickHouseSink(client).write([frozen(stored)])

    first = sweep(client, IDS)

    kept = client.query("SELECT kind, id, revision FROM registry WHERE position(body, 'zoe-') > 0").result_rows
    assert kept == [("erased", ZOE, revision)]
    # the longer id that holds hers is somebody else's
    assert holding(client, "zoe-") == {"registry": 1, "dead_letters": 1}
    assert first > 10
    assert sweep(client, IDS) == 0


def test_a_fact_that_went_to_her_comes_back_to_nobody(client: Client) -> None:
    """Of whoever had it before only the replaced revision is left, which counts nowhere."""
    engine = new_engine()
    fold(engine, [of_zoe(0, "b2"), of_zoe(0).model_copy(update={"revision": 1})])
    ClickHouseSink(client).write([frozen(engine)])

    erase_owned(client, IDS)

    assert client.query("SELECT subject, superseded_by FROM events FINAL").result_rows == [("agent:b2", 1)]
    assert client.query("SELECT subject FROM events_current").result_rows == []


def test_a_queues_event_stays_as_the_same_fact(client: Client, stored: PartitionEngine) -> None:
    """It counts as before and keeps its hash; only her id in it is another word now."""
    before = client.query("SELECT content, version FROM events WHERE subject = 'queue:sales'").result_rows

    sweep(client, IDS)

    sql = "SELECT content, version, payload FROM events WHERE subject = 'queue:sales'"
    ((content, version, payload),) = client.query(sql).result_rows
    assert [(content, version)] == before
    assert json.loads(payload)["agent"] == NOBODY
    assert client.query("SELECT sum(answered) FROM queue_minutes").result_rows == [(1,)]
    assert reconcile(client).differences == []


def test_the_ledger_keeps_places_and_hashes(client: Client) -> None:
    """Her stream, and those of her alerts, are found by whoever knows their names; the chains hold, cases are gone."""
    filled(client)
    hashes = [entry.hash for entry in ClickHouseLedgerStore(client).load([f"agent:{ZOE}"])[f"agent:{ZOE}"]]

    sweep(client, IDS)

    streams = [f"agent:{ZOE}", erased_stream(f"agent:{ZOE}"), erased_stream("alert:alert-1")]
    own, left, alert = (ClickHouseLedgerStore(client).load(streams)[stream] for stream in streams)
    assert own == []
    assert [entry.hash for entry in left] == hashes
    assert [(entry.kind, entry.by, entry.body) for entry in (*left, *alert)] == [("erased", "", {})] * 2
    assert broken_at(left) is None
    assert broken_at(alert) is None


def test_a_page_of_her_alert_that_is_still_open_changes_nothing(client: Client) -> None:
    """A lead dismisses it after the erasure: no chain begins beside the stripped one, and nothing of it is kept."""
    filled(client)
    erased = set[str]()
    alerts = ClickHouseAlerts(client, event_clock=False)
    ledger = Ledger(ClickHouseLedgerStore(client), erased=lambda: erased, alerts=alerts)
    ledger.handle(SnoozeAlert(id="k2", stream="alert:alert-1", by="l2", body=Snooze(until=AT)), DAWN)
    sweep(client, IDS)
    erased |= IDS

    late = DismissAlert(id="k3", stream="alert:alert-1", by="l2", body=Dismissal(reason="zoe-name was ill"))
    answers = ledger.handle(late, DAWN)

    assert list(answers) == []
    assert not ClickHouseLedgerStore(client).load(["alert:alert-1"])["alert:alert-1"]
    assert "record_events" not in holding(client, "zoe-")


def test_revisions_from_before_stay_whole_without_her(client: Client) -> None:
    """Whoever asks for an older revision gets it, with everything but her."""
    filled(client)
    store_registry(client, without(FLOOR, GONE), "tests", AT)

    sweep(client, IDS)

    older = load_registry(client, 1).floor
    assert [person.id for person in older.people] == ["b2"]
    assert older.targets == [Target(kpi="aht_s", value=320)]
    assert (older.teams[0].lead, older.teams[0].deputy) == ("", "l2")


def test_what_a_worker_thought_dead_writes_is_swept(client: Client) -> None:
    """Its late flush brings rows back; the next look deletes them, and the numbers stay proved."""
    late = new_engine()
    fold(late, EVENTS)
    of_the_dead = frozen(late)
    engine = new_engine()
    fold(engine, EVENTS)
    erase_at(engine, len(EVENTS))
    store_registry(client, FLOOR, "tests", AT)
    store_registry(client, without(FLOOR, GONE), "tests", AT)
    ClickHouseSink(client).write([frozen(engine)])
    sweeper = Sweeper()
    sweeper.look(client)
    assert holding(client, "zoe-") == {"registry": 1}

    ClickHouseSink(client).write([of_the_dead])
    assert holding(client, "zoe-").keys() > {"registry"}
    sweeper.look(client)

    assert holding(client, "zoe-") == {"registry": 1}
    assert reconcile(client).differences == []


def test_nobody_is_swept_before_every_partition_has_heard(client: Client, stored: PartitionEngine) -> None:
    """Until its owner comes to the record, what is stored of her is what that owner would start from."""
    store_registry(client, FLOOR, "tests", AT)
    store_registry(client, without(FLOOR, GONE), "tests", AT)
    assert erased_everywhere(client) == frozenset()
    before = holding(client, "zoe-")

    Sweeper().look(client)
    assert holding(client, "zoe-") == before
    erase_at(stored, len(EVENTS))
    ClickHouseSink(client).write([frozen(stored)])
    Sweeper().look(client)

    assert erased_everywhere(client) == IDS
    assert holding(client, "zoe-") == {"registry": 1}


def test_whoever_is_erased_takes_their_vendors_ids_along(client: Client) -> None:
    """But none that the roster gives to somebody else too; and an id that nobody knows is no person."""
    shared = Person(id="c3", aliases=[Alias(source="acd", id="zoe-17")])
    registry = Registry(FLOOR, 1)

    assert who(client, registry, ZOE, AT) == GONE
    assert who(client, Registry(FLOOR.model_copy(update={"people": [*FLOOR.people, shared]})), ZOE, AT).aliases == []
    with pytest.raises(InputError, match="zoe-9999: no such agent"):
        who(client, registry, "zoe-9999", AT)


def test_an_id_that_only_events_know_can_be_erased(client: Client, stored: PartitionEngine) -> None:
    """A vendor's id that was never mapped to a person is data of somebody all the same."""
    nobody = Registry(Floor(), 1)

    assert who(client, nobody, "acd:zoe-17", AT) == Erased(id="acd:zoe-17", at=AT)


def test_a_reader_makes_nobody_new_of_an_erased_id() -> None:
    """The work id stays itself, and a vendor's id stays refused, until the roster gives it to somebody else."""
    gone = without(FLOOR, GONE)
    taken = replace_people(gone, Person(id="c3", aliases=[Alias(source="acd", id="zoe-17")]))

    assert Registry(gone).resolve("other", ZOE, DAWN) == ZOE
    assert Registry(gone).is_erased(Registry(gone).resolve("acd", "zoe-17", DAWN))
    assert Registry(taken).resolve("acd", "zoe-17", DAWN) == "c3"
    assert Registry(taken).erased == {ZOE}


def replace_people(floor: Floor, *people: Person) -> Floor:
    """The floor with other people."""
    return floor.model_copy(update={"people": list(people)})
