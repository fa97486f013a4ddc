"""Time of a partition: what is judged when, and how days end."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from schemas.controls import InputEnded, RegistryChanged, Ticked
from schemas.events import EARLIEST, ShiftPlanned, StateChanged, encode
from schemas.registry import Floor, Membership, Person, Registry, Site, Team
from schemas.times import HOUR_MS, MINUTE_MS, from_ms, to_ms
from streams.core.log import Item, Revision
from streams.core.partition import PartitionEngine
from tests.streams.floors import DAWN, item_of
from tests.streams.judges import Busy, Notes
from tests.streams.oracle import Sent
from tests.streams.runs import Run, new_engine, restarted
from tests.streams.test_restart import handled

SECOND = 1_000
DAY_MINUTES = 24 * 60


def ticked(offset: int, minute: float) -> Item:
    """A tick then."""
    at = DAWN + round(minute * MINUTE_MS)
    return Item(offset, at, b"", b"", Ticked(at=from_ms(at)))


def noted(*items: Item, notes: Notes | None = None, event_clock: bool = False) -> Notes:
    """What was judged while these came in."""
    notes = notes or Notes()
    engine = new_engine(event_clock=event_clock, judge=notes)
    for item in items:
        engine.apply(item)
    return notes


def seconds(notes: Notes) -> list[float]:
    """When somebody was judged, seconds after dawn."""
    return [(now - DAWN) / SECOND for _, now, _ in notes.judged]


def test_who_changed_is_judged_at_the_next_five_seconds() -> None:
    """A contact at 08:00:06 is judged at 08:00:10, once."""
    notes = noted(handled(0, 0.1), ticked(1, 0.4))

    assert seconds(notes) == [10]


def test_who_is_active_is_judged_at_the_whole_minute_after_a_window_moved() -> None:
    """A contact is judged when it came, and again when its minute has left the window of five."""
    #   08:00:06 contact     in the windows that end with 08:00 .. 08:04
    #   08:06:00 judged      for 08:01 .. 08:05
    notes = noted(handled(0, 0.1), ticked(1, 8))

    assert [((now - DAWN) / SECOND, found) for _, now, found in notes.judged] == [(10, 1), (360, 0)]


def test_a_jump_goes_through_every_due_instant_in_order() -> None:
    """Instants that a rule asked for come at their own time, however far the next record is."""
    notes = noted(handled(0, 0.1), ticked(1, 3), notes=Notes(due_in_ms=40 * SECOND))

    assert seconds(notes) == [10, 50, 90, 130, 170]


def test_time_never_goes_back() -> None:
    """A record with an older broker time is folded at the present time."""
    engine = new_engine(event_clock=False, judge=Notes())

    engine.apply(ticked(0, 10))
    engine.apply(ticked(1, 9))

    assert engine.clock == DAWN + 10 * MINUTE_MS


def test_history_makes_nobody_due() -> None:
    """An event 16 min behind its broker time is counted, and nobody is judged for it by seconds."""
    late = handled(1, 4)
    old = Item(1, DAWN + 20 * MINUTE_MS, late.payload, b"", late.record, content=1)

    notes = noted(ticked(0, 19.9), old, ticked(2, 20.5))

    assert [second for second in seconds(notes) if second % 60] == []


def test_the_event_clock_is_that_of_the_events() -> None:
    """Replayed a month later, the partition's time is that of its last event."""
    found = handled(0, 3)
    engine = new_engine(event_clock=True, judge=Notes())

    engine.apply(Item(0, DAWN + 700 * HOUR_MS, found.payload, b"", found.record, content=1))

    assert engine.clock == DAWN + 3 * MINUTE_MS


def two_sites() -> Registry:
    """An agent in Manila and one at a site in Berlin."""
    sites = [Site(id="main", timezone="Europe/Berlin"), Site(id="mnl", timezone="Asia/Manila")]
    people = [Person(id="a2", teams=[Membership(team="t2")])]
    return Registry(Floor(sites=sites, teams=[Team(id="t2", site="mnl")], people=people))


