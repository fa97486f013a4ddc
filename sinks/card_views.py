"""
The SQL of the views `agent_card` and `team_day`: the usual figures of one agent by day, of one team's agents.

They are what a page asks for each time that somebody opens it: few KPIs, and of quarter hours and minutes only the
rows of these agents. A query on `kpi_agent` takes longer to be planned than these take to be answered.
"""

from __future__ import annotations

from dataclasses import dataclass

from schemas.kpis import KPIS, sql_value
from schemas.panes import AGENT_COLUMNS
from sinks.pane_sql import CLEAN, Span
from sinks.placement_sql import MINUTES_THAT_MOVE, QUARTERS_THAT_STAY, movers

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


@dataclass(frozen=True, slots=True)
class Card:
    """Whose rows a card has: `column` of `places` must be `asked` at the time of a pane."""

    column: str
    asked: str
    by: str
    """What a row stands for: SQL, with the name it gets."""
    unknown: str
    """SQL of whether an id that the registry does not know is meant."""

    @property
    def known(self) -> str:
        """
        A scalar for the WITH: the ids that are meant at any time, since when, and what and who they are then.

        An alias that is asked for by its own name is among them: the registry knows it, if only as somebody else.
        """
        lists = ", ".join(f"groupArray({name})" for name in ("agent", "starts", self.column, "people"))
        meant = f"has({self.column}, {self.asked}) OR {self.unknown}"
        return f"(SELECT ({lists}) FROM current_places WHERE {meant}) AS known"

    def rows(self, table: str, at: str, where: str) -> str:
        """The panes of one table that are meant and fulfil a condition, with their person."""
        place = "indexOf(known.1, toString(agent))"
        then = f"arrayLastIndex(s -> s <= toInt64(toUnixTimestamp({at})) * 1000, known.2[{place}])"
        meant = f"if({place} = 0, {self.unknown}, known.3[{place}][{then}] = {self.asked})"
        person = f"if({place} = 0, toString(agent), known.4[{place}][{then}])"
        return (
            f"SELECT {at} AS at, {person} AS person, {', '.join(CARD_SUMS)}\nFROM {table} FINAL"
            f" WHERE (has(known.1, toString(agent)) OR {self.unknown})"
            f" AND {at} >= {_FROM} AND {at} < {_TO} AND {where} AND {meant}"
        )


AGENT_CARD = Card("people", "{agent:String}", "toDate(at, {zone:String}) AS day", "agent = {agent:String}")
TEAM_DAY = Card("teams", "{team:String}", "person AS agent", "0")


def card_view(card: Card) -> str:
    """The SELECT of a card."""
    quarters = card.rows("agent_quarters", "quarter", f"toDate(quarter) IN clean.1 AND {QUARTERS_THAT_STAY}")
    minutes = card.rows("agent_minutes", "minute", f"(toDate(minute) NOT IN clean.1 OR {MINUTES_THAT_MOVE})")
    name = card.by.rpartition(" AS ")[2]
    figures = ",\n".join(f"    {sql_value(KPIS[kpi])} AS {kpi}" for kpi in CARD_KPIS)
    sums = ", ".join(f"sum(panes.{column}) AS {column}" for column in CARD_SUMS)
    return f"""WITH {CLEAN},
{movers(Span(_FROM, _TO))},
{card.known}
SELECT
    {name},
    {", ".join(CARD_SUMS)},
{figures}
FROM (
SELECT {card.by}, {sums}
FROM (
{quarters}
UNION ALL
{minutes}
) AS panes
GROUP BY {name}
)"""
