"""
The terms of KPI formulas: what is summed from a pane, in Python for the engine and in SQL for the views.

A term is one of

- a column of a pane: `handled`;
- a count of waits: `answered<=T`, `abandoned>T`, `abandoned<=S`, with T the threshold of the service level and S the
  limit of a short abandon, both in seconds of `THRESHOLDS_S`;
- a derived sum of `DERIVED`, which needs what the registry says of reason codes and tasks (`Codes`);

each with a leading `-` where it is taken away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from schemas.panes import (
    ABANDONED_WITHIN,
    ANSWERED_WITHIN,
    AWAY_PREFIX,
    PLAN_PREFIX,
    TASK_PREFIX,
    TASK_TIME_PREFIX,
    THRESHOLDS_S,
    WORK_COLUMNS,
    Sums,
    within,
)

DEFAULT_THRESHOLD_S = 20
DEFAULT_SHORT_S = 5


@dataclass(frozen=True, slots=True)
class Codes:
    """What the registry says of reason codes and tasks; a code that it does not name is paid and not productive."""

    productive: frozenset[str] = frozenset()
    unpaid: frozenset[str] = frozenset()
    standards_ms: Mapping[str, int] = field(default_factory=dict)
    """Task -> standard time of one unit."""


NO_CODES = Codes()


@dataclass(frozen=True, slots=True)
class Limits:
    """The seconds that T and S stand for, each one of `THRESHOLDS_S`."""

    threshold_s: int = DEFAULT_THRESHOLD_S
    short_s: int = DEFAULT_SHORT_S


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Derived:
    """A sum that depends on the registry: the same formula in Python and in SQL."""

    words: str
    columns: tuple[str, ...]
    """The columns of `schemas.panes` (maps included) that it is made from."""
    of: Callable[[Sums, Codes], int]
    sql: str
    """Over the summed columns; `{productive}`, `{unpaid}` and `{standards}` stand for the registry's lists."""


def _away(sums: Sums, counts: Callable[[str], bool]) -> int:
    return sum(v for k, v in sums.items() if k.startswith(AWAY_PREFIX) and counts(k[len(AWAY_PREFIX) :]))


def _planned(sums: Sums) -> Iterable[tuple[list[str], int]]:
    """(key parts, ms) of the entries of `by_plan`: [class], [class, work], [class, away, reason]."""
    start = len(PLAN_PREFIX)
    return ((k[start:].split("/", 2), v) for k, v in sums.items() if k.startswith(PLAN_PREFIX))


def _planned_ms(sums: Sums, _codes: Codes) -> int:
    return sum(v for parts, v in _planned(sums) if len(parts) == 1 and parts[0] != "P")


def _planned_work_ms(sums: Sums, _codes: Codes) -> int:
    return sum(v for parts, v in _planned(sums) if len(parts) == 1 and parts[0][0] == "W")


def _is_adherent(parts: list[str], codes: Codes) -> bool:
    is_work = parts[1] == "work" or parts[2] in codes.productive
    return is_work == (parts[0][0] == "W")


def _adherent_ms(sums: Sums, codes: Codes) -> int:
    return sum(v for parts, v in _planned(sums) if len(parts) > 1 and _is_adherent(parts, codes))


def _graced_ms(sums: Sums, codes: Codes) -> int:
    total = 0
    for parts, ms in _planned(sums):
        zone = parts[0][1:]
        if len(parts) == 1:
            total += ms if zone == "e" else 0
        elif zone == "e":
            total -= 0 if _is_adherent(parts, codes) else ms
        elif zone == "g" or _is_adherent(parts, codes):
            total += ms
    return total


def _standard_ms(sums: Sums, codes: Codes) -> int:
    start = len(TASK_PREFIX)
    return sum(v * codes.standards_ms.get(k[start:], 0) for k, v in sums.items() if k.startswith(TASK_PREFIX))


def _timed_ms(sums: Sums, codes: Codes) -> int:
    start = len(TASK_TIME_PREFIX)
    timed = (k for k in sums if k.startswith(TASK_TIME_PREFIX) and k[start:] in codes.standards_ms)
    return sum(sums[k] for k in timed)


_REASON = "arrayStringConcat(arraySlice(splitByChar('/', k), 3), '/')"
_IS_WORK = f"(splitByChar('/', k)[2] = 'work' OR has({{productive}}, {_REASON}))"
_ADHERENT = f"({_IS_WORK} = startsWith(k, 'W'))"
_ZONE = "substring(splitByChar('/', k)[1], 2)"
_HELD = "position(k, '/') > 0"


def _over(column: str, counts: str) -> str:
    """Sum of the values of a map, each times an integer expression of its key `k`."""
    return f"toInt64(arraySum(arrayMap((k, v) -> toInt64(v) * ({counts}), mapKeys({column}), mapValues({column}))))"


