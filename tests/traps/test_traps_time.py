"""Traps c, i and j of reference/kpis.md: boundaries, open state over midnight, ghosts; each beside the naive way."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from schemas.events import Activity, FloorEvent, ShiftPlanned
from schemas.registry import Floor, Site
from schemas.times import HOUR_MS, MINUTE_MS, to_ms
from sources.core.parsed import Accepted
from sources.core.queue_log import QueueLogParser
from tests.traps.facts import handled, offered, state
from tests.traps.telling import Telling, at

BERLIN = Floor(sites=[Site(id="main", timezone="Europe/Berlin")])
TWELVE_HOURS_MS = 12 * HOUR_MS


def test_trap_c_state_time_is_split_by_the_wall_clock() -> None:
    """A state over three half hours gives each its own part; the naive way puts all of it where it ended."""
    floor = Telling()
    floor.tell(state(at("2026-03-02T05:23"), "on_contact"), state(at("2026-03-02T06:15"), "ready"))

    halves = [("05:00", "05:30"), ("05:30", "06:00"), ("06:00", "06:30")]
    found = [floor.sums(f"2026-03-02T{a}", f"2026-03-02T{b}").get("on_contact_ms", 0) for a, b in halves]

    naive = [0, 0, 52 * MINUTE_MS]
    assert found == [7 * MINUTE_MS, 30 * MINUTE_MS, 15 * MINUTE_MS]
    assert found != naive
    assert sum(found) == sum(naive)


def test_trap_c_a_counter_follows_its_own_event() -> None:
    """Wrap that ends in the next half hour counts the contact there; naively it counts where the talk began."""
    floor = Telling()
    call = handled(at("2026-03-02T09:31"), talk_s=100, wrap_s=30)
    floor.tell(call)

    first = floor.sums("2026-03-02T09:00", "2026-03-02T09:30").get("handled", 0)
    second = floor.sums("2026-03-02T09:30", "2026-03-02T10:00").get("handled", 0)

    naive_half_hour = call.started_at.minute // 30
    assert (first, second) == (0, 1)
    assert naive_half_hour == 0


def test_trap_c_a_shift_over_midnight_is_one_shift() -> None:
    """Totals of the shift go on over midnight; the naive day of 24 h begins anew in the middle of the night's work."""
    floor = Telling()
    floor.tell(
        shift("2026-03-02T22:00", "2026-03-03T06:00"),
        handled(at("2026-03-02T23:30"), 60),
        handled(at("2026-03-03T00:30"), 60),
    )

    agent = floor.subject("agent:a1")

    naive = agent.days["2026-03-03"]["handled"]
    assert agent.shift_sums["handled"] == 2
    assert naive == 1


def shift(start: str, end: str) -> ShiftPlanned:
    """Work planned for a1 from one instant to another, UTC."""
    work = Activity(activity="work", starts_at=at(start), ends_at=at(end))
    return ShiftPlanned(source="wfm", id="shift", at=at(start), agent="a1", activities=[work])


def test_trap_i_open_state_over_midnight() -> None:
    """A state that is open at local midnight counts for both days; naively the day of its start has it all."""
    floor = Telling(BERLIN)
    floor.tell(state(at("2026-03-02T23:50", "Europe/Berlin"), "away", reason="lunch"))
    floor.pass_time(at("2026-03-03T00:10", "Europe/Berlin"))
    open_since = floor.subject("agent:a1").time.timeline.now()
    floor.tell(state(at("2026-03-03T00:20", "Europe/Berlin"), "ready"))

    days = [("2026-03-02", "2026-03-03"), ("2026-03-03", "2026-03-04")]
    found = [floor.sums(a, b, zone="Europe/Berlin").get("away_ms", 0) for a, b in days]

    naive = [30 * MINUTE_MS, 0]
    assert open_since is not None
    assert (open_since.state, open_since.at) == ("away", to_ms(at("2026-03-02T23:50", "Europe/Berlin")))
    assert found == [10 * MINUTE_MS, 20 * MINUTE_MS]
    assert found != naive
    kept = floor.subject("agent:a1").days
    assert [kept[day]["away_ms"] for day in ("2026-03-02", "2026-03-03")] == found


