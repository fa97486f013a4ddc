"""The sums behind a plot: each KPI comes out of what is read for it as it does out of all that was counted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from floorpulse.web.figures import total
from floorpulse.web.plots import plot_of, row_of
from floorpulse.web.queries import SeriesQuestion, series
from schemas.kpi_terms import Codes
from schemas.kpis import KPIS, SERVICE_LEVEL_VARIANTS, Kpi, service_level, value
from schemas.panes import (
    ABANDONED_WITHIN,
    AGENT_COLUMNS,
    ANSWERED_WITHIN,
    MAPS,
    QUEUE_COLUMNS,
    WAIT_BUCKETS,
    Sums,
)
from schemas.times import DAY_MS, MINUTE_MS, from_ms
from sinks.registry import load_registry
from tests.sinks.rolling import rolled_up

CODES = Codes(productive=frozenset({"training"}), unpaid=frozenset({"lunch"}), standards_ms={"keying": 60_000})
KEYS: dict[str, Sequence[str]] = {
    "away_by_reason": ("lunch", "training", "coffee"),
    "by_plan": ("W", "We", "B", "P", "W/work", "We/away/coffee", "W/away/training", "B/away/lunch"),
    "units_by_task": ("keying", "filing"),
    "ms_by_task": ("keying", "filing"),
}
ALL_KPIS = [*KPIS.values(), *map(service_level, SERVICE_LEVEL_VARIANTS)]


def of_agent(step: int) -> dict[str, Any]:
    """A number of its own for each column of an agent's pane, and for each key of its maps."""
    columns: dict[str, Any] = {column: step * (place + 7) for place, column in enumerate(AGENT_COLUMNS)}
    return columns | {column: {key: step * (place + 3) for place, key in enumerate(KEYS[column])} for column in MAPS}


def of_queue(step: int) -> dict[str, Any]:
    """A number of its own for each column of a queue's pane, and for each of its waits."""
    columns: dict[str, Any] = {column: step * (place + 50) for place, column in enumerate(QUEUE_COLUMNS)}
    waits = [step * (place + 1) for place in range(WAIT_BUCKETS)]
    return columns | {"answered_waits": waits, "abandoned_waits": waits[::-1]}


def sums_of(columns: dict[str, Any]) -> Sums:
    """A pane as the engine holds it: maps and waits by their prefixes."""
    sums = {column: amount for column, amount in columns.items() if isinstance(amount, int)}
    for column, (prefix, _) in MAPS.items():
        sums |= {f"{prefix}{key}": amount for key, amount in columns.get(column, {}).items()}
    for column, names in (("answered_waits", ANSWERED_WITHIN), ("abandoned_waits", ABANDONED_WITHIN)):
        sums |= zip(names, columns.get(column, ()), strict=False)
    return sums


@pytest.mark.parametrize(("zone", "is_rolled"), [("", False), ("UTC", False), ("UTC", True)])
def test_each_kpi_of_a_plot_is_that_of_all_sums(stored_floor: Any, zone: str, is_rolled: bool) -> None:
    """What a plot leaves unread, its KPI does not need: by minutes, and by days out of minutes or quarter hours."""
    start = stored_floor.now_ms - stored_floor.now_ms % DAY_MS - DAY_MS
    for step in (1, 2):
        stored_floor.agent_minute("a0412", start + step * MINUTE_MS, **of_agent(step))
        stored_floor.queue_minute("billing", start + step * MINUTE_MS, **of_queue(step))
    if is_rolled:
        rolled_up(stored_floor.client)
    counted = {
        "agent": total(sums_of(of_agent(step)) for step in (1, 2)),
        "queue": total(sums_of(of_queue(step)) for step in (1, 2)),
    }

    def shown(kpi: Kpi, owner: str) -> float | None:
        who = {"agent": "a0412", "queue": "billing"}[owner]
        question = SeriesQuestion(owner, owner, [who], start, start + DAY_MS, zone)
        return value(kpi, total(row.sums for row in series(stored_floor.client, question, kpi)), codes=CODES)

    read = [(kpi.id, owner, shown(kpi, owner)) for kpi in ALL_KPIS for owner in counted]

    assert read == [(kpi.id, owner, value(kpi, counted[owner], codes=CODES)) for kpi in ALL_KPIS for owner in counted]


