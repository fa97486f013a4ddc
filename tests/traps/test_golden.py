"""
The golden examples of reference/kpis.md §5, each by the catalogue over the engine's panes and by the SQL views.

Adherence and conformance (75 %, 100 %) stand in tests/streams/test_adherence.py, the service level of the real month
in tests/acceptance/test_february.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import count

import pytest

from schemas.events import FloorEvent
from schemas.kpis import Variant, service_level, value
from tests.traps.conftest import MakeTelling
from tests.traps.facts import abandoned, answered, handled, offered, state
from tests.traps.telling import Telling, at

MONDAY = ("2026-03-02", "2026-03-03")
TEN = at("2026-03-02T10:00")
VARIANTS: list[tuple[Variant, float]] = [(1, 83.0), (2, 86.0), (3, 81.1), (4, 82.7), (5, 82.1)]


def of_icmi() -> Iterator[FloorEvent]:
    """1,000 answered, 860 of them within 20 s; 60 abandoned, 20 within 20 s, 10 of these within 5 s."""
    numbers = count()
    for many, waited_s in ((860, 12.0), (140, 50.0)):
        yield from (answered(TEN, f"c{next(numbers)}", waited_s) for _ in range(many))
    for many, waited_s in ((10, 4.0), (10, 18.0), (40, 70.0)):
        yield from (abandoned(TEN, f"c{next(numbers)}", waited_s) for _ in range(many))


@pytest.fixture(scope="module")
def icmi() -> Telling:
    """The day of the example, in memory."""
    floor = Telling()
    floor.tell(*of_icmi())
    return floor


@pytest.mark.parametrize(("variant", "percent"), VARIANTS)
def test_golden_service_level_by_the_catalogue(icmi: Telling, variant: Variant, percent: float) -> None:
    """Five contracts, five figures of the same contacts."""
    share = value(service_level(variant), icmi.sums(*MONDAY))

    assert round(100 * (share or 0), 1) == percent


def test_golden_service_level_by_the_views(stored: MakeTelling) -> None:
    """The same five figures out of SQL, and Genesys' with its switches."""
    floor = stored()
    floor.tell(*of_icmi())
    genesys: list[tuple[Variant, float]] = [("g", 81.1), ("gf", 81.1), ("gs", 81.9), ("gfs", 81.9), ("ga", 86.0)]

    found = {}
    for variant, _ in VARIANTS + genesys:
        (row,) = floor.ask("queue", *MONDAY, variant=variant)
        found[variant] = round(100 * row["service_level"], 1)

    assert found == dict(VARIANTS + genesys)
    assert len(set(found.values())) > 5


def test_golden_weighted_merge(stored: MakeTelling) -> None:
    """Of 400 contacts at 92 % and 600 at 88 % come 89.6 %; the mean of the two would be 90 %."""
    floor, numbers = stored(), count()
    for hour, good, slow in ((10, 368, 32), (15, 528, 72)):
        begins = at(f"2026-03-02T{hour}:00")
        floor.tell(*(answered(begins, f"c{next(numbers)}", 5.0) for _ in range(good)))
        floor.tell(*(answered(begins, f"c{next(numbers)}", 60.0) for _ in range(slow)))

    (day,) = floor.ask("queue", *MONDAY)
    hours = floor.ask("queue", *MONDAY, step_s=3_600)

    naive = sum(row["service_level"] for row in hours) / len(hours)
    assert [round(row["service_level"], 2) for row in hours] == [0.92, 0.88]
    assert day["service_level"] == 0.896
    assert round(naive, 3) == 0.9
    assert floor.kpi("service_level", *MONDAY) == 0.896


def test_golden_chat_concurrency() -> None:
    """Chats and their wrap of 5,000 s in 3,600 s with at least one in hand: 1.38 (one decimal more: 1.389)."""
    floor = Telling()
    floor.tell(
        handled(TEN + timedelta(seconds=2_000), 1_900, 100, channel="chat"),
        handled(TEN + timedelta(seconds=2_400), 1_300, 100, channel="chat"),
        handled(TEN + timedelta(seconds=3_600), 1_500, 100, channel="chat"),
    )

    concurrency = floor.kpi("concurrency", *MONDAY)

    naive_one_at_a_time = 1.0
    assert floor.kpi("engaged_s", *MONDAY) == 3_600.0
    assert concurrency == 5_000 / 3_600
    assert int(concurrency * 100) / 100 == 1.38
    assert concurrency != naive_one_at_a_time
    assert floor.kpi("concurrent_aht_s", *MONDAY) == (floor.kpi("aht_s", *MONDAY) or 0) / concurrency