def working(offset: int, at: datetime, agent: str) -> Item:
    """A contact of an agent that ended then."""
    model = handled(offset, 0).record
    assert model is not None
    event = model.model_copy(update={"at": at, "started_at": at, "agent": agent})
    return item_of(Sent(offset, to_ms(at), event, 1))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("day", "end"),
    [
        ("2026-03-29", datetime(2026, 3, 29, 22, 15, tzinfo=UTC)),  # 23 h: summer time begins
        ("2026-10-25", datetime(2026, 10, 25, 23, 15, tzinfo=UTC)),  # 25 h: it ends
        ("2026-03-02", datetime(2026, 3, 2, 23, 15, tzinfo=UTC)),
    ],
)
def test_a_day_is_closed_15_minutes_after_its_end(day: str, end: datetime) -> None:
    """The local day of the site counts, of 23, 24 or 25 hours."""
    notes = Notes()
    engine = new_engine(event_clock=False, registry=two_sites(), judge=notes)
    noon = datetime.fromisoformat(day).replace(hour=11, tzinfo=UTC)

    engine.apply(working(0, noon, "a1"))
    engine.apply(Item(1, to_ms(end) + 1, b"", b"", Ticked(at=end)))

    assert [(who, which, when) for who, which, when, _ in notes.closed] == [("agent:a1", day, to_ms(end))]


def test_each_site_closes_its_own_day() -> None:
    """Manila's day ends seven hours before Berlin's."""
    notes = Notes()
    engine = new_engine(event_clock=False, registry=two_sites(), judge=notes)
    noon = datetime(2026, 3, 2, 11, tzinfo=UTC)
    night = datetime(2026, 3, 3, 3, tzinfo=UTC)

    engine.apply(working(0, noon, "a1"))
    engine.apply(working(1, noon, "a2"))
    engine.apply(Item(2, to_ms(night), b"", b"", Ticked(at=night)))

    assert [(who, from_ms(when).hour) for who, _, when, _ in notes.closed] == [("agent:a2", 16), ("agent:a1", 23)]


def ended(offset: int, minute: float) -> Item:
    """The input ends then."""
    at = DAWN + round(minute * MINUTE_MS)
    return Item(offset, at, b"", b"", InputEnded(at=from_ms(at)))


def test_the_end_of_the_input_runs_to_the_end_of_the_day() -> None:
    """Under the event clock the last day is closed, with nothing after it."""
    notes = noted(handled(0, 1), ended(1, 2), event_clock=True)

    assert notes.closed == [("agent:a1", "2026-03-02", to_ms(datetime(2026, 3, 3, 0, 15, tzinfo=UTC)), 1)]


def test_the_end_of_another_input_of_the_day_ends_no_other_day() -> None:
    """Calls in one file, then scores in another: the next day is still to come, and is judged as it happens."""
    calls, scores = (handled(0, 1), ended(1, 2)), (handled(2, 1.5), ended(3, 3))
    following = (handled(4, DAY_MINUTES), ticked(5, DAY_MINUTES + 1))

    notes = noted(*calls, *scores, *following, event_clock=True)

    assert [day for _, day, _, _ in notes.closed] == ["2026-03-02"]
    assert DAY_MINUTES * 60 + 5 in seconds(notes)


def test_the_end_of_an_input_of_plans_alone_brings_no_time() -> None:
    """The roster may be read first: the first call begins the time, and its day is still to come."""
    engine = new_engine(event_clock=True, judge=Notes())
    end = Item(0, DAWN, b"", b"", InputEnded(at=EARLIEST))

    engine.apply(end)
    before = engine.clock
    engine.apply(handled(1, 1))
    engine.apply(end._replace(offset=2))

    assert (before, engine.clock) == (-1, DAWN + MINUTE_MS)
    assert engine.has_ended


