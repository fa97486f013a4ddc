"""Short ways to say what happened."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import count
from typing import Any

from schemas.events import (
    ContactAbandoned,
    ContactAnswered,
    ContactHandled,
    ContactOffered,
    StateChanged,
)

_NUMBERS = count(1)


def _base(instant: datetime, name: str | None) -> dict[str, Any]:
    return {"source": "acd", "id": name or f"f{next(_NUMBERS)}", "at": instant}


def state(instant: datetime, entered: Any, agent: str = "a1", reason: str | None = None) -> StateChanged:
    """The agent enters a state."""
    return StateChanged(**_base(instant, None), agent=agent, state=entered, reason=reason)


def offered(instant: datetime, contact: str, queue: str = "q") -> ContactOffered:
    """A contact enters a queue."""
    return ContactOffered(**_base(instant, contact), contact=contact, queue=queue)


def answered(instant: datetime, contact: str, waited_s: float, queue: str = "q") -> ContactAnswered:
    """A contact leaves its queue for an agent."""
    return ContactAnswered(**_base(instant, contact), contact=contact, queue=queue, waited_s=waited_s)


def abandoned(instant: datetime, contact: str, waited_s: float, queue: str = "q") -> ContactAbandoned:
    """A customer gives up."""
    return ContactAbandoned(**_base(instant, contact), contact=contact, queue=queue, waited_s=waited_s)


def handled(
    ended: datetime, talk_s: float, wrap_s: float = 0.0, agent: str | None = "a1", queue: str | None = "q", **more: Any
) -> ContactHandled:
    """A contact is finished, wrap included, at an instant."""
    name = more.pop("name", None)
    fields = {"contact": name or f"c{next(_NUMBERS)}", "started_at": ended - timedelta(seconds=talk_s + wrap_s), **more}
    return ContactHandled(**_base(ended, name), agent=agent, queue=queue, talk_s=talk_s, wrap_s=wrap_s, **fields)
