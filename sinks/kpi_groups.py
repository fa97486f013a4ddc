"""What the rows of the KPI views stand for: agents, teams, queues, clients and sites, and which KPIs are theirs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from schemas.kpis import KPIS, Kpi
from schemas.panes import AGENT_COLUMNS, COLUMNS, MAPS, QUEUE_COLUMNS

By = Literal["agent", "team", "queue", "client", "site"]

WAITS = ("answered_waits", "abandoned_waits")
TIMES = "handle_times_ms"

_BOTH = tuple(column.name for column in COLUMNS if column.owner == "both")
OF_CONTACTS = (*_BOTH, "accepted", "rejected", "rang_ms", "tickets_worked", "tickets_solved_by")
"""What an agent's pane says of its queue; the agent's time belongs to no queue."""


@dataclass(frozen=True, slots=True)
class Group:
    """What the rows of a view stand for, and which sums are its own."""

    kind: By
    columns: tuple[str, ...]
    """Counts and sums."""
    waits: tuple[str, ...] = ()
    """Counted waits: arrays over `schemas.panes.THRESHOLDS_S`."""
    maps: tuple[str, ...] = ()
    """Sums by code: maps."""

    @property
    def sums(self) -> tuple[str, ...]:
        """Every summed column."""
        return self.columns + self.waits + self.maps

    def kpis(self) -> dict[str, Kpi]:
        """The KPIs whose every column is the group's own: time of agents is never asked of a queue."""
        own = {*self.columns, *self.maps}
        return {kpi.id: kpi for kpi in KPIS.values() if kpi.columns <= own}


_QUEUE_OWN = (*QUEUE_COLUMNS, *(name for name in OF_CONTACTS if name not in QUEUE_COLUMNS))
_MAPS = tuple(MAPS)
ALL_COLUMNS = tuple(dict.fromkeys((*AGENT_COLUMNS, *QUEUE_COLUMNS)))

GROUPS: dict[By, Group] = {
    group.kind: group
    for group in (
        Group("agent", AGENT_COLUMNS, maps=_MAPS),
        Group("team", AGENT_COLUMNS, maps=_MAPS),
        Group("queue", _QUEUE_OWN, WAITS),
        Group("client", _QUEUE_OWN, WAITS),
        Group("site", ALL_COLUMNS, WAITS, _MAPS),
    )
}
