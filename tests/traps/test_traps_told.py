"""Traps b, k, l, m and n of reference/kpis.md: told twice or late, small n, no denominator, units, Goodhart."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from alerting.fitness import QUALITY_KPIS, SPEED_KPIS
from alerting.load import load_rules
from alerting.starter import STARTER_FILE, starter_text
from schemas.events import ContactAccepted, ContactRejected, QualityScored
from schemas.kpis import KPIS, value
from sources.core.csv_events import CsvParser
from sources.core.mapping import read_mapping
from sources.core.parsed import Accepted, Parsed
from sources.core.queue_log import QueueLogParser
from tests.alerting.views import NINE, FakeView, OneSubject, rule
from tests.traps.facts import handled, state
from tests.traps.telling import Telling, at

MONDAY = ("2026-03-02", "2026-03-03")


def test_trap_b_the_same_event_twice_counts_once() -> None:
    """An event that is delivered again is a duplicate; naively it is another contact."""
    floor = Telling()
    call = handled(at("2026-03-02T10:00"), 60, name="c1")
    told = [call, call, call]
    floor.tell(*told)

    naive = len(told)
    assert floor.sums(*MONDAY)["handled"] == 1
    assert floor.sums(*MONDAY)["handled"] != naive
    assert floor.run.engine.duplicates == 2


def test_trap_b_an_update_replaces() -> None:
    """A contact record that its vendor updates counts as it is now; naively both versions count."""
    floor = Telling()
    call = handled(at("2026-03-02T10:00"), 60, name="c1")
    updated = call.model_copy(update={"revision": 1, "talk_s": 90.0})
    floor.tell(call, updated, later=at("2026-03-02T10:05"))

    naive = sum(event.talk_s for event in (call, updated)) * 1000
    found = floor.sums(*MONDAY)
    assert (found["handled"], found["talk_ms"]) == (1, 90_000)
    assert found["talk_ms"] != naive


def test_trap_b_a_late_event_corrects_the_interval_of_its_own_time() -> None:
    """
    A contact of Monday that comes on Wednesday, after a restart, counts on Monday: its row comes in a higher version.

    Naively it counts when it comes, or its row is added to the one that was there.
    """
    floor = Telling()
    floor.tell(handled(at("2026-03-02T10:00"), 60, name="c1"))
    floor.restart()
    before = floor.run.shelf.panes["agent:a1", minute("2026-03-02T10:00"), ("q", "voice")]

    floor.tell(handled(at("2026-03-02T10:00"), 30, name="c2"), later=at("2026-03-04T09:00"))

    monday, wednesday = floor.sums(*MONDAY), floor.sums("2026-03-04", "2026-03-05")
    after = floor.run.shelf.panes["agent:a1", minute("2026-03-02T10:00"), ("q", "voice")]
    naive = before.sums["talk_ms"] + after.sums["talk_ms"]
    assert (monday["talk_ms"], wednesday.get("talk_ms", 0)) == (90_000, 0)
    assert after.version > before.version
    assert monday["talk_ms"] != naive


def minute(text: str) -> int:
    """The number of a minute, UTC."""
    return int(at(text).timestamp()) // 60


def test_trap_b_disorder_changes_nothing() -> None:
    """States that come in any order give the same times; naively each ends the one that came before it."""
    told = [
        state(at("2026-03-02T10:00"), "ready"),
        state(at("2026-03-02T10:20"), "away"),
        state(at("2026-03-02T10:30"), "ready"),
        state(at("2026-03-02T10:10"), "on_contact"),
    ]
    in_order, in_disorder = Telling(), Telling()
    in_order.tell(*sorted(told, key=lambda event: event.at))
    in_disorder.tell(*told, later=at("2026-03-02T10:40"))

    right = in_order.sums(*MONDAY)
    naive = sum(((b.at - a.at) for a, b in pairwise(told) if a.state == "ready"), timedelta()).total_seconds() * 1000
    assert in_disorder.sums(*MONDAY) == right
    assert (right["ready_ms"], right["on_contact_ms"], right["away_ms"]) == (600_000, 600_000, 600_000)
    assert right["ready_ms"] != naive


def few(scored: int, score: int) -> dict[str, int]:
    """Sums of so many evaluations of a score."""
    return {"scored": scored, "score_hundredths": scored * score * 100}


@pytest.mark.parametrize(("scored", "fires"), [(2, False), (3, True)])
def test_trap_k_small_n_is_judged_by_nobody(scored: int, fires: bool) -> None:
    """Below the least n a rule finds nothing, however bad the value; naively two evaluations are enough to fire."""
    kpi: dict[str, Any] = {"kpi": "quality", "comparison": "<", "threshold": 75, "window": "60m", "pairs_with": None}
    one = OneSubject([rule(**kpi)], FakeView(by_window={"60m": few(scored, 50)}))

    told = one.at(NINE)

    naive = value(KPIS["quality"], few(scored, 50))
    assert naive is not None
    assert naive < 75
    assert bool(told) is fires


def test_trap_l_nothing_to_divide_by() -> None:
    """Without a denominator every ratio is missing; naively it is 0, or 100 % of nothing."""
    ratios = [kpi for kpi in KPIS.values() if kpi.denominator]

    found = {kpi.id: value(kpi, {}) for kpi in ratios}

    naive = {kpi.id: 0 / max(0, 1) for kpi in ratios}
    assert len(found) > 20
    assert set(found.values()) == {None}
    assert found != naive


LOG = """\
1772445600|c1|support|NONE|ENTERQUEUE||5550|1
1772445604|c1|support|Alice|RINGNOANSWER|4000
1772445610|c1|support|Alice|CONNECT|10|c1.2|4
1772445670|c1|support|Alice|COMPLETEAGENT|10|60|1
"""


def test_trap_m_one_log_with_two_units() -> None:
    """Asterisk's RINGNOANSWER counts in ms, its CONNECT in s: the same ring is 4 s; naively one is 4,000 s."""
    events = accepted(QueueLogParser(as_named).parse(LOG.encode().splitlines(keepends=True)))

    (missed,) = [event for event in events if isinstance(event, ContactRejected)]
    (taken,) = [event for event in events if isinstance(event, ContactAccepted)]

    naive = float(LOG.splitlines()[1].rpartition("|")[2])
    assert missed.rang_s == taken.rang_s == 4.0
    assert missed.rang_s != naive


