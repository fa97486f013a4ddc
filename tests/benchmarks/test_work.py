"""The work that peers are given: its windows hold what the events say, so that nobody is fast by being wrong."""

from __future__ import annotations

from collections import defaultdict

from benchmarks.events import events_of
from benchmarks.work import WINDOWS, Fold, Workload, kpis_of, sums_of
from schemas.events import FloorEvent, encode, subject_of

EVENTS = 6_000
AGENTS = 30


def _minute(event: FloorEvent) -> int:
    return int(event.at.timestamp()) // 60


def _naive(events: list[FloorEvent], last: int) -> dict[str, list[tuple[float, ...]]]:
    """Subject -> the KPIs of each window that ends with a minute, summed from the events."""
    sums: dict[str, list[list[int]]] = defaultdict(lambda: [[0] * 8 for _ in WINDOWS])
    for event in events:
        for length, total in zip(WINDOWS, sums[subject_of(event)], strict=True):
            if last - length < _minute(event) <= last:
                total[:] = [a + b for a, b in zip(total, sums_of(event), strict=True)]
    return {subject: [kpis_of(total) for total in totals] for subject, totals in sums.items()}


def test_the_windows_equal_a_sum_over_the_events() -> None:
    """After several hours, for everybody who had an event in the last whole minute."""
    events = list(events_of(AGENTS, EVENTS))
    last = _minute(events[-1]) - 1
    whole = [event for event in events if _minute(event) <= last]
    fold = Fold()

    for event in events:
        fold.take(event)

    active = {subject_of(event) for event in whole if _minute(event) == last}
    expected = _naive(whole, last)
    assert active
    assert {subject: fold.latest[subject] for subject in active} == {subject: expected[subject] for subject in active}


def test_a_duplicate_counts_once() -> None:
    """The same fact sent again adds nothing."""
    (event,) = events_of(AGENTS, 1)
    workload = Workload("fold")

    for _ in range(2):
        workload.take(0, encode(event))

    assert workload.records == 2
    assert workload.said()["duplicates"] == 1
