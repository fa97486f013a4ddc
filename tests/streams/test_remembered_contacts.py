"""The contacts that evidence is taken from: the newest, and of longer ago those that tell most."""

from __future__ import annotations

from schemas.alerts import Window
from schemas.events import ContactHandled
from schemas.registry import Floor, Registry
from schemas.times import HOUR_MS, MINUTE_MS, from_ms
from streams.core.partition import PartitionEngine
from streams.core.subject import RECENT
from streams.core.views import SubjectAt
from tests.streams.floors import DAWN, item_of
from tests.streams.oracle import Sent
from tests.streams.runs import new_engine

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
