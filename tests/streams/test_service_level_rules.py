"""Rules on the service level, judged by the engine with the contract of the queue."""

from __future__ import annotations

import pytest

from alerting.judge import RuleJudge
from alerting.rules import RuleSet
from schemas.controls import Ticked
from schemas.events import ContactAnswered, ContactFlowedOut, FloorEvent
from schemas.kpis import SERVICE_LEVEL_VARIANTS
from schemas.registry import Floor, Queue, Registry, ServiceLevelGoal
from schemas.times import from_ms
from streams.core.log import Item
from streams.core.partition import PartitionEngine
from tests.alerting.views import rule
from tests.streams.floors import DAWN, item_of
from tests.streams.oracle import Sent
from tests.streams.runs import new_engine

CONTACTS = 20
WITH_FLOWED_OUT = {"gf", "gfs", "gfa"}


def engine_under(variant: object) -> PartitionEngine:
    """An engine that judges a service level under 80 % by the contract of the queue."""
    goal = ServiceLevelGoal.model_validate({"variant": variant, "threshold_s": 20})
    registry = Registry(Floor(queues=[Queue(id="sales", service_level=goal)]))
    level = rule(kpi="service_level", subject="queue", window="30m", comparison="<", threshold=0.8, pairs_with=None)
    return new_engine(event_clock=False, judge=RuleJudge(RuleSet(rules=(level,)), registry, 1))


def contact(number: int, at_ms: int) -> FloorEvent:
    """The first half is answered after 5 s, the other half flows out."""
    told = {"source": "acd", "id": f"{number}", "contact": f"c{number}", "queue": "sales", "channel": "voice"}
    kind = ContactAnswered if number < CONTACTS // 2 else ContactFlowedOut
    return kind.model_validate({**told, "type": kind.model_fields["type"].default, "at": from_ms(at_ms), "waited_s": 5})


@pytest.mark.parametrize("variant", SERVICE_LEVEL_VARIANTS)
def test_contacts_that_flow_out_count_where_the_contract_says_so(variant: object) -> None:
    """Ten are answered in time and judged; then ten flow out: half of all, by a form that counts them."""
    engine = engine_under(variant)
    for number in range(CONTACTS):
        at = DAWN + number * 2_000
        engine.apply(item_of(Sent(number, at, contact(number, at), 1)))
    at = DAWN + 120_000
    engine.apply(Item(CONTACTS, at, b"", b"", Ticked(at=from_ms(at))))

    found = [step.reason for step, _ in engine.out.transitions]
    assert found == (["breached"] if variant in WITH_FLOWED_OUT else [])