def test_trap_i_open_state_over_midnight_and_a_restart() -> None:
    """A worker that starts anew after midnight knows since when the state is open; naively it begins at the restart."""
    floor = Telling()
    floor.tell(state(at("2026-03-02T23:50"), "away"))
    floor.pass_time(at("2026-03-03T00:10"))

    floor.restart()
    floor.tell(state(at("2026-03-03T00:20"), "ready"))

    naive = 10 * MINUTE_MS
    found = floor.sums("2026-03-02", "2026-03-04")["away_ms"]
    assert found == 30 * MINUTE_MS
    assert found != naive


RESTARTED = """\
1772445600|NONE|NONE|NONE|QUEUESTART|
1772445600|MANAGER|support|Alice|ADDMEMBER|
1772445660|c1|support|NONE|ENTERQUEUE||5550|1
1772446200|NONE|NONE|NONE|QUEUESTART|
1772460000|MANAGER|support|Alice|ADDMEMBER|
"""
"""2026-03-02 10:00 UTC: Alice is ready, a call waits; Asterisk starts anew at 10:10; Alice is back at 13:50."""


def test_trap_j_queuestart() -> None:
    """After a restart of the telephony nobody is ready and nothing waits; naively both go on until somebody speaks."""
    floor = Telling()
    floor.tell(*events_of(RESTARTED))
    floor.pass_time(at("2026-03-02T14:00"))

    found = floor.sums("2026-03-02", "2026-03-03")

    naive_ready_ms = to_ms(at("2026-03-02T13:50")) - to_ms(at("2026-03-02T10:00"))
    assert found["ready_ms"] == 10 * MINUTE_MS
    assert found["ready_ms"] != naive_ready_ms
    assert (found["offered"], found["flowed_out"]) == (1, 1)
    assert floor.subject("queue:support").waiting == {}


def events_of(log: str) -> Iterable[FloorEvent]:
    """The events of a queue_log."""
    parser = QueueLogParser(lambda _source, name, _at_ms: name)
    return [said.event for said in parser.parse(log.encode().splitlines(keepends=True)) if isinstance(said, Accepted)]


def test_trap_j_a_late_heartbeat_does_not_log_in() -> None:
    """A state that comes after the logout but was before it changes the past only; naively the last message wins."""
    floor = Telling()
    arrived = [
        (state(at("2026-03-02T09:00"), "away"), at("2026-03-02T09:00")),
        (state(at("2026-03-02T10:00"), "offline"), at("2026-03-02T10:00")),
        (state(at("2026-03-02T09:58"), "ready"), at("2026-03-02T10:05")),
    ]
    for event, broker_at in arrived:
        floor.tell(event, later=broker_at)
    floor.pass_time(at("2026-03-02T11:00"))

    now = floor.subject("agent:a1").time.timeline.now()

    naive = arrived[-1][0].state
    assert now is not None
    assert now.state == "offline"
    assert now.state != naive
    found = floor.sums("2026-03-02", "2026-03-03")
    assert (found["away_ms"], found["ready_ms"]) == (58 * MINUTE_MS, 2 * MINUTE_MS)


def test_trap_j_a_lost_logout_ends_by_ttl() -> None:
    """A state that nobody ends counts for 12 h and no longer; naively it counts until somebody notices."""
    floor = Telling()
    floor.tell(state(at("2026-03-02T08:00"), "ready"))
    floor.pass_time(at("2026-03-04T08:00"))

    found = floor.sums("2026-03-02", "2026-03-05")["ready_ms"]

    naive = 48 * HOUR_MS
    assert found == TWELVE_HOURS_MS
    assert found != naive
    assert floor.subject("agent:a1").time.timeline.now() is None


def test_trap_j_a_lost_departure_ends_by_ttl() -> None:
    """A contact whose end was lost waits for 12 h at most; naively it is the longest wait of the floor for ever."""
    floor = Telling()
    floor.tell(offered(at("2026-03-02T08:00"), "lost"), offered(at("2026-03-03T08:00"), "new"))
    floor.pass_time(at("2026-03-03T08:05"))

    floor.tell(offered(at("2026-03-03T08:06"), "newer"))

    naive = to_ms(at("2026-03-03T08:06") - timedelta(hours=24, minutes=6))
    assert min(floor.subject("queue:q").waiting.values()) == to_ms(at("2026-03-03T08:00"))
    assert min(floor.subject("queue:q").waiting.values()) != naive
