"""
The SQL of the KPI views: sums of panes by group and bucket, and every KPI out of them by `schemas.kpis`.

The views are parameterised: `from` and `to` (UTC), `step_s` (0: the whole range as one bucket; else seconds that divide
a day; 86400: the local day), `zone` and `threshold_s`. Buckets begin at local midnight and go on in steps; the last one
ends at the next midnight, so that days of 23 and 25 hours have no gap and nothing twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from schemas.kpis import KPIS, SERVICE_LEVEL_VARIANTS, Kpi, service_level, sql_parts, sql_value
from schemas.panes import AGENT_COLUMNS, COLUMNS, QUEUE_COLUMNS, THRESHOLDS_S

By = Literal["agent", "team", "queue", "client", "site"]

_BOTH = tuple(column.name for column in COLUMNS if column.owner == "both")
_FROM, _TO = "{from:DateTime64(3, 'UTC')}", "{to:DateTime64(3, 'UTC')}"
_STEP, _ZONE, _THRESHOLD = "{step_s:UInt32}", "{zone:String}", "{threshold_s:UInt32}"
_RANGE = f"minute >= toDateTime({_FROM}, 'UTC') AND minute < toDateTime({_TO}, 'UTC')"
_WAITS = ("answered_waits", "abandoned_waits")
_SITE_OF_QUEUE = "if(places.site = '', 'main', places.site)"
_NO_WAITS = "CAST([], 'Array(UInt32)')"

_OF_CONTACTS = (*_BOTH, "accepted", "rejected", "rang_ms", "tickets_worked", "tickets_solved_by")
"""What an agent's pane says of its queue; the agent's time belongs to no queue."""


@dataclass(frozen=True, slots=True)
class Group:
    """What the rows of a view stand for, and which panes are summed into them."""

    kind: By
    of_agents: str
    """SQL of the group of an agent's pane; empty: agents' panes do not count."""
    of_queues: str
    """SQL of the group of a queue's pane; empty: queues' panes do not count."""
    columns: tuple[str, ...]
    """The sums that are the group's own."""

    def kpis(self) -> dict[str, Kpi]:
        """The KPIs whose every sum is the group's own."""
        return {kpi.id: kpi for kpi in KPIS.values() if _columns_of(kpi) <= set(self.columns)}


_QUEUE_OWN = (*QUEUE_COLUMNS, *(name for name in _OF_CONTACTS if name not in QUEUE_COLUMNS))
_ALL = tuple(dict.fromkeys((*AGENT_COLUMNS, *QUEUE_COLUMNS)))

GROUPS: dict[By, Group] = {
    group.kind: group
    for group in (
        Group("agent", "person", "", AGENT_COLUMNS),
        Group("team", "team", "", AGENT_COLUMNS),
        Group("queue", "panes.queue", "panes.queue", _QUEUE_OWN),
        Group("client", "places.client", "places.client", _QUEUE_OWN),
        Group("site", "agent_site", _SITE_OF_QUEUE, _ALL),
    )
}


_KIND, _ID = "{kind:String}", "{id:String}"
_ASKED_OF_AGENTS = f"multiIf({_KIND} = 'agent', person, {_KIND} = 'team', team, agent_site)"
_ASKED_OF_QUEUES = f"multiIf({_KIND} = 'queue', panes.queue, {_KIND} = 'client', places.client, {_SITE_OF_QUEUE})"
_ONLY_AGENT = (
    f"({_KIND} != 'agent' OR agent = {_ID} OR agent IN (SELECT alias FROM aliases AS a WHERE a.agent = {_ID}))"
)
_ONLY_QUEUE = f"({_KIND} != 'queue' OR queue = {_ID})"
"""What lets a query for one subject read only its own panes."""


def kpi_view(by: By) -> str:
    """The SELECT of the view `kpi_<by>`."""
    group = GROUPS[by]
    figures = [f"    {sql} AS {name}" for name, sql in _figures(group)]
    return "\n".join(
        [
            "SELECT",
            f"    grp AS {by},",
            f"    toDateTime(opened_s, {_ZONE}) AS opened_at,",
            f"    toDateTime(closed_s, {_ZONE}) AS closed_at,",
            "".join(f"    {column},\n" for column in _summed(group)) + ",\n".join(figures),
            f"FROM (\n{_sums(group)}\n)",
            f"WHERE throwIf(indexOf({list(THRESHOLDS_S)}, {_THRESHOLD}) = 0,",
            f"    'threshold_s: expected one of {', '.join(map(str, THRESHOLDS_S))}') = 0",
            f"  AND throwIf({_STEP} > 86400 OR ({_STEP} > 0 AND 86400 % greatest({_STEP}, 1) != 0),",
            "    'step_s: expected 0 or seconds that divide a day of 86400') = 0",
        ]
    )


