"""The contacts that evidence is taken from: the newest, and of longer ago those that tell most."""

from __future__ import annotations

from alerting.judge import RuleJudge
from alerting.rules import RuleSet
from schemas.alerts import Evidence, Window
from schemas.events import ContactHandled
from schemas.registry import Floor, Registry
from schemas.times import HOUR_MS, MINUTE_MS, from_ms
from streams.core.partition import PartitionEngine
from streams.core.subject import RECENT
from streams.core.views import SubjectAt
from tests.alerting.views import rule
from tests.streams.floors import DAWN, item_of
from tests.streams.oracle import Sent
from tests.streams.runs import Run, new_engine, restarted
from tests.streams.test_clockwork import ticked

DAY = Window("day")
HOUR = Window("rolling", minutes=60)


def handled(number: int, at_ms: int, talk_s: float = 60.0) -> ContactHandled:
    """A contact of a1."""
    at = from_ms(at_ms)
    return ContactHandled(
        source="acd", id=f"h{number}", at=at, contact=f"c{number}", agent="a1", started_at=at, talk_s=talk_s
    )


def told(engine: PartitionEngine, *events: ContactHandled) -> None:
    """Fold events that all come in at nine."""
    for offset, event in enumerate(events):
        engine.apply(item_of(Sent(offset, DAWN + HOUR_MS, event, 1)))


def contacts(engine: PartitionEngine, window: Window) -> list[str]:
    """The contacts of a1 that evidence would be taken from."""
    view = SubjectAt(engine.subjects["agent:a1"], Registry(Floor()), DAWN + HOUR_MS)
    return [contact.contact for contact in view.contacts(window)]


def test_a_short_call_that_is_told_late_is_evidence_once() -> None:
    """It is remembered as one of the newest and as one that tells; it came after one of a later minute."""
    engine = new_engine(event_clock=False)

    told(engine, handled(1, DAWN + 20 * MINUTE_MS), handled(2, DAWN + 5 * MINUTE_MS, talk_s=4.0))

    assert contacts(engine, DAY) == ["c2", "c1"]


def test_the_newest_are_remembered_and_short_calls_of_longer_ago() -> None:
    """More contacts than are remembered: the first ones are gone, but for the short one among them."""
    engine = new_engine(event_clock=False)

    told(engine, *(handled(n, DAWN + n * 1_000, talk_s=4.0 if n == 1 else 60.0) for n in range(RECENT + 3)))

    wanted = ["c1", *(f"c{n}" for n in range(3, RECENT + 3))]
    assert contacts(engine, HOUR) == wanted
    assert contacts(engine, DAY) == wanted


def evidence_of_days(*, restarts: bool) -> list[Evidence]:
    """What is copied into the alert of three days for two contacts of the day that has closed."""
    #   08:00 contact    09:00 contact    10:01 judged: the hour is empty    10:30 restart    00:15 closed
    rules = [
        rule(id="hour", kpi="handled", comparison=">=", threshold=9, pairs_with=None),
        rule(id="days", kpi="handled", window="3d", comparison=">=", threshold=2, pairs_with=None),
    ]
    judge = RuleJudge(RuleSet(rules=tuple(rules)), Registry(Floor()), 1)
    run = Run(new_engine(event_clock=False, judge=judge))
    for offset, minute in enumerate((0, 60)):
        at = DAWN + minute * MINUTE_MS
        run.fold([item_of(Sent(offset, at, handled(offset, at), 1))])
        run.finish()
    run.fold([ticked(2, 150)])
    run.finish()
    run = restarted(run) if restarts else run
    run.fold([ticked(3, 17 * 60)])
    run.finish()
    return [row for transition, _ in run.said if transition.rule == "days" for row in transition.evidence]


def test_a_restart_changes_no_evidence() -> None:
    """Who is judged without having changed is not stored, so that forgets nothing."""
    found = evidence_of_days(restarts=False)

    assert evidence_of_days(restarts=True) == found
    assert [row.contact for row in found] == ["c1", "c0"]
