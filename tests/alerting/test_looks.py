"""What a rule looks at is all that its KPI reads: the engine keeps, and watches, nothing else for it."""

from __future__ import annotations

import pytest

from alerting.plan import keys_of
from schemas.kpi_terms import DEFAULT_LIMITS, Codes
from schemas.kpis import KPIS, SERVICE_LEVEL_VARIANTS, Kpi, parts, service_level
from schemas.panes import ABANDONED_WITHIN, ANSWERED_WITHIN, COLUMNS

NAMES = (
    *(column.name for column in COLUMNS), *ANSWERED_WITHIN, *ABANDONED_WITHIN,
    "away:lunch", "away:training", "plan:W", "plan:We", "plan:Wg", "plan:B", "plan:Be", "plan:Bg", "plan:P",
    "plan:W/work", "plan:We/work", "plan:B/work", "plan:W/away/lunch", "plan:B/away/lunch", "task:keying",
    "taskms:keying",
)  # fmt: skip
FULL = {name: 1_000 + 37 * number for number, name in enumerate(NAMES)}
FORMS = {kpi.id: (kpi, kpi) for kpi in KPIS.values()} | {
    f"service_level {variant}": (KPIS["service_level"], service_level(variant)) for variant in SERVICE_LEVEL_VARIANTS
}


@pytest.mark.parametrize("name", FORMS)
def test_a_kpi_reads_nothing_but_what_its_rules_look_at(name: str) -> None:
    """Value and n are the same from the sums that are looked at as from all sums, in every form of a contract."""
    named, meant = FORMS[name]

    assert read(meant, looked_at(named)) == read(meant, FULL)


def looked_at(kpi: Kpi) -> dict[str, int]:
    """The sums that a rule on a KPI looks at."""
    keys = keys_of(kpi)
    prefixes = tuple(key for key in keys if key.endswith(":"))
    return {name: value for name, value in FULL.items() if name in keys or name.startswith(prefixes)}


def read(kpi: Kpi, sums: dict[str, int]) -> tuple[float, int]:
    """Numerator and n."""
    return parts(kpi, sums, DEFAULT_LIMITS, Codes())