def agent_day_view() -> str:
    """The SELECT of the view `agent_day`: an agent's sums and handle times by local day."""
    sums = ",\n".join(f"    sum(panes.{name}) AS {name}" for name in AGENT_COLUMNS)
    return f"""SELECT
    person AS agent,
    argMax(team, minute) AS team,
    toDate(minute, {_ZONE}) AS day,
    min(minute) AS first_minute,
    max(minute) AS last_minute,
{sums},
    sumMap(panes.away_by_reason) AS away_by_reason,
    if(sum(panes.handled) = 0, NULL, quantileExactArray(0.5)(panes.handle_times_ms) / 1000) AS handle_p50_s,
    if(sum(panes.handled) = 0, NULL, quantileExactArray(0.9)(panes.handle_times_ms) / 1000) AS handle_p90_s
FROM ({placed_agents((*AGENT_COLUMNS, "away_by_reason", "handle_times_ms"), _RANGE)}) AS panes
GROUP BY person, day"""


def rolling_view() -> str:
    """The SELECT of the view `rolling`: the sums of a subject over the last whole minutes before an instant."""
    end = "toStartOfMinute(toDateTime({at:DateTime64(3, 'UTC')}, 'UTC'))"
    span = f"minute >= {end} - toIntervalMinute({{minutes:UInt32}}) AND minute < {end}"
    by_agent = f"{span} AND {_KIND} IN ('agent', 'team', 'site') AND {_ONLY_AGENT}"
    by_queue = f"{span} AND {_KIND} IN ('queue', 'client') AND queue != '' AND {_ONLY_QUEUE}"
    queues = f"{span} AND {_KIND} IN ('queue', 'client', 'site') AND {_ONLY_QUEUE}"
    parts = [
        _from_agents(placed_agents(AGENT_COLUMNS, by_agent), _ASKED_OF_AGENTS, _listed(_ALL, set(AGENT_COLUMNS))),
        _from_queues("agent_minutes", _ASKED_OF_QUEUES, _listed(_ALL, set(_OF_CONTACTS)), by_queue),
        _from_queues("queue_minutes", _ASKED_OF_QUEUES, _listed(_ALL, {*QUEUE_COLUMNS, *_WAITS}), queues),
    ]
    union = "\nUNION ALL\n".join(parts)
    return f"""SELECT
    {_KIND} AS kind,
    {_ID} AS id,
    {end} - toIntervalMinute({{minutes:UInt32}}) AS opened_at,
    {end} AS closed_at,
{_summing(_ALL + _WAITS)}
FROM (
{union}
)
WHERE grp = {_ID}"""


def named_agents(columns: tuple[str, ...], where: str) -> str:
    """Agents' panes with the person (aliases resolved); columns as given."""
    names = ", ".join(columns)
    return f"""
SELECT minute, queue, {names},
    arrayFirst(s -> s.1 <= minute AND minute < s.2, known.spells).3 AS alias_of,
    if(alias_of = '', panes.agent, alias_of) AS person
FROM (SELECT * FROM agent_minutes FINAL WHERE {where}) AS panes
ANY LEFT JOIN (
    SELECT alias, groupArray((valid_from, valid_to, agent)) AS spells FROM aliases GROUP BY alias
) AS known ON known.alias = panes.agent"""


def placed_agents(columns: tuple[str, ...], where: str) -> str:
    """Agents' panes with person, team and site as of their minute; columns as given."""
    names = ", ".join(columns)
    return f"""
SELECT minute, queue, {names}, person,
    (arrayFirst(s -> s.1 <= minute AND minute < s.2, mine.spells) AS spell).3 AS team,
    if(spell.4 = '', 'main', spell.4) AS agent_site
FROM ({named_agents(columns, where)}
) AS named
ANY LEFT JOIN (
    SELECT agent, groupArray((valid_from, valid_to, team, site)) AS spells FROM memberships GROUP BY agent
) AS mine ON mine.agent = named.person"""