DERIVED: dict[str, Derived] = {
    "paid_ms": Derived(
        "Time logged in without away time of unpaid reasons.",
        (*WORK_COLUMNS, "away_ms", "away_by_reason"),
        lambda sums, codes: (
            sum(sums.get(c, 0) for c in WORK_COLUMNS)
            + sums.get("away_ms", 0)
            - _away(sums, lambda reason: reason in codes.unpaid)
        ),
        f"toInt64({' + '.join(WORK_COLUMNS)} + away_ms) - " + _over("away_by_reason", "has({unpaid}, k)"),
    ),
    "productive_away_ms": Derived(
        "Time away for productive reasons (training, meetings).",
        ("away_by_reason",),
        lambda sums, codes: _away(sums, lambda reason: reason in codes.productive),
        _over("away_by_reason", "has({productive}, k)"),
    ),
    "paid_away_ms": Derived(
        "Paid time away, for whatever reason.",
        ("away_ms", "away_by_reason"),
        lambda sums, codes: sums.get("away_ms", 0) - _away(sums, lambda reason: reason in codes.unpaid),
        "toInt64(away_ms) - " + _over("away_by_reason", "has({unpaid}, k)"),
    ),
    "planned_ms": Derived(
        "Planned time of all activities.",
        ("by_plan",),
        _planned_ms,
        _over("by_plan", f"NOT ({_HELD}) AND k != 'P'"),
    ),
    "planned_work_ms": Derived(
        "Planned time of productive activities.",
        ("by_plan",),
        _planned_work_ms,
        _over("by_plan", f"NOT ({_HELD}) AND startsWith(k, 'W')"),
    ),
    "adherent_ms": Derived(
        "Planned time in which the agent was in the planned category: productive, or away for a reason that is not.",
        ("by_plan",),
        _adherent_ms,
        _over("by_plan", f"({_HELD}) AND {_ADHERENT}"),
    ),
    "graced_ms": Derived(
        "The same, with 2 min of grace at the start and the end of each activity.",
        ("by_plan",),
        _graced_ms,
        _over(
            "by_plan",
            f"multiIf(NOT ({_HELD}), toInt64({_ZONE} = 'e'), {_ZONE} = 'e', toInt64({_ADHERENT}) - 1,"
            f" toInt64({_ZONE} = 'g' OR {_ADHERENT}))",
        ),
    ),
    "task_standard_ms": Derived(
        "Units of tasks times the standard time of each.",
        ("units_by_task",),
        _standard_ms,
        "toInt64(arraySum(arrayMap((k, v) -> v * {standards}[k], mapKeys(units_by_task), mapValues(units_by_task))))",
    ),
    "task_timed_ms": Derived(
        "Time of the tasks that have a standard, ms.",
        ("ms_by_task",),
        _timed_ms,
        _over("ms_by_task", "mapContains({standards}, k)"),
    ),
}
"""
`by_plan` holds planned time by class: W (productive) or B (not), with `g` within the grace of a change between
activities and `e` within the grace of the shift's ends; `W/work` and `We/away/REASON` hold what the agent did in it.
"""

_BUCKETS = {"answered": ANSWERED_WITHIN, "abandoned": ABANDONED_WITHIN}


def term_value(term: str, sums: Sums, limits: Limits = DEFAULT_LIMITS, codes: Codes = NO_CODES) -> int:
    """The sum that a term stands for; ValueError for a threshold that is not counted."""
    if term.startswith("-"):
        return -term_value(term[1:], sums, limits, codes)
    if term in DERIVED:
        return DERIVED[term].of(sums, codes)
    column, sign, limit = _split(term)
    if not sign:
        return sums.get(column, 0)
    counted = within(sums, _BUCKETS[column], limits.threshold_s if limit == "T" else limits.short_s)
    return counted if sign == "<=" else sums.get(column, 0) - counted


def term_sql(term: str, threshold: str = "threshold_s", short: str = "short_s") -> str:
    """
    The term as SQL over a relation that has the summed columns, wait arrays and maps.

    `threshold` and `short` are the SQL of T and S in seconds.
    """
    if term.startswith("-"):
        return f"-({term_sql(term[1:], threshold, short)})"
    if term in DERIVED:
        return DERIVED[term].sql.format(**REGISTRY_SQL)
    column, sign, limit = _split(term)
    if not sign:
        return column
    edge = threshold if limit == "T" else short
    counted = f"arraySum(arraySlice({waits_of(term)[0]}, 1, indexOf({list(THRESHOLDS_S)}, {edge})))"
    return counted if sign == "<=" else f"({column} - {counted})"


REGISTRY_SQL = {
    "productive": "(SELECT groupArray(id) FROM reason_codes WHERE productive = 1)",
    "unpaid": "(SELECT groupArray(id) FROM reason_codes WHERE paid = 0)",
    "standards": "(SELECT CAST((groupArray(id), groupArray(standard_ms)), 'Map(String, UInt64)') FROM tasks)",
}
"""The registry's lists in SQL: views of `sinks/sql`."""


def columns_of(term: str) -> tuple[str, ...]:
    """The pane columns (maps included) that a term is made from."""
    term = term.removeprefix("-")
    if term in DERIVED:
        return DERIVED[term].columns
    return (_split(term)[0],)


def waits_of(term: str) -> tuple[str, ...]:
    """The array of counted waits that a term with a limit is made from."""
    column, sign, _limit = _split(term.removeprefix("-"))
    return (f"{column}_waits",) if sign else ()


def _split(term: str) -> tuple[str, str, str]:
    sign = "<=" if "<=" in term else ">" if ">" in term else ""
    column, _, limit = term.partition(sign) if sign else (term, "", "")
    return column, sign, limit
