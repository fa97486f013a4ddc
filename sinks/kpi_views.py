"""
The SQL of the KPI views: sums of panes by group and bucket, and every KPI out of them by `schemas.kpis`.

The views are parameterised: `from` and `to` (UTC), `step_s` (0: the whole range as one bucket; else seconds that
divide a day; 86400: the local day), `zone`, `threshold_s` and `short_s` (T and S of the formulas), `only` (one group,
or '' for all). Buckets begin at local midnight and go on in steps; the last one ends at the next midnight, so that days
of 23 and 25 hours have no gap and nothing twice.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from schemas.kpi_terms import DERIVED, term_sql
from schemas.kpis import SERVICE_LEVEL_VARIANTS, Kpi, service_level, sql_parts, sql_value
from schemas.panes import THRESHOLDS_S
from sinks.group_sql import (
    CLIENT_OF_QUEUE,
    QUEUE_LISTS,
    SITE_OF_QUEUE,
    Rows,
    agent_rows,
    contact_rows,
    queue_rows,
    summing,
    union,
)
from sinks.kpi_groups import GROUPS, TIMES, By, Group
from sinks.pane_sql import CLEAN, QUARTER_S, Span
from sinks.placement_sql import Placement, movers

_FROM, _TO = (f"toDateTime({{{name}:DateTime64(3, 'UTC')}}, 'UTC')" for name in ("from", "to"))
_STEP, _ZONE, _ONLY = "{step_s:UInt32}", "{zone:String}", "{only:String}"
_T, _S = "{threshold_s:UInt32}", "{short_s:UInt32}"
_WHOLE_ZONE = f"timezoneOffset(toDateTime({_FROM}, {_ZONE})) % {QUARTER_S} = 0"
_SPAN = Span(_FROM, _TO, f"{_STEP} % {QUARTER_S} = 0 AND {_WHOLE_ZONE}")

_PLACEMENTS: dict[By, Placement] = {
    "agent": Placement("people", "panes.agent", "''", _ONLY),
    "team": Placement("teams", "''", "''", _ONLY),
    "site": Placement("sites", "'main'", "'main'", _ONLY),
}
_OF_QUEUE: dict[By, tuple[str, str]] = {
    "queue": ("toString(queue)", f"({_ONLY} = '' OR queue = {_ONLY})"),
    "client": (CLIENT_OF_QUEUE, "1"),
    "site": (SITE_OF_QUEUE, "1"),
}
"""Kind -> SQL of the group of a queue, condition that lets a query for one group read less."""


def kpi_view(by: By) -> str:
    """The SELECT of the view `kpi_<by>`: every KPI and every sum of the group."""
    group = GROUPS[by]
    return _select(Figures(group, tuple(_kpis(group)), quantiles=True))


def kpi_select(by: By, figures: Iterable[str]) -> str:
    """
    The same SELECT for some figures of `kpi_columns` only, over the sums that these need.

    The whole view takes ClickHouse longer to plan than a month of a floor takes it to read.
    """
    wanted = set(figures)
    group = GROUPS[by]
    kpis = tuple(kpi for kpi in _kpis(group) if kpi.id in wanted)
    needed = {name for kpi in kpis for name in kpi.columns} | {name for kpi in kpis for name in kpi.counted_waits}
    columns, waits, maps = (
        tuple(name for name in names if name in needed) for names in (group.columns, group.waits, group.maps)
    )
    return _select(Figures(replace(group, columns=columns, waits=waits, maps=maps), kpis))


@dataclass(frozen=True, slots=True)
class Figures:
    """What a SELECT gives of each group and bucket."""

    group: Group
    """Its sums are the columns that are read."""
    kpis: tuple[Kpi, ...]
    quantiles: bool = False
    """Whether the quantiles of the handle time too."""


def _select(wanted: Figures) -> str:
    group = wanted.group
    columns = [
        f"SELECT grp AS {group.kind}",
        f"    toDateTime(opened_s, {_ZONE}) AS opened_at",
        f"    toDateTime({_closed()}, {_ZONE}) AS closed_at",
        *(f"    {column}" for column in group.sums),
        *(f"    {sql} AS {name}" for name, sql in _figures(wanted)),
    ]
    return "\n".join(
        [
            f"WITH {_scalars(group)}",
            _listed(columns),
            f"FROM (\nSELECT {_derived(wanted.kpis)}\nFROM (\n{_sums(wanted)}\n)\n)",
            f"WHERE {_refused('threshold_s', _T)}",
            f"  AND {_refused('short_s', _S)}",
            f"  AND throwIf({_STEP} > 86400 OR ({_STEP} > 0 AND 86400 % greatest({_STEP}, 1) != 0),",
            "    'step_s: expected 0 or seconds that divide a day of 86400') = 0",
        ]
    )


def _listed(columns: Iterable[str]) -> str:
    return ",\n".join(columns)


def _refused(name: str, value: str) -> str:
    listed = ", ".join(map(str, THRESHOLDS_S))
    return f"throwIf(indexOf([{listed}], {value}) = 0, '{name}: expected one of {listed}') = 0"


def _scalars(group: Group) -> str:
    scalars = [CLEAN]
    if group.kind in _PLACEMENTS:
        scalars.append(movers(_SPAN))
    if group.kind in {"client", "site"}:
        scalars.append(QUEUE_LISTS)
    return ",\n".join(scalars)


def _sums(wanted: Figures) -> str:
    opened = f"toUInt32(if({_STEP} = 0, {_seconds(_FROM)}, greatest({_start()}, {_seconds(_FROM)}))) AS opened_s"
    lines = ["SELECT grp", f"    {opened}"]
    if wanted.group.sums:
        lines.append(summing(wanted.group.sums))
    if wanted.quantiles:
        lines.append(f"    quantilesExactArray(0.5, 0.9)({TIMES}) AS handle_quantiles_ms")
    return f"""{_listed(lines)}
