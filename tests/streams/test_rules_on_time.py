"""Rules that time alone brings about, judged by the engine with the real judge: nothing has to happen for them."""

from __future__ import annotations

from itertools import pairwise

import pytest

from alerting.judge import RuleJudge
from alerting.rules import Rule, RuleSet
from schemas.alerts import Transition
from schemas.controls import RulesApplied, Ticked
from schemas.events import ContactOffered, FloorEvent, StateChanged
from schemas.registry import Floor, Registry
from schemas.times import MINUTE_MS, from_ms
from streams.core.log import Item, Revision
from streams.core.partition import PartitionEngine
from tests.alerting.views import away_rule, rule
from tests.streams.floors import DAWN, item_of
from tests.streams.oracle import Sent
from tests.streams.runs import Run, new_engine, restarted
from tests.streams.test_clockwork import planned
from tests.streams.test_restart import handled


def engine_with(*rules: Rule) -> PartitionEngine:
    """An engine under the wall clock that judges these rules."""
    judge = RuleJudge(RuleSet(rules=rules), Registry(Floor()), 1)
    return new_engine(event_clock=False, judge=judge)


def told(engine: PartitionEngine, event: FloorEvent | None, *seconds: float) -> list[tuple[str, float]]:
    """(reason, seconds after dawn) of what the rules say when an event comes at dawn and ticks follow."""
    if event is not None:
        engine.apply(item_of(Sent(0, DAWN, event, 1)))
    for offset, second in enumerate(seconds, start=1):
        at = DAWN + round(second * 1000)
        engine.apply(Item(offset, at, b"", b"", Ticked(at=from_ms(at))))
    return [(found.reason, (found.at.timestamp() * 1000 - DAWN) / 1000) for found, _ in engine.out.transitions]


def test_a_stay_that_lasts_too_long_fires_when_it_does() -> None:
    """Away since 08:00:00, told at once; nothing else comes, and at 08:20:00.001 it is more than 20 minutes."""
    away = StateChanged(source="acd", id="s", at=from_ms(DAWN), agent="a1", state="away", reason="lunch")

    assert told(engine_with(away_rule()), away, 1_190, 1_300) == [("breached", 1_200.001)]


def test_a_wait_that_lasts_too_long_fires_when_it_does() -> None:
    """The same for the oldest contact of a queue."""
    live = {"subject": "queue", "window": "now", "pairs_with": None}
    waits = rule(kpi="longest_wait_s", comparison=">=", threshold=90, **live)
    offered = ContactOffered(source="acd", id="o", at=from_ms(DAWN), contact="c", queue="sales", channel="voice")

    assert told(engine_with(waits), offered, 80, 200) == [("breached", 90)]


def test_what_holds_when_the_shift_hours_begin_fires_then() -> None:
    """A rule from 08:10 on: the contact of 08:00 is in the window still, and is judged again at 08:10."""
    hours = {"from": "08:10", "to": "18:00"}
    engine = engine_with(rule(kpi="handled", comparison=">=", threshold=1, shift_hours=hours, pairs_with=None))
    engine.apply(handled(0, 0.1))

    assert told(engine, None, 60, 1_000) == [("breached", 600)]


def test_a_day_that_begins_is_judged_anew() -> None:
    """A rule on too few contacts of the day: the contact of 23:59:30 is none of the new day's, within one shift too."""
    #   20:00        23:59:30      00:00             00:01          04:00
    #   shift ------ contact ----- another day ----- judged ------- end
    few = rule(kpi="handled", window="day", comparison="<=", threshold=0, pairs_with=None)
    engine = engine_with(few)
    engine.apply(planned(0, 0, 12 * 60, 20 * 60))
    engine.apply(handled(1, 15 * 60 + 59.5))

    midnight = 16 * 3_600
    assert told(engine, None, midnight - 10, midnight + 120)[-1:] == [("breached", midnight + 60)]


BUSY = rule(id="busy", kpi="offered", subject="queue", window="30m", threshold=100, pairs_with=None)
SILENT = rule(id="silent", kpi="offered", subject="queue", window="90m", comparison="<=", threshold=0, pairs_with=None)


def silence_sought(minute: int) -> list[Item]:
    """A call at dawn and none since; from a minute on a rule on 90 minutes without one holds."""
    call = ContactOffered(source="acd", id="o", at=from_ms(DAWN), contact="c", queue="sales", channel="voice")
    registry, rules = Registry(Floor()), RuleSet(revision=1, rules=(SILENT,))
    at = DAWN + minute * MINUTE_MS
    applied = RulesApplied(at=from_ms(at), revision=1)
    revision = Revision(registry, RuleJudge(rules, registry, 1), RuleJudge(rules, registry, 2))
    return [
        item_of(Sent(0, DAWN, call, 1)),
        ticked(1, minute - 1),
        Item(2, at, b"", b"", applied, revision=revision),
        ticked(3, minute + 1),
        ticked(4, minute + 100),
    ]


def ticked(number: int, minute: int) -> Item:
    """A tick of a minute after dawn."""
    at = DAWN + minute * MINUTE_MS
    return Item(number, at, b"", b"", Ticked(at=from_ms(at)))


def said_of(items: list[Item], *crashes: int) -> list[Transition]:
    """What the rules say of a log when the worker dies after so many records."""
    run, said = Run(engine_with(BUSY)), []
    for first, after in pairwise([0, *crashes, len(items)]):
        run.fold(items[first:after])
        run.finish()
        said += [transition for transition, _ in run.said]
        run = restarted(run)
    return said


@pytest.mark.parametrize("crash", [1, 2, 3, 4])
def test_a_longer_window_that_still_holds_something_is_judged_from_then_on(crash: int) -> None:
    """The queue was idle under the rules before, whose windows the call had left; under these it is not."""
    #   08:00 call     09:01 idle     09:20 a rule over 90m     09:31 the call has left it
    items = silence_sought(80)

    said = said_of(items, crash)

    assert said == said_of(items)
    assert [(found.state, found.at) for found in said] == [("firing", from_ms(DAWN + 91 * MINUTE_MS))]


@pytest.mark.parametrize("crash", [1, 2, 3, 4])
def test_a_longer_window_that_holds_nothing_wakes_nobody(crash: int) -> None:
    """Who has been idle for longer than any window stays so, whether a worker started in between or not."""
    #   08:00 call     09:01 idle     13:00 a rule over 90m
    items = silence_sought(300)

    assert said_of(items) == said_of(items, crash) == []
