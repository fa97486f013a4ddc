"""A replay for a backtest is the engine of the floor: rules that held then tell what they told."""

from __future__ import annotations

from collections.abc import Sequence

from alerting.judge import RuleJudge
from alerting.load import load_rules
from alerting.rules import RuleSet
from alerting.starter import STARTER_FILE, starter_text
from floorpulse.backtest import Replay, lead_ms
from schemas.alerts import Transition
from schemas.controls import Ticked
from schemas.events import FloorEvent, encode
from schemas.registry import Registry
from schemas.times import DAY_MS, HOUR_MS, MINUTE_MS, from_ms, to_ms
from sources.readers.simulator.engine import Simulator
from sources.readers.simulator.spec import FloorSpec
from streams.core.groups import GroupEngine
from streams.core.log import Item
from streams.core.partition import PartitionEngine
from tests.alerting.views import rule

OPENED = 1_772_438_400_000
"""2026-03-02 08:00 UTC."""
HOURS = 6
SIMULATOR = Simulator(FloorSpec(teams=2, team_size=5), 5)
RULES = load_rules(starter_text(), STARTER_FILE)
PARTITIONS = 3
END = OPENED + DAY_MS


class Partitions:
    """The floor as it runs: an engine for each partition, ticked each minute, and the groups of them all."""

    def __init__(self, registry: Registry) -> None:
        """Nothing has happened yet."""
        self.steps: list[Transition] = []
        self._engines = [
            PartitionEngine(number, 1, registry, RuleJudge(RULES, registry, 1), event_clock=True)
            for number in range(PARTITIONS)
        ]
        self._groups = GroupEngine(PARTITIONS, 1, registry, RuleJudge(RULES, registry, 2))
        self._sent = 0

    def run(self, events: Sequence[FloorEvent]) -> None:
        """Take everything, minute by minute, and let the day end."""
        waiting = list(events)
        for minute in range(OPENED, END + 1, MINUTE_MS):
            while waiting and to_ms(waiting[0].at) < minute:
                event = waiting.pop(0)
                self._give(sum(event.subject.encode()) % PARTITIONS, event)
            for number in range(PARTITIONS):
                self._give(number, Ticked(at=from_ms(minute)))
            self._hand_on()

    def _give(self, number: int, record: FloorEvent | Ticked) -> None:
        engine = self._engines[number]
        engine.apply(Item(engine.boundary + 1, to_ms(record.at), encode(record), b"", record))

    def _hand_on(self) -> None:
        for engine in self._engines:
            said = engine.take_outbox()
            self.steps += [step for step, _ in said.transitions]
            self._groups.apply(self._sent, said.contributions)
            self._sent += 1
        self.steps += [step for step, _ in self._groups.take_outbox().transitions]


def by_id(steps: Sequence[Transition]) -> list[Transition]:
    """Steps in an order of their own."""
    return sorted(steps, key=lambda step: (step.alert, step.sequence))


def test_the_rules_of_then_tell_what_they_told() -> None:
    """Agents, queues, teams, the site: the same alerts with the same ids, instants, values and evidence."""
    registry = Registry(SIMULATOR.floor(), 1)
    events = sorted(SIMULATOR.events(OPENED, HOURS), key=lambda event: event.at)
    live, replay = Partitions(registry), Replay(RULES, registry)

    live.run(events)
    for event in events:
        replay.take(encode(event))
    replay.go_on_to(END)

    assert {step.subject.partition(":")[0] for step in live.steps} >= {"agent", "queue", "team"}
    assert len(live.steps) > 20
    assert by_id(replay.steps) == by_id(live.steps)


def test_a_file_with_rules_over_days_wants_the_days_before() -> None:
    """A state lasts half a day at most; a rule over 14 days looks at 14 closed ones."""
    short, long = rule(window="60m"), rule(id="long", window="14d")

    assert lead_ms(RuleSet(rules=(short,))) == 24 * HOUR_MS
    assert lead_ms(RuleSet(rules=(short, long))) == 15 * DAY_MS
