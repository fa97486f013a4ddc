"""The SQL of panes given to the groups of the KPI views: which table, under which group, with which columns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from schemas.panes import AGENT_COLUMNS, MAPS, QUEUE_COLUMNS
from sinks.kpi_groups import OF_CONTACTS, TIMES, WAITS
from sinks.pane_sql import Span, of_minutes, of_quarters
from sinks.placement_sql import MINUTES_THAT_MOVE, QUARTERS_THAT_STAY, Placement

QUEUE_LISTS = "(SELECT (groupArray(queue), groupArray(client), groupArray(site)) FROM queue_sites) AS queues"
"""A scalar for the WITH of a query that gives queues to clients or sites."""

OF_AGENTS = frozenset({*AGENT_COLUMNS, *MAPS, TIMES})
OF_QUEUES = frozenset({*QUEUE_COLUMNS, *WAITS, TIMES})
OF_AGENTS_BY_QUEUE = frozenset({*OF_CONTACTS, TIMES})
"""The columns of panes: of agents, of queues, and of agents where they are given to queues."""

CLIENT_OF_QUEUE = "transform(queue, queues.1, queues.2, '')"
SITE_OF_QUEUE = "transform(queue, queues.1, queues.3, 'main')"


@dataclass(frozen=True, slots=True)
class Extra:
    """A further column of rows: its name and its SQL for quarter hours and for minutes."""

    name: str
    of_quarter: str
    of_minute: str


@dataclass(frozen=True, slots=True)
class Rows:
    """Which columns the rows of a query have, over which range, under which further condition."""

    span: Span
    wanted: tuple[str, ...]
    where: str = "1"
    extras: tuple[Extra, ...] = field(default=())


def agent_rows(rows: Rows, placement: Placement, *others: Placement) -> list[str]:
    """Agents' panes under people, teams or sites (joined with others for extras): of quarter hours, of minutes."""
    names = _listed(rows.wanted, OF_AGENTS)
    both = f"{placement.asked} AND {rows.where}"
    quarters = f"{of_quarters(rows.span)} AND {both} AND {QUARTERS_THAT_STAY}"
    minutes = f"{of_minutes(rows.span, MINUTES_THAT_MOVE)} AND {both}"
    extras = [(f"{e.of_quarter} AS {e.name}", f"{e.of_minute} AS {e.name}") for e in rows.extras]
    placements = (placement, *others)
    return [
        _placed(
            "quarter", [of_quarter for of_quarter, _ in extras], names, _from("agent_quarters", quarters), placements
        ),
        _placed("minute", [of_minute for _, of_minute in extras], names, _from("agent_minutes", minutes), placements),
    ]


def _placed(at: str, more: list[str], names: str, panes: str, placements: tuple[Placement, ...]) -> str:
    for placement in placements:
        panes = placement.join(panes)
    listed = ", ".join((f"{at} AS at", f"{placements[0].group} AS grp", *more, names))
    return f"SELECT {listed}\nFROM {panes}"


def _from(table: str, where: str) -> str:
    start = table.partition("_")[2].removesuffix("s")
    at_ms = f"toInt64(toUnixTimestamp({start})) * 1000 AS at_ms"
    return f"(SELECT *, {at_ms} FROM {table} FINAL WHERE {where}) AS panes"


def queue_rows(rows: Rows, group: str, asked: str) -> list[str]:
    """Panes of queues under what `group` makes of `queue`; `asked` lets a query for one group read less."""
    return _of_queues(rows, group, asked, "queue", OF_QUEUES)


def contact_rows(rows: Rows, group: str, asked: str) -> list[str]:
    """What agents' panes say of queues, under what `group` makes of `queue`."""
    return _of_queues(rows, group, f"queue != '' AND {asked}", "agent", OF_AGENTS_BY_QUEUE)


def _of_queues(rows: Rows, group: str, asked: str, owner: str, own: frozenset[str]) -> list[str]:
    names = _listed(rows.wanted, own)
    both = f"{asked} AND {rows.where}"
    quarters = _from(f"{owner}_quarters", f"{of_quarters(rows.span)} AND {both}")
    minutes = _from(f"{owner}_minutes", f"{of_minutes(rows.span)} AND {both}")
    return [
        f"SELECT quarter AS at, {group} AS grp, {names}\nFROM {quarters}",
        f"SELECT minute AS at, {group} AS grp, {names}\nFROM {minutes}",
    ]


def union(parts: Iterable[str]) -> str:
    """The rows of all parts."""
    return "\nUNION ALL\n".join(parts)


def summing(columns: Iterable[str], of: str = "") -> str:
    """The aggregates of summed columns, waits and maps, a line each; `of` names the relation that they stand in."""
    return ",\n".join(f"    {_aggregate(name)}({of}{name}) AS {name}" for name in columns)


def holds_something(columns: Iterable[str], of: str = "") -> str:
    """Whether a pane has any of these: what was taken back leaves zeros. `of` as in `summing`."""
    return f"{' + '.join(_total(f'{of}{name}', name) for name in columns)} > 0"


def _total(column: str, name: str) -> str:
    if name in WAITS:
        return f"arraySum({column})"
    return f"arraySum(mapValues({column}))" if name in MAPS else column


def _aggregate(name: str) -> str:
    if name in WAITS:
        return "sumForEach"
    return "sumMap" if name in MAPS else "sum"


def _listed(wanted: Iterable[str], own: frozenset[str]) -> str:
    """The columns that a pane has, and nothing for those that it has not."""
    return ", ".join(name if name in own else f"{_nothing(name)} AS {name}" for name in wanted)


def _nothing(name: str) -> str:
    if name in MAPS:
        return "CAST(map(), 'Map(LowCardinality(String), UInt64)')"
    return "CAST([], 'Array(UInt32)')" if name in (*WAITS, TIMES) else "toUInt64(0)"