FIVE = ("2026-03-02T05:00", "2026-03-02T06:30")


def call_of_52_minutes() -> list[FloorEvent]:
    """From 05:23 to 06:15, with the agent's states."""
    return [
        state(at("2026-03-02T05:23"), "on_contact"),
        handled(at("2026-03-02T06:15"), 52 * 60, name="call"),
        state(at("2026-03-02T06:15"), "ready"),
    ]


def test_golden_attribution_by_wall_clock(stored: MakeTelling) -> None:
    """Amazon's rule of agent activity: 7, 30 and 15 minutes."""
    floor = stored()
    floor.tell(*call_of_52_minutes())

    halves = floor.ask("agent", *FIVE, step_s=1_800, figures=("engaged_s",))

    sums = [floor.sums(row["from"][:16], row["to"][:16])["on_contact_ms"] for row in halves]
    assert [ms / 60_000 for ms in sums] == [7, 30, 15]
    assert [row["engaged_s"] / 60 for row in halves] == [7, 30, 15]


def test_golden_attribution_at_completion(stored: MakeTelling) -> None:
    """Amazon's rule of contact records: all 52 minutes from 06:00 to 06:30."""
    floor = stored()
    floor.tell(*call_of_52_minutes())
    floor.run.finish()
    assert floor.client is not None

    rows = floor.client.query(
        "SELECT agent, formatDateTime(opened_at, '%H:%i'), in_hand_ms / 60000 FROM agent_at_completion("
        " from = '2026-03-02 05:00:00', to = '2026-03-02 06:30:00', step_s = 1800, zone = 'UTC')"
    ).result_rows

    assert rows == [("a1", "06:00", 52.0)]


def test_golden_attribution_by_event_time(stored: MakeTelling) -> None:
    """Enqueued at 7:28 and answered at 7:32: offered in the half hour of 7:00, answered in that of 7:30."""
    floor = stored()
    floor.tell(offered(at("2026-03-02T07:28"), "c1"), answered(at("2026-03-02T07:32"), "c1", 240))

    rows = floor.ask("queue", "2026-03-02T07:00", "2026-03-02T08:00", step_s=1_800)

    found = [(row["from"][11:16], row["offered"], row["answered"]) for row in rows]
    assert found == [("07:00", 1, 0), ("07:30", 0, 1)]


def test_golden_attribution_at_completion_of_a_queue(stored: MakeTelling) -> None:
    """The same contact with everything in the half hour of its completion: offered and answered at 7:30."""
    floor = stored()
    floor.tell(offered(at("2026-03-02T07:28"), "c1"), answered(at("2026-03-02T07:32"), "c1", 240))
    floor.tell(handled(at("2026-03-02T07:40"), 480, contact="c1"))
    floor.run.finish()
    assert floor.client is not None

    rows = floor.client.query(
        "SELECT formatDateTime(opened_at, '%H:%i'), offered, answered, handled FROM queue_at_completion("
        " from = '2026-03-02 07:00:00', to = '2026-03-02 08:00:00', step_s = 1800, zone = 'UTC', threshold_s = 20)"
    ).result_rows

    assert rows == [("07:30", 1, 1, 1)]


def test_golden_overlapping_states() -> None:
    """Online 30 minutes, on a call for one of them, not ready for all 30: neither is taken from the other."""
    floor = Telling()
    floor.tell(
        state(TEN, "away", reason="coaching"),
        handled(TEN + timedelta(minutes=11), 60),
        state(TEN + timedelta(minutes=30), "offline"),
    )

    minutes = {name: (floor.kpi(name, *MONDAY) or 0) / 60 for name in ("login_s", "engaged_s", "away_s")}

    naive_online = minutes["engaged_s"] + minutes["away_s"]
    assert minutes == {"login_s": 30, "engaged_s": 1, "away_s": 30}
    assert minutes["login_s"] != naive_online
