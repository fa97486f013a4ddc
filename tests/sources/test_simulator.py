"""The simulated floor: the same seed the same events, nobody lost, and its planted problems really in it."""

from __future__ import annotations

from collections import Counter
from itertools import islice, pairwise
from typing import Any

import pytest

from alerting.load import load_rules
from alerting.starter import STARTER_FILE, starter_text
from schemas.controls import InputEnded, Ticked
from schemas.events import ContactHandled, Event, FloorEvent, QualityScored, StateChanged
from schemas.registry import Registry
from schemas.times import HOUR_MS, MINUTE_MS, from_ms, to_ms
from sources.readers.producing import EventProducer
from sources.readers.simulator.engine import Simulator
from sources.readers.simulator.feed import Feed
from sources.readers.simulator.spec import FloorSpec

START = 1_772_438_400_000
SPEC = FloorSpec(teams=4)


@pytest.fixture(scope="module")
def simulator() -> Simulator:
    """Four teams."""
    return Simulator(SPEC, seed=11)


@pytest.fixture(scope="module")
def day(simulator: Simulator) -> list[FloorEvent]:
    """Four hours of the floor."""
    return list(simulator.events(START, hours=4))


def of(day: list[FloorEvent], kind: str) -> list[Any]:
    return [event for event in day if event.type == kind]


def subject(simulator: Simulator, kind: str) -> str:
    (found,) = [p.subject for p in simulator.planted(START) if p.kind == kind]
    return found.partition(":")[2]


def test_the_same_seed_makes_the_same_events(day: list[FloorEvent]) -> None:
    """And another seed makes others."""
    again = list(islice(Simulator(SPEC, 11).events(START), 5_000))
    other = list(islice(Simulator(SPEC, 12).events(START), 5_000))

    assert again == day[:5_000]
    assert other != again


def test_events_come_in_the_order_of_time_with_ids_of_their_own(day: list[FloorEvent]) -> None:
    """Within the hours asked for."""
    assert all(a.at <= b.at for a, b in pairwise(day))
    assert len({(e.id, e.type) for e in day}) == len(day)
    assert to_ms(day[-1].at) < START + 4 * HOUR_MS


def test_no_contact_is_lost(day: list[FloorEvent]) -> None:
    """Offered = answered + abandoned + still waiting; answered = handled + still in hand."""
    offered = {e.contact for e in of(day, "contact_offered")}
    answered = {e.contact for e in of(day, "contact_answered")}
    abandoned = {e.contact for e in of(day, "contact_abandoned")}
    handled = {e.contact for e in of(day, "contact_handled")}

    assert answered | abandoned <= offered
    assert not answered & abandoned
    assert handled <= answered
    assert len(offered - answered - abandoned) < 60
    assert len(answered - handled) <= SPEC.teams * SPEC.team_size


def test_a_contact_takes_the_time_it_says(day: list[FloorEvent]) -> None:
    """started_at + talk + hold + wrap is the end of wrap."""
    for event in of(day, "contact_handled"):
        spent = (event.at - event.started_at).total_seconds()
        assert spent == pytest.approx(event.talk_s + event.hold_s + event.wrap_s, abs=0.002)


def test_an_agent_has_one_contact_at_a_time(day: list[FloorEvent]) -> None:
    """Nobody is rung at who is not ready."""
    last: dict[str, str] = {}
    for event in of(day, "state_changed"):
        assert event.state != "ringing" or last[event.agent] == "ready"
        last[event.agent] = event.state


def test_the_roster_knows_everybody(simulator: Simulator, day: list[FloorEvent]) -> None:
    """Each agent has a team with a lead, each queue a client; ids are opaque."""
    registry = Registry(simulator.floor())

    agents = {event.agent for event in of(day, "state_changed")}
    assert len(agents) == 52
    assert all(registry.teams[registry.team_of(agent, START)].lead in registry.people for agent in agents)
    assert all(registry.client_of_queue(event.queue) for event in of(day, "contact_offered"))