MAPPING = """\
source: UNIT
events:
  - type: contact_handled
    fields: {id: Id, contact: Id, at: End, started_at: Start, agent: Agent, talk_s: Talk, hold_s: Hold, wrap_s: Wrap}
    units: {talk_s: UNIT, hold_s: UNIT, wrap_s: UNIT}
"""


@pytest.mark.parametrize(
    ("unit", "cells"), [("s", "61.25,0,4.5"), ("ms", "61250,0,4500"), ("hms", "0:01:01.25,0:00:00,0:00:04.5")]
)
def test_trap_m_units_of_sources_give_the_same_times(unit: str, cells: str) -> None:
    """The same contact from sources in s, ms and H:MM:SS has the same handle time; naively ms are taken for s."""
    text = f"Id,End,Start,Agent,Talk,Hold,Wrap\nc1,2026-03-02T10:01:10Z,2026-03-02T10:00:00Z,a1,{cells}\n"
    parser = CsvParser(read_mapping(MAPPING.replace("UNIT", unit), "map.yaml"), ZoneInfo("UTC"), as_named)
    floor = Telling()
    floor.tell(*accepted(parser.parse(text.encode().splitlines(keepends=True))))

    found = floor.kpi("aht_s", *MONDAY)

    assert found == 65.75
    if unit == "ms":
        naive = sum(float(cell) for cell in cells.split(","))
        assert found != naive


def as_named(_source: str, name: str, _at_ms: int) -> str:
    """Everybody is who the vendor says."""
    return name


def accepted(parsed: Any) -> list[Any]:
    """The events of what was parsed."""
    said: list[Parsed] = list(parsed)
    return [part.event for part in said if isinstance(part, Accepted)]


def test_trap_n_speed_is_paired_with_quality() -> None:
    """Each rule on speed of the starter pack names a quality rule; naively whoever hangs up on customers shines."""
    rules = {one.id: one for one in load_rules(starter_text(), STARTER_FILE).rules}
    on_speed = [one for one in rules.values() if one.kpi in SPEED_KPIS]

    pairs = [rules[one.pairs_with or ""] for one in on_speed]

    assert on_speed
    assert all(pair.kpi in QUALITY_KPIS for pair in pairs)
    assert [pair.subject for pair in pairs] == [one.subject for one in on_speed]


def test_trap_n_who_hangs_up_is_fast_and_found() -> None:
    """Hanging up makes the best handle time of the floor, and a short-call share that a rule sees."""
    floor = Telling()
    start = at("2026-03-02T09:00")
    for number in range(20):
        floor.tell(handled(start + timedelta(minutes=number), 5, agent="hangs-up"))
        floor.tell(handled(start + timedelta(minutes=number), 240, agent="serves"))
    rules = {one.id: one for one in load_rules(starter_text(), STARTER_FILE).rules}

    speed = {agent: floor.kpi("aht_s", *MONDAY, f"agent:{agent}") for agent in ("hangs-up", "serves")}
    short = {agent: floor.kpi("short_call_share", *MONDAY, f"agent:{agent}") for agent in ("hangs-up", "serves")}

    naive_best = min(speed, key=lambda agent: speed[agent] or 0)
    assert naive_best == "hangs-up"
    assert [agent for agent, share in short.items() if rules["short-calls-day"].breaches(share or 0)] == ["hangs-up"]


def test_trap_k_the_value_is_shown_with_its_n() -> None:
    """A figure that is too small to judge by is shown, with its n beside it."""
    scored = QualityScored(source="qa", id="q1", at=at("2026-03-02T10:00"), agent="a1", score=50.0)
    floor = Telling()
    floor.tell(scored)

    assert floor.kpi("quality", *MONDAY) == 50.0
    assert floor.sums(*MONDAY)["scored"] < KPIS["quality"].min_n
