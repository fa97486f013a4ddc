"""Plans and states of one agent in minutes after dawn, and what a run made of them."""

from __future__ import annotations

from typing import Any

from schemas.events import Activity, ShiftPlanned, StateChanged
from schemas.kpis import KPIS, value
from schemas.registry import Floor, ReasonCode, Registry
from schemas.times import MINUTE_MS, from_ms
from streams.core.log import Item
from streams.core.panes import add_to
from tests.streams.floors import DAWN, item_of
from tests.streams.oracle import Sent
from tests.streams.runs import Run, new_engine

WORK, LUNCH, BREAK = ("work", True, True), ("lunch", False, False), ("break", False, True)
"""(activity, productive, paid)."""
FLOOR = Floor(
    reason_codes=[
        ReasonCode(id="lunch", paid=False),
        ReasonCode(id="break"),
        ReasonCode(id="training", productive=True),
    ]
)
Told = tuple[tuple[str, bool, bool], float, float]
"""(activity, from, to): minutes after dawn, which is 08:00."""


def plan(
    offset: int, told: float, *activities: Told, id: str = "p", revision: int = 0, void: bool = False, **other: Any
) -> Item:
    """A plan of a1 that comes in at a minute."""
    parts = [
        Activity(activity=name, productive=productive, paid=paid, starts_at=instant(start), ends_at=instant(end))
        for (name, productive, paid), start, end in activities
    ]
    at = other.get("at", instant(activities[0][1]))
    event = ShiftPlanned(
        source="wfm", id=id, revision=revision, void=void, at=at, agent=other.get("agent", "a1"), activities=parts
    )
    return item_of(Sent(offset, at_minute(told), event, offset))


def entered(offset: int, minute: float, state: str, reason: str | None = None, told: float | None = None) -> Item:
    """a1 enters a state then."""
    event = StateChanged(source="acd", id=f"s{offset}", at=instant(minute), agent="a1", state=state, reason=reason)  # type: ignore[arg-type]
    return item_of(Sent(offset, at_minute(minute if told is None else told), event, 1))


def at_minute(minute: float) -> int:
    """Epoch ms of a minute after dawn."""
    return DAWN + round(minute * MINUTE_MS)


def instant(minute: float) -> Any:
    """The instant of a minute after dawn."""
    return from_ms(at_minute(minute))


def ran(*items: Item, event_clock: bool = False) -> Run:
    """A run over some items, written out."""
    run = Run(new_engine(event_clock=event_clock, registry=Registry(FLOOR)))
    run.fold(items)
    run.finish()
    return run


def total(run: Run, first: float = -1e6, last: float = 1e6) -> dict[str, int]:
    """The sums of a1 over the stored panes of [first, last) minutes after dawn."""
    found: dict[str, int] = {}
    for (subject, minute, _, _), pane in run.panes().items():
        if subject == "agent:a1" and first <= minute - DAWN // MINUTE_MS < last:
            add_to(found, pane.sums)
    return found


def minutes_by_class(run: Run) -> dict[str, float]:
    """Planned and worked minutes of a1."""
    return {k.removeprefix("plan:"): v / MINUTE_MS for k, v in sorted(total(run).items()) if k.startswith("plan:")}


def figure(kpi: str, run: Run) -> float | None:
    """A KPI of a1 over all that is stored."""
    return value(KPIS[kpi], total(run), codes=Registry(FLOOR).codes)
