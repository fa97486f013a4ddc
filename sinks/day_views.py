"""The SQL of the views `agent_day` and `rolling`."""

from __future__ import annotations

from schemas.panes import AGENT_COLUMNS, MAPS
from sinks.group_sql import (
    CLIENT_OF_QUEUE,
    QUEUE_LISTS,
    SITE_OF_QUEUE,
    Extra,
    Rows,
    agent_rows,
    contact_rows,
    holds_something,
    queue_rows,
    summing,
    union,
)
from sinks.kpi_groups import ALL_COLUMNS, TIMES, WAITS
from sinks.pane_sql import CLEAN, Span
from sinks.placement_sql import Placement, movers

_FROM, _TO = (f"toDateTime({{{name}:DateTime64(3, 'UTC')}}, 'UTC')" for name in ("from", "to"))
_ZONE, _ONLY = "{zone:String}", "{only:String}"
_KIND, _ID = "{kind:String}", "{id:String}"
_END = "toStartOfMinute(toDateTime({at:DateTime64(3, 'UTC')}, 'UTC'))"
_START = f"{_END} - toIntervalMinute({{minutes:UInt32}})"

_FIRST_BIT = "toUInt32(log2(bitAnd(minutes, bitNot(minutes) + 1)))"
_LAST_BIT = "toUInt32(log2(minutes))"
_QUANTILES = ",\n".join(
    f"    if(sum(panes.handled) = 0, NULL, quantilesExactArray(0.5, 0.9)(panes.{TIMES})[{place}] / 1000)"
    f" AS handle_p{part}_s"
    for place, part in enumerate((50, 90), start=1)
)


def agent_day_view() -> str:
    """The SELECT of the view `agent_day`: an agent's sums and handle times by local day."""
    span = Span(_FROM, _TO)
    person = Placement("people", "panes.agent", "''", _ONLY)
    team = Placement("teams", "''", "''", "''", name="teamed")
    extras = (
        Extra("first", f"quarter + 60 * {_FIRST_BIT}", "minute"),
        Extra("last", f"quarter + 60 * {_LAST_BIT}", "minute"),
        Extra("team", team.group, team.group),
    )
    sums = (*AGENT_COLUMNS, *MAPS)
    rows = Rows(span, (*sums, TIMES), holds_something(sums), extras)
    return f"""WITH {CLEAN},
{movers(span)}
SELECT
    grp AS agent,
    argMax(panes.team, panes.last) AS team,
    toDate(at, {_ZONE}) AS day,
    min(panes.first) AS first_minute,
    max(panes.last) AS last_minute,
{summing(sums, of="panes.")},
{_QUANTILES}
FROM (
{union(agent_rows(rows, person, team))}
) AS panes
WHERE ({_ONLY} = '' OR grp = {_ONLY})
GROUP BY grp, day"""


def rolling_view() -> str:
    """The SELECT of the view `rolling`: the sums of a subject over the last whole minutes before an instant."""
    span = Span(_START, _END)
    asked = Placement(
        f"multiIf({_KIND} = 'agent', people, {_KIND} = 'team', teams, sites)",
        f"multiIf({_KIND} = 'agent', toString(panes.agent), {_KIND} = 'site', 'main', '')",
        f"if({_KIND} = 'site', 'main', '')",
        _ID,
    )
    group = f"multiIf({_KIND} = 'queue', toString(queue), {_KIND} = 'client', {CLIENT_OF_QUEUE}, {SITE_OF_QUEUE})"
    mine = f"({_KIND} != 'queue' OR queue = {_ID})"
    wanted = (*ALL_COLUMNS, *WAITS, *MAPS, TIMES)
    parts = [
        *agent_rows(Rows(span, wanted, f"{_KIND} IN ('agent', 'team', 'site')"), asked),
        *contact_rows(Rows(span, wanted, f"{_KIND} IN ('queue', 'client')"), group, mine),
        *queue_rows(Rows(span, wanted, f"{_KIND} IN ('queue', 'client', 'site')"), group, mine),
    ]
    return f"""WITH {CLEAN},
{movers(span)},
{QUEUE_LISTS}
SELECT
    {_KIND} AS kind,
    {_ID} AS id,
    {_START} AS opened_at,
    {_END} AS closed_at,
{summing((*ALL_COLUMNS, *WAITS, *MAPS), of="panes.")},
{_QUANTILES}
FROM (
{union(parts)}
) AS panes
WHERE grp = {_ID}"""