@pytest.mark.parametrize(("subject", "most"), [("team:aster", 7), ("team:briar", 5), ("site:cebu", 5)])
@pytest.mark.parametrize(("window", "is_rolled"), [("30m", False), ("30m", True), ("1d", True)])
def test_a_plot_has_who_was_there_then(
    stored_floor: Any, fired: Any, subject: str, most: int, window: str, *, is_rolled: bool
) -> None:
    """
    Whoever changes the team takes nothing along, and leaves nothing behind.

        aster   7 |
        briar     | 5
                  noon
    """
    noon = stored_floor.now_ms - stored_floor.now_ms % DAY_MS - DAY_MS // 2
    moved = from_ms(noon if window != "1d" else noon + DAY_MS // 2)
    second = noon + (DAY_MS if window == "1d" else 2 * MINUTE_MS)
    stays = [{"team": "aster", "valid_to": moved}, {"team": "briar", "valid_from": moved}]
    teams = [{"id": "aster"}, {"id": "briar", "site": "cebu"}]
    stored_floor.registry(sites=[{"id": "cebu"}], teams=teams, people=[{"id": "a0412", "teams": stays}])
    stored_floor.agent_minute("a0412", noon - 2 * MINUTE_MS, handled=7)
    stored_floor.agent_minute("a0412", second, handled=5)
    if is_rolled:
        rolled_up(stored_floor.client)
    step = fired(noon + 8 * MINUTE_MS, subject=subject, kpi="handled", window=window)
    registry = load_registry(stored_floor.client)

    plot = plot_of(stored_floor.client, row_of(step), {}, registry, second + 9 * MINUTE_MS)

    assert plot is not None
    assert max(plot["y"]) == most


def test_the_plot_of_a_client_has_queues_that_only_agents_tell_of(stored_floor: Any, fired: Any) -> None:
    """Nobody waits in the queue of a campaign, and what agents handle of it is its client's all the same."""
    stored_floor.registry(queues=[{"id": "campaign", "client": "acme"}, {"id": "billing", "client": "bolt"}])
    noon = stored_floor.now_ms - stored_floor.now_ms % DAY_MS - DAY_MS // 2
    stored_floor.agent_minute("a0412", noon, queue="campaign", handled=7)
    stored_floor.agent_minute("a0388", noon, handled=5)
    step = fired(noon + 8 * MINUTE_MS, subject="client:acme", kpi="handled", window="30m")

    plot = plot_of(stored_floor.client, row_of(step), {}, load_registry(stored_floor.client), noon + 9 * MINUTE_MS)

    assert plot is not None
    assert max(plot["y"]) == 7


def test_the_plot_of_a_shift_begins_with_its_first_whole_minute(stored_floor: Any, fired: Any) -> None:
    """
    A shift may begin within a minute: that one counts before it, as in the windows of the engine.

        11:59 | 3
        shift  30 s
        12:01     | 7
    """
    noon = stored_floor.now_ms - stored_floor.now_ms % DAY_MS - DAY_MS // 2
    stored_floor.agent_minute("a0412", noon, handled=3)
    stored_floor.agent_minute("a0412", noon + MINUTE_MS, handled=7)
    began = from_ms(noon + MINUTE_MS // 2)
    step = fired(noon + 8 * MINUTE_MS, kpi="handled", window="shift", window_from=began)

    plot = plot_of(stored_floor.client, row_of(step), {}, load_registry(stored_floor.client), noon + 9 * MINUTE_MS)

    assert plot is not None
    assert (plot["x"][0], plot["y"][0]) == (noon // 1000 + 120, 7)
    assert plot["over"] == "since the start of the shift"