def test_what_is_planted_names_rules_of_the_starter_pack(simulator: Simulator) -> None:
    """So that a demo can say what was found and what was missed."""
    known = {rule.id for rule in load_rules(starter_text(), STARTER_FILE).rules}
    planted = simulator.planted(START)

    assert {p.kind for p in planted} == {"short_calls", "long_away", "falling_queue", "fatal_item"}
    assert {p.rule for p in planted} <= known


def test_the_short_call_agent_stands_out(simulator: Simulator, day: list[FloorEvent]) -> None:
    """More than 15 % of the contacts up to 10 s, and nobody else comes near."""
    handled = of(day, "contact_handled")
    count = Counter(e.agent for e in handled)
    short = Counter(e.agent for e in handled if e.talk_s <= 10)
    shares = {agent: short[agent] / n for agent, n in count.items() if n >= 15}

    assert {agent for agent, share in shares.items() if share >= 0.15} == {subject(simulator, "short_calls")}


def test_the_long_away_agent_alone_is_away_for_long(simulator: Simulator, day: list[FloorEvent]) -> None:
    """More than 20 minutes in one go."""
    since: dict[str, StateChanged] = {}
    long: set[str] = set()
    for event in of(day, "state_changed"):
        before = since.get(event.agent)
        if before and before.state == "away" and (event.at - before.at).total_seconds() > 1200:
            long.add(event.agent)
        since[event.agent] = event

    assert long == {subject(simulator, "long_away")}


def test_one_evaluation_has_a_fatal_item(simulator: Simulator, day: list[FloorEvent]) -> None:
    """It scores 0."""
    fatal = [e for e in day if isinstance(e, QualityScored) and e.fatal]

    assert [(e.agent, e.score) for e in fatal] == [(subject(simulator, "fatal_item"), 0)]


def test_the_falling_queue_falls(simulator: Simulator, day: list[FloorEvent]) -> None:
    """Less than half within 20 s while it falls, most of them before."""
    (falling,) = [p for p in simulator.planted(START) if p.kind == "falling_queue"]
    of_queue = [e for e in of(day, "contact_answered") if e.queue == subject(simulator, "falling_queue")]
    during = [e.waited_s <= 20 for e in of_queue if falling.from_ms + 30 * MINUTE_MS < to_ms(e.at) < falling.to_ms]
    before = [e.waited_s <= 20 for e in of_queue if to_ms(e.at) < falling.from_ms]

    assert sum(during) / len(during) < 0.5
    assert sum(before) / len(before) > 0.8


def test_it_goes_on_for_ever() -> None:
    """After its shifts the floor is still at work: contacts are handled within a minute of the next day."""
    small = Simulator(FloorSpec(teams=1), seed=3)
    later = START + 30 * HOUR_MS

    after = next(e for e in small.events(START) if isinstance(e, ContactHandled) and to_ms(e.at) > later)

    assert to_ms(after.at) < later + MINUTE_MS


def test_a_feed_ticks_each_minute_and_ends(sender: Any, out: EventProducer, simulator: Simulator) -> None:
    """A stretch at speed, then ticks as time passes, then the end of the input."""
    feed = Feed(simulator.events(START), out)

    sent = feed.up_to(START + 5 * MINUTE_MS)
    feed.tick(START + 5 * MINUTE_MS + 5_000)
    feed.end()

    controls = [r for r in sender.records(0) if isinstance(r, Ticked | InputEnded)]
    assert sent == sum(isinstance(r, Event) for r in sender.records())
    assert [to_ms(r.at) - START for r in controls[:5]] == [minute * MINUTE_MS for minute in range(5)]
    assert controls[-1] == InputEnded(at=from_ms(START + 5 * MINUTE_MS + 5_000))


def test_a_feed_never_says_an_earlier_time(sender: Any, out: EventProducer, simulator: Simulator) -> None:
    """Time does not go back in a partition."""
    feed = Feed(simulator.events(START), out)
    feed.up_to(START + 5 * MINUTE_MS)
    before = len(sender.sent)

    feed.tick(START)

    assert len(sender.sent) == before
