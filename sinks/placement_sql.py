"""
The SQL of who an agent of a pane is, and in which team and at which site, as of each minute.

Panes are joined with the registry by agent, not by minute: most stay where they are for the whole range, and only of
those who move the spells are looked through. A quarter hour in which somebody moves is read by its minutes while they
are kept; after that it counts where it began.
"""

from __future__ import annotations

from dataclasses import dataclass

from sinks.pane_sql import QUARTER_S, Span

_QUARTER_MS = QUARTER_S * 1000
_LAST_MINUTE_MS = (QUARTER_S - 60) * 1000


@dataclass(frozen=True, slots=True)
class Placement:
    """How agents' panes are given to groups over a range."""

    span: Span
    column: str
    """SQL of the column of `places` that says so: people, teams or sites."""
    elsewhere: str
    """SQL of the group of an id that the registry does not know, over `panes`."""
    default: str
    """The one group that such ids can be in; `''` when each is its own."""
    only: str
    """SQL of the one group that is asked for; `''` for all."""
    name: str = "placed"

    @property
    def relation(self) -> str:
        """
        For the WITH of the query: a row for each id that the registry places in the groups asked for.

        `stays` is 1 where the group is `home` for the whole range, and 2 where `spells` (from ms, to ms, group) say.
        `torn` are the quarter hours in which the group changes between two minutes, and whose minutes are kept.
        """
        first, last = (f"toInt64(toUnixTimestamp({bound})) * 1000" for bound in (self.span.first, self.span.last))
        nexts = "arrayPushBack(arrayPopFront(starts), toInt64(9e18))"
        quarter = f"toDateTime(intDiv(s.1, {_QUARTER_MS}) * {QUARTER_S}, 'UTC')"
        inside = f"s.1 % {_QUARTER_MS} BETWEEN 1 AND {_LAST_MINUTE_MS}"
        return f"""{self.name} AS (
    SELECT agent, if(length(arrayDistinct(held.3)) = 1, 1, 2) AS stays, held[1].3 AS home,
        if(stays = 1, [], held) AS spells,
        arrayFilter(q -> has(clean.2, toDate(q)), arrayMap(s -> {quarter}, arrayFilter(s -> {inside}, spells))) AS torn
    FROM (
        SELECT agent, arrayFilter(s -> s.1 < {last} AND s.2 > {first}, arrayZip(starts, {nexts}, {self.column})) AS held
        FROM current_places
    )
    WHERE {self.only} IN ('', {self.default}) OR agent = {self.only} OR has(held.3, {self.only})
)"""

    def of(self, panes: str) -> str:
        """Panes with the columns of `relation` beside them."""
        return f"{panes}\nANY LEFT JOIN {self.name} ON {self.name}.agent = panes.agent"

    @property
    def asked(self) -> str:
        """The condition that lets a query for one group read only its own agents."""
        mine = f"agent IN (SELECT agent FROM {self.name})"
        return f"({self.only} IN ('', {self.default}) OR agent = {self.only} OR {mine})"

    @property
    def torn(self) -> str:
        """Relation: (id, quarter hour) whose minutes are read instead."""
        return f"(SELECT agent, arrayJoin(torn) AS quarter FROM {self.name})"

    def group(self, at: str) -> str:
        """The group of a pane at the start of its minute or quarter hour, the column `at`."""
        known = self.name
        then = f"arrayLast(s -> s.1 <= toInt64(toUnixTimestamp({at})) * 1000, {known}.spells).3"
        return f"multiIf({known}.stays = 1, {known}.home, {known}.stays = 2, {then}, {self.elsewhere})"