def _sums(group: Group) -> str:
    union = "\nUNION ALL\n".join(_parts(group, group.columns, _RANGE))
    midnight = f"toUnixTimestamp(toStartOfDay(minute, {_ZONE}))"
    next_midnight = f"toUnixTimestamp(toDateTime(toDate(minute, {_ZONE}) + 1, {_ZONE}))"
    from_s, to_s = (f"toUnixTimestamp(toDateTime({bound}, 'UTC'))" for bound in (_FROM, _TO))
    step = f"greatest({_STEP}, 1)"
    start = f"{midnight} + intDiv(toUnixTimestamp(minute) - {midnight}, {step}) * {step}"
    return f"""SELECT grp,
    toUInt32(if({_STEP} = 0, {from_s}, greatest({start}, {from_s}))) AS opened_s,
    toUInt32(if({_STEP} = 0, {to_s}, least({_day_or(step, start, next_midnight)}, {to_s}))) AS closed_s,
{_summing(_summed(group))}
FROM (
{union}
)
GROUP BY grp, opened_s, closed_s"""


def _day_or(step: str, start: str, next_midnight: str) -> str:
    """The end of a bucket: a step after its start, at the latest at the next midnight."""
    return f"if({step} = 86400, {next_midnight}, least({start} + {step}, {next_midnight}))"


def _parts(group: Group, columns: tuple[str, ...], where: str) -> list[str]:
    parts = []
    if group.of_agents:
        parts.append(_of_agents(group, columns, where))
    if group.of_queues:
        parts.append(_of_queues(group, columns, where))
    return parts


def _of_agents(group: Group, columns: tuple[str, ...], where: str) -> str:
    if group.kind not in {"agent", "team", "site"}:
        listed = _listed(columns, set(_OF_CONTACTS))
        return _from_queues("agent_minutes", group.of_agents, listed, f"{where} AND queue != ''")
    panes = named_agents if group.kind == "agent" else placed_agents
    return _from_agents(panes(AGENT_COLUMNS, where), group.of_agents, _listed(columns, set(AGENT_COLUMNS)))


def _of_queues(group: Group, columns: tuple[str, ...], where: str) -> str:
    return _from_queues("queue_minutes", group.of_queues, _listed(columns, {*QUEUE_COLUMNS, *_WAITS}), where)


def _from_agents(panes: str, grp: str, listed: str) -> str:
    return f"SELECT minute, {grp} AS grp, {listed} FROM ({panes})"


def _from_queues(table: str, grp: str, listed: str, where: str) -> str:
    panes = f"(SELECT * FROM {table} FINAL WHERE {where}) AS panes"
    places = " ANY LEFT JOIN queue_sites AS places ON places.queue = panes.queue" if "places." in grp else ""
    return f"SELECT minute, {grp} AS grp, {listed} FROM {panes}{places}"


def _listed(columns: tuple[str, ...], own: set[str]) -> str:
    """The columns and waits that a pane has, and nothing for those that it has not."""
    numbers = [name if name in own else f"toUInt64(0) AS {name}" for name in columns]
    return ", ".join(numbers + [name if name in own else f"{_NO_WAITS} AS {name}" for name in _WAITS])


def _summed(group: Group) -> tuple[str, ...]:
    return group.columns + (_WAITS if group.of_queues else ())


def _summing(columns: tuple[str, ...]) -> str:
    return ",\n".join(f"    {'sumForEach' if name in _WAITS else 'sum'}({name}) AS {name}" for name in columns)


def _figures(group: Group) -> list[tuple[str, str]]:
    """(column, SQL) of each KPI with its n; the service level in all its variants."""
    found: list[tuple[str, str]] = []
    for name, kpi in group.kpis().items():
        if kpi.denominator:
            found += _ratio(name, kpi)
        elif name not in group.columns:
            found.append((name, sql_value(kpi, _THRESHOLD)))
    if "service_level" in group.kpis():
        for variant in SERVICE_LEVEL_VARIANTS:
            found += _ratio(f"service_level_{variant}", service_level(variant))
    return found


def ratio_sql(kpi: Kpi) -> tuple[str, str]:
    """The value of a ratio and its n as SQL; the value is NULL where n is 0 or below the KPI's minimum."""
    _top, bottom = sql_parts(kpi, _THRESHOLD)
    value = sql_value(kpi, _THRESHOLD)
    return (value if kpi.min_n <= 1 else f"if(({bottom}) < {kpi.min_n}, NULL, {value})"), f"toUInt64({bottom})"


def _ratio(name: str, kpi: Kpi) -> list[tuple[str, str]]:
    value, n = ratio_sql(kpi)
    return [(name, value), (f"n_{name}", n)]


def _columns_of(kpi: Kpi) -> set[str]:
    return {term.replace(">", "<=").partition("<=")[0] for term in kpi.numerator + kpi.denominator}
