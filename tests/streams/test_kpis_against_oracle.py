"""Every KPI of the catalogue equals a plain recomputation from the events, to the last digit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import get_args
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.controls import Ticked
from schemas.kpi_terms import Limits
from schemas.kpis import KPIS, SERVICE_LEVEL_VARIANTS, Kpi, parts, service_level, value
from schemas.registry import Floor, Registry
from schemas.times import HOUR_MS, from_ms
from streams.core import identity
from streams.core.log import Item
from tests.streams.floors import item_of
from tests.streams.kpi_facts import By, Places, buckets, facts_of, slices
from tests.streams.kpi_floors import Story, stories
from tests.streams.kpi_oracle import Figure, Slice, Terms, figures
from tests.streams.oracle import Expected, Place
from tests.streams.runs import STEPS, Run, new_engine, restarted

LIMITS = [(20, 5), (5, 10), (60, 20)]
BERLIN = ZoneInfo("Europe/Berlin")
OF_QUEUES_BY_AGENTS = {
    "handled", "talk_ms", "hold_ms", "wrap_ms", "held", "short_calls", "transferred", "without_wrap", "capped",
    "capped_ms", "clamped", "accepted", "rejected", "rang_ms", "tickets_worked", "tickets_solved_by",
}  # fmt: skip
"""What an agent's pane says of its queue."""
KINDS: tuple[By, ...] = get_args(By)

Sums = dict[str, int]
Cell = tuple[str, str]
Shown = dict[str, tuple[float | None, int | None]]


def catalogue() -> dict[str, Kpi]:
    """Every KPI, and the service level in each of its forms."""
    return KPIS | {f"service_level_{variant}": service_level(variant) for variant in SERVICE_LEVEL_VARIANTS}


def items_of(story: Story, *, event_clock: bool) -> list[Item]:
    """The log of a story, with a tick at its end."""
    items = [item_of(sent) for sent in story.log(event_clock=event_clock)]
    return [*items, Item(len(items), story.end, b"", b"", Ticked(at=from_ms(story.end)))]


def run_of(story: Story, steps: list[str], restart_at: int, *, event_clock: bool) -> Run:
    """An engine over the log of a story that flushes at the steps and starts anew after `restart_at` (0: never)."""
    run = Run(new_engine(event_clock=event_clock, registry=Registry(story.floor)))
    items = items_of(story, event_clock=event_clock)
    run.fold(items[:restart_at], steps)
    if restart_at:
        run.finish()
        run = restarted(run)
    run.fold(items[restart_at:], steps)
    run.finish()
    return run


def sums_of(
    panes: dict[Place, Expected], places: Places, by: By, bucket_of: Callable[[int], str | None]
) -> dict[tuple[str, str], Sums]:
    """(group, bucket) -> sums of the panes that are the group's own."""
    found: dict[tuple[str, str], Sums] = defaultdict(lambda: defaultdict(int))
    for (subject, minute, queue, _), pane in panes.items():
        bucket = bucket_of(minute * 60_000)
        kind, _, name = subject.partition(":")
        group = group_of(places, by, kind, name, queue, minute * 60_000)
        if bucket is None or group is None:
            continue
        for column, total in pane.sums.items():
            if kind == "queue" or by not in {"queue", "client"} or column in OF_QUEUES_BY_AGENTS:
                found[group, bucket][column] += total
    return found


def group_of(places: Places, by: By, kind: str, name: str, queue: str, at: int) -> str | None:
    """The group that a pane belongs to; None for none."""
    if by in {"queue", "client"}:
        of_queue = name if kind == "queue" else queue
        return (of_queue if by == "queue" else places.of_queue("client", of_queue)) if of_queue else None
    if kind == "queue":
        return places.of_queue("site", name) if by == "site" else None
    return places.of_agent(by, name, at)


def ours(sums: Sums, limits: Limits, codes: object) -> Shown:
    """What the catalogue makes of sums."""
    return {
        name: (value(kpi, sums, limits, codes), parts(kpi, sums, limits, codes)[1] if kpi.denominator else None)  # type: ignore[arg-type]
        for name, kpi in catalogue().items()
    }


def first_difference(found: dict[Cell, Shown], expected: dict[Cell, Shown]) -> tuple[object, ...] | None:
    """(group and bucket, KPI, found, expected) of the first figure that differs; an absent row is one of zeros."""
    zeros = as_floats(figures(Slice(), Terms(Floor())))
    for at in sorted(found.keys() | expected.keys()):
        mine, theirs = found.get(at, zeros), expected.get(at, zeros)
        for name in theirs.keys() & mine.keys() if at in expected else mine:
            if mine[name] != theirs[name]:
                return at, name, mine[name], theirs[name]
    return None


def as_floats(found: dict[str, Figure]) -> Shown:
    """Figures rounded once, at the end."""
    return {name: (None if exact is None else float(exact), n) for name, (exact, n) in found.items()}


def test_the_oracle_knows_every_kpi_of_the_catalogue() -> None:
    """Whoever adds a KPI to the catalogue writes its plain recomputation."""
    assert set(figures(Slice(), Terms(Floor()))) == set(catalogue())


@pytest.mark.parametrize("event_clock", [False, True])
@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    story=stories(),
    steps=st.lists(st.sampled_from(STEPS), max_size=40),
    restart_at=st.integers(0, 30),
    by=st.sampled_from(KINDS),
    step_s=st.sampled_from([1_800, 86_400]),
    limits=st.sampled_from(LIMITS),
)
def test_every_kpi_equals_its_recomputation(  # noqa: PLR0917  hypothesis draws each by its name
    monkeypatch: pytest.MonkeyPatch,
    event_clock: bool,
    story: Story,
    steps: list[str],
    restart_at: int,
    by: By,
    step_s: int,
    limits: tuple[int, int],
) -> None:
    """By agent, team, queue, client and site, by half hour and day, whatever came twice, late, revised or void."""
    monkeypatch.setattr(identity, "REMEMBERED", 3)
    run = run_of(story, steps, restart_at, event_clock=event_clock)
    places, start = Places(story.floor), story.dawn - 2 * HOUR_MS
    bucket_of = buckets(BERLIN, step_s, start, start + 60 * HOUR_MS)
    terms, codes = Terms(story.floor, *limits), Registry(story.floor).codes

    happened = slices(facts_of(story.log(event_clock=event_clock), story.end), places, by, bucket_of)

    expected = {at: as_floats(figures(what, terms)) for at, what in happened.items()}
    sums = sums_of(run.panes(), places, by, bucket_of)
    found = {at: ours(held, Limits(*limits), codes) for at, held in sums.items()}
    assert first_difference(found, expected) is None
