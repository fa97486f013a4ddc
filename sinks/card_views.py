"""
The SQL of the views `agent_card` and `team_day`: the usual figures of one agent by day, of one team's agents.

They are what a page asks for each time that somebody opens it: few KPIs, and of quarter hours and minutes only the
rows of these agents. A query on `kpi_agent` takes longer to be planned than these take to be answered.
"""

from __future__ import annotations

from dataclasses import dataclass

from schemas.kpis import KPIS, sql_value
from schemas.panes import AGENT_COLUMNS
from sinks.pane_sql import CLEAN
from sinks.placement_sql import within_a_quarter

CARD_KPIS = (
    "aht_s",
    "avg_hold_s",
    "avg_wrap_s",
    "short_call_share",
    "transfer_rate",
    "occupancy",
    "contacts_per_hour",
    "login_s",
    "away_s",
    "non_response",
    "quality",
    "csat",
)
"""The figures of a card, each a ratio or a sum of plain columns."""

CARD_SUMS = tuple(
    name for name in AGENT_COLUMNS if name == "handled" or any(name in KPIS[kpi].columns for kpi in CARD_KPIS)
)

_FROM, _TO = (f"toDateTime({{{name}:DateTime64(3, 'UTC')}}, 'UTC')" for name in ("from", "to"))
_MOVES = f"arrayFilter(s -> {within_a_quarter('s')}, starts)"
_MOVED_ON = f"arrayMap(s -> toDate(toDateTime(intDiv(s, 1000), 'UTC')), {_MOVES})"


@dataclass(frozen=True, slots=True)
class Card:
    """Whose rows a card has: `column` of `places` must be `asked` at the time of a pane."""

    column: str
    asked: str
    by: str
    """What a row stands for: SQL, with the name it gets."""
    alone: str = ""
    """SQL of an id that is meant too where the registry does not know it: a person of this name."""

    @property
    def known(self) -> str:
        """
        A scalar for the WITH: the ids that are meant at any time; since when, in `column`, and who they are then.

        Last, the clean days that are read by quarter hours: on the others one of them moves within a quarter hour. An
        alias that is asked for by its own name is among the ids: the registry knows it, if only as somebody else.
        """
        lists = ", ".join(f"groupArray({name})" for name in ("agent", "starts", self.column, "people"))
        stay = f"arrayFilter(d -> NOT (has(clean.2, d) AND has(groupUniqArrayArray({_MOVED_ON}), d)), clean.1)"
        meant = f"has({self.column}, {self.asked})" + (f" OR agent = {self.alone}" if self.alone else "")
        return f"(SELECT ({lists}, {stay}) FROM current_places WHERE {meant}) AS known"

    def rows(self, table: str, at: str, where: str) -> str:
        """The panes of one table that are meant and fulfil a condition, with their person."""
        ids = f"arrayConcat(known.1, [{self.alone}])" if self.alone else "known.1"
        then = f"arrayLastIndex(s -> s <= toUnixTimestamp({at}) * 1000, known.2[place]) AS then"
        person = "if(place = 0, toString(agent), known.4[place][then]) AS person"
        return (
            f"SELECT {at} AS at, indexOf(known.1, agent) AS place, {then}, {person}, {', '.join(CARD_SUMS)}\n"
            f"FROM {table} FINAL WHERE agent IN {ids} AND {at} >= {_FROM} AND {at} < {_TO} AND {where}"
            f" AND if(place = 0, agent, known.3[place][then]) = {self.asked}"
        )


AGENT_CARD = Card("people", "{agent:String}", "toDate(at, {zone:String}) AS day", "{agent:String}")
TEAM_DAY = Card("teams", "{team:String}", "person AS agent")


def card_view(card: Card) -> str:
    """The SELECT of a card, in one level: each level and each scalar makes ClickHouse plan for longer."""
    quarters = card.rows("agent_quarters", "quarter", "toDate(quarter) IN known.5")
    minutes = card.rows("agent_minutes", "minute", "toDate(minute) NOT IN known.5")
    figures = ",\n".join(f"    {sql_value(KPIS[kpi])} AS {kpi}" for kpi in CARD_KPIS)
    sums = ",\n".join(f"    sum(panes.{column}) AS {column}" for column in CARD_SUMS)
    return f"""WITH {CLEAN},
{card.known}
SELECT
    {card.by},
{sums},
{figures}
FROM (
{quarters}
UNION ALL
{minutes}
) AS panes
GROUP BY {card.by.rpartition(" AS ")[2]}"""
