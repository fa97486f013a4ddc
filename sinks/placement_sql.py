"""
The SQL of who an agent of a pane is, and in which team and at which site, as of each minute.

Panes are joined with the places of the registry as of their own start. A quarter hour has one group only where nobody
moves between two of its minutes: a day on which somebody does is read by the minutes of that agent while they are kept;
after that a quarter hour counts where it began.
"""

from __future__ import annotations

from dataclasses import dataclass

from sinks.pane_sql import QUARTER_S, Span

_QUARTER_MS = QUARTER_S * 1000
_LAST_MINUTE_MS = (QUARTER_S - 60) * 1000


def within_a_quarter(start: str) -> str:
    """Whether a place begins between two minutes of one quarter hour; `start` in ms."""
    return f"{start} % {_QUARTER_MS} BETWEEN 1 AND {_LAST_MINUTE_MS}"


def movers(span: Span) -> str:
    """For the WITH of a query with agents: who moves within a quarter hour, and the UTC days of that with minutes."""
    first, last = (f"toInt64(toUnixTimestamp({bound})) * 1000" for bound in (span.first, span.last))
    inside = f"start > {first} AND start < {last} AND {within_a_quarter('start')}"
    return f"""(
    SELECT (groupUniqArray(agent), groupUniqArray(toDate(toDateTime(intDiv(start, 1000), 'UTC')) AS moved_on))
    FROM current_places ARRAY JOIN starts AS start WHERE {inside} AND has(clean.2, moved_on)
) AS movers"""


QUARTERS_THAT_STAY = "(empty(movers.1) OR NOT (toDate(quarter) IN movers.2 AND agent IN movers.1))"
MINUTES_THAT_MOVE = "(notEmpty(movers.1) AND toDate(minute) IN movers.2 AND agent IN movers.1)"
"""The conditions by which these are read by minutes, all else by quarter hours."""


@dataclass(frozen=True, slots=True)
class Placement:
    """How agents' panes are given to groups."""

    column: str
    """SQL of the column of `places` that says so: people, teams or sites."""
    elsewhere: str
    """SQL of the group of an id that the registry does not know, over `panes`."""
    default: str
    """SQL of the one group that such ids can be in; `''` when each is its own."""
    only: str
    """SQL of the one group that is asked for; `''` for all."""
    name: str = "placed"

    @property
    def asked(self) -> str:
        """The condition that lets a query for one group read only the agents that were ever in it."""
        mine = f"agent IN (SELECT agent FROM current_places WHERE has({self.column}, {self.only}))"
        return f"({self.only} IN ('', {self.default}) OR agent = {self.only} OR {mine})"

    @property
    def group(self) -> str:
        """The group of a pane that was joined."""
        return f"if({self.name}.agent = '', {self.elsewhere}, {self.name}.grp)"

    def join(self, panes: str) -> str:
        """A relation `panes`, with columns `agent` and `at_ms`, with each pane's group beside it."""
        return f"""{panes}
ASOF LEFT JOIN (
    SELECT agent, start, grp FROM current_places ARRAY JOIN starts AS start, {self.column} AS grp
) AS {self.name} ON {self.name}.agent = panes.agent AND {self.name}.start <= panes.at_ms"""