def test_the_end_of_an_input_waits_for_no_site_where_nobody_is() -> None:
    """The day of Manila ends at 16:00 UTC; that of `main`, which a floor has without saying so, eight hours later."""
    floor = Floor(sites=[Site(id="mnl", timezone="Asia/Manila")], teams=[Team(id="t1", site="mnl")])
    engine = new_engine(event_clock=True, registry=Registry(floor))

    engine.apply(handled(0, 1))
    engine.apply(ended(1, 2))

    assert from_ms(engine.clock) == datetime(2026, 3, 2, 16, 15, tzinfo=UTC)


def test_under_the_wall_clock_the_end_of_an_input_says_nothing_about_time() -> None:
    """A file that ends does not end the day of a live floor."""
    engine = new_engine(event_clock=False, judge=Notes())

    engine.apply(handled(0, 1))
    engine.apply(ended(1, 2))

    assert engine.clock == DAWN + 2 * MINUTE_MS


def state(offset: int, minute: float, name: str) -> Item:
    """a1 enters a state then."""
    at = DAWN + round(minute * MINUTE_MS)
    event = StateChanged(source="acd", id=f"s{offset}", at=from_ms(at), agent="a1", state=name)  # type: ignore[arg-type]
    return item_of(Sent(offset, at, event, 1))


def test_a_state_ends_by_itself_after_twelve_hours() -> None:
    """Who forgot to log off is away for twelve hours, not for ever."""
    engine = new_engine(event_clock=False, judge=Notes())

    engine.apply(state(0, 0, "away"))
    engine.apply(ticked(1, 13 * 60))

    assert engine.subjects["agent:a1"].days["2026-03-02"]["away_ms"] == 12 * HOUR_MS
    assert engine.subjects["agent:a1"].time.timeline.now() is None


def test_a_state_ends_after_twelve_hours_though_a_later_one_was_awaited() -> None:
    """Told late, and the state after it taken back: it ends twelve hours after its own entry."""
    #   08:00 away, told at 08:50     08:40 ready, taken back at 09:00     20:00 the end
    engine = new_engine(event_clock=False, judge=Notes())
    ready, away = state(0, 40, "ready"), state(1, 0, "away")
    assert isinstance(ready.record, StateChanged)
    void = ready.record.model_copy(update={"revision": 1, "void": True})

    engine.apply(ready)
    engine.apply(away._replace(broker_ms=DAWN + 50 * MINUTE_MS))
    engine.apply(item_of(Sent(2, DAWN + 60 * MINUTE_MS, void, 2)))
    engine.apply(ticked(3, 12 * 60 + 1))

    assert engine.subjects["agent:a1"].days["2026-03-02"]["away_ms"] == 12 * HOUR_MS


def planned(offset: int, told_minute: float, start_minute: float, end_minute: float) -> Item:
    """a1 is told a shift."""
    start, end = (from_ms(DAWN + round(minute * MINUTE_MS)) for minute in (start_minute, end_minute))
    activity = {"activity": "phone", "starts_at": start, "ends_at": end}
    event = ShiftPlanned(source="wfm", id=f"p{offset}", at=start, agent="a1", activities=[activity])  # type: ignore[list-item]
    return Item(offset, DAWN + round(told_minute * MINUTE_MS), encode(event), b"", event, content=offset)


def shift_of(engine: PartitionEngine) -> tuple[int, int]:
    """Start of the shift of a1 in minutes after dawn, and its handled contacts."""
    subject = engine.subjects["agent:a1"]
    return (subject.shift_start - DAWN) // MINUTE_MS, subject.shift_sums.get("handled", 0)