FROM (
{union(_rows(wanted))}
)
WHERE ({_ONLY} = '' OR grp = {_ONLY})
GROUP BY grp, opened_s"""


def _rows(wanted: Figures) -> list[str]:
    group = wanted.group
    rows = Rows(_SPAN, (*group.sums, TIMES) if wanted.quantiles else group.sums)
    parts = []
    if group.kind in _PLACEMENTS:
        parts += agent_rows(rows, _PLACEMENTS[group.kind])
    else:
        parts += contact_rows(rows, *_OF_QUEUE[group.kind])
    if group.kind in _OF_QUEUE:
        parts += queue_rows(rows, *_OF_QUEUE[group.kind])
    return parts


def _seconds(instant: str) -> str:
    return f"toUnixTimestamp({instant})"


def _start() -> str:
    """The start of the bucket of a pane."""
    midnight = f"toUnixTimestamp(toStartOfDay(at, {_ZONE}))"
    step = f"greatest({_STEP}, 1)"
    within = f"{midnight} + intDiv(toUnixTimestamp(at) - {midnight}, {step}) * {step}"
    return f"if({_STEP} = 86400, {midnight}, {within})"  # a day of 25 hours is one bucket


def _closed() -> str:
    """The end of a bucket: a step after its start, at the latest at the next midnight or the end of the range."""
    local = f"toDateTime(opened_s, {_ZONE})"
    midnight = f"toUnixTimestamp(toStartOfDay({local}))"
    next_midnight = f"toUnixTimestamp(toDateTime(toDate({local}) + 1, {_ZONE}))"
    step = f"greatest({_STEP}, 1)"
    end = f"{midnight} + (intDiv(opened_s - {midnight}, {step}) + 1) * {step}"
    bucket = f"if({_STEP} = 86400, {next_midnight}, least({end}, {next_midnight}))"
    return f"toUInt32(if({_STEP} = 0, {_seconds(_TO)}, least({bucket}, {_seconds(_TO)})))"


def _derived(kpis: Iterable[Kpi]) -> str:
    """Everything, and each term that is no plain column, once, under a name."""
    terms = {term.removeprefix("-") for kpi in kpis for term in kpi.numerator + kpi.denominator}
    named = [f"{term_sql(term, _T, _S)} AS {_named(term)}" for term in sorted(terms) if _named(term) != term]
    return _listed(["*", *named])


def _named(term: str) -> str:
    """The column that holds a term: the term itself, or where it has to be made first, a name for it."""
    if term in DERIVED:
        return f"sum_of_{term}"
    return term.replace("<=", "_within_").replace(">", "_beyond_")


def _short(kpi: Kpi) -> Kpi:
    """The same KPI over the names of its terms."""
    return replace(
        kpi, numerator=tuple(map(_named_term, kpi.numerator)), denominator=tuple(map(_named_term, kpi.denominator))
    )


def _named_term(term: str) -> str:
    return f"-{_named(term[1:])}" if term.startswith("-") else _named(term)


def _kpis(group: Group) -> list[Kpi]:
    """The group's KPIs, the service level in all its variants."""
    kpis = list(group.kpis().values())
    if "service_level" in group.kpis():
        kpis += [replace(service_level(v), id=f"service_level_{v}") for v in SERVICE_LEVEL_VARIANTS]
    return kpis


def _figures(wanted: Figures) -> list[tuple[str, str]]:
    """(column, SQL) of each KPI with its n."""
    found: list[tuple[str, str]] = []
    for kpi in map(_short, wanted.kpis):
        if kpi.denominator:
            _top, bottom = sql_parts(kpi)
            found += [(kpi.id, sql_value(kpi)), (f"n_{kpi.id}", f"toInt64({bottom})")]
        elif kpi.id not in wanted.group.columns:
            found.append((kpi.id, sql_value(kpi)))
    return found + [
        (f"handle_p{part}_s", f"if(handled = 0, NULL, handle_quantiles_ms[{place}] / 1000)")
        for place, part in enumerate((50, 90), start=1)
        if wanted.quantiles
    ]