def shift_after_a_night(*, restarts: bool) -> tuple[datetime, datetime]:
    """The shift of a1 after a contact in the morning."""
    #   08:00 contact    08:00 the next day: restart    08:20 the site is in Berlin    08:30 contact
    berlin = Registry(Floor(sites=[Site(id="main", timezone="Europe/Berlin")]), 2)
    morning = DAWN + DAY_MINUTES * MINUTE_MS
    record = RegistryChanged(at=from_ms(morning + 20 * MINUTE_MS), revision=2)
    revision = Revision(berlin, Busy(), Busy())
    run = Run(new_engine(event_clock=False))
    run.fold([handled(0, 0), ticked(1, DAY_MINUTES)])
    run.finish()
    run = restarted(run) if restarts else run
    run.fold([Item(2, morning + 20 * MINUTE_MS, b"", b"", record, revision=revision), handled(3, DAY_MINUTES + 30)])
    subject = run.engine.subjects["agent:a1"]
    return from_ms(subject.shift_start), from_ms(subject.shift_until)


def test_a_restart_begins_no_shift_of_who_is_idle() -> None:
    """It begins with the next contact, by the zone of then: a worker that starts before that changes nothing."""
    found = shift_after_a_night(restarts=False)

    assert shift_after_a_night(restarts=True) == found
    assert found == (datetime(2026, 3, 2, 23, tzinfo=UTC), datetime(2026, 3, 3, 23, tzinfo=UTC))


def test_a_shift_begins_by_plan() -> None:
    """What came before the planned start belongs to the day, not to the shift."""
    #   08:00 plan: 09:00 to 17:00     08:30 contact     09:10 contact
    engine = new_engine(event_clock=False, judge=Notes())

    for item in (planned(0, 59, 60, 540), handled(1, 59.5), handled(2, 70)):
        engine.apply(item)

    assert shift_of(engine) == (60, 1)


def test_without_a_plan_the_shift_is_the_site_day() -> None:
    """Then shift and day are the same."""
    engine = new_engine(event_clock=False, judge=Notes())

    engine.apply(handled(0, 1))

    assert shift_of(engine) == (-8 * 60, 1)


def test_a_plan_that_comes_during_the_day_holds_at_once() -> None:
    """A shift planned after the first contact of the day begins as planned."""
    engine = new_engine(event_clock=False, judge=Notes())

    for item in (handled(0, 1), planned(1, 59, 60, 540), handled(2, 70)):
        engine.apply(item)

    assert shift_of(engine) == (60, 1)


def moved(told_minute: float, start_minute: float) -> Item:
    """The plan of the item 0 in another revision, which begins elsewhere and ends at 17:00."""
    item = planned(99, told_minute, start_minute, 540)
    assert isinstance(item.record, ShiftPlanned)
    return item._replace(record=item.record.model_copy(update={"id": "p0", "revision": 1}))


@pytest.mark.parametrize(
    ("begins", "told", "counted"),
    [(15, 31, 57), (15, 371, 60), (-30, 31, 60), (310, 371, 55)],
    ids=["later, soon", "later, long after", "earlier", "within the last 90 minutes"],
)
def test_a_shift_that_is_moved_while_it_lasts_keeps_its_totals(begins: float, told: float, counted: int) -> None:
    """
    What lies between the two starts is added or taken away, as far as it is resident: 90 minutes.

    minute   0             15         31                      371
    plan     work to 540   begins here instead, told at 31    or told at 371
    calls    at 1, 7, 13   19, 25 ... one each six minutes ... 355
    """
    engine = new_engine(event_clock=False, judge=Notes())
    calls = [handled(10 + number, 1 + 6 * number) for number in range(60)]
    items = sorted([planned(0, -40, 0, 540), moved(told, begins), *calls], key=lambda item: item.broker_ms)

    for item in items:
        engine.apply(item)

    assert shift_of(engine) == (begins, counted)


def test_a_shift_that_is_told_while_it_lasts_has_what_came_before() -> None:
    """Until then it was the site day, in which nothing came before the shift."""
    engine = new_engine(event_clock=False, judge=Notes())

    for item in (*(handled(number, 1 + 6 * number) for number in range(60)), planned(99, 371, 0, 540)):
        engine.apply(item)

    assert shift_of(engine) == (0, 60)
