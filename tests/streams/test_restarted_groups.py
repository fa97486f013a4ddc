"""Groups judged by real rules say the same, to the id, wherever a worker died in between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerting.judge import RuleJudge
from alerting.rules import Rule, RuleSet
from schemas.alerts import Transition
from schemas.registry import Floor, Registry
from schemas.times import MINUTE_MS
from streams.core.groups import GroupEngine
from streams.core.log import Contribution, Frozen, Revision
from tests.alerting.views import rule
from tests.streams.floors import DAWN
from tests.streams.judges import Notes
from tests.streams.test_groups import restarted_groups

MORNING = DAWN // MINUTE_MS
MIDNIGHT = 16 * 60
"""Minutes after 08:00."""
REGISTRY = Registry(Floor())
DAY = {"kpi": "handled", "subject": "team", "window": "day", "pairs_with": None}
SLOW = rule(subject="team", threshold=300, min_n=1, shift_hours={"from": "08:10", "to": "18:00"})
FEW = rule(comparison="<", threshold=1, **DAY)

Log = list[Contribution | Revision]
Given = dict[int, dict[str, int]]
SLOW_CALLS: dict[int, Given] = {0: {0: {"handled": 10, "talk_ms": 6_000_000}}}


def minutes(first: int, last: int, given: dict[int, Given] | None = None, step: int = 1) -> Log:
    """What a partition gives to team t1 as it passes minutes: mark -> minute -> sums."""
    return [_passed(mark, (given or {}).get(mark)) for mark in range(first, last + 1, step)]


def _passed(mark: int, given: Given | None) -> Contribution:
    absolute = {MORNING + minute: sums for minute, sums in (given or {}).items()}
    return Contribution(0, MORNING + mark, mark + 1, {"team:t1": absolute} if absolute else {})


def applied(*rules: Rule) -> Revision:
    """These rules hold from here on."""
    ruleset = RuleSet(revision=1, rules=rules)
    return Revision(REGISTRY, RuleJudge(ruleset, REGISTRY, 1), RuleJudge(ruleset, REGISTRY, 2))


def groups_with(*rules: Rule) -> GroupEngine:
    """Groups that are judged by these rules."""
    return GroupEngine(1, 1, REGISTRY, RuleJudge(RuleSet(rules=rules), REGISTRY, 2))


def taken(engine: GroupEngine, log: Log, first: int, after: int) -> tuple[list[Transition], list[Frozen]]:
    """Take some records of a log, with a flush after each; what came of it, and what was stored."""
    said, stored = [], []
    for offset, record in enumerate(log[first:after], first):
        if isinstance(record, Revision):
            engine.revise(offset, record)
        else:
            engine.apply(offset, [record])
        said += [transition for transition, _ in engine.take_outbox().transitions]
        stored.append(engine.freeze())
    return said, stored


def broken(rules: Sequence[Rule], log: Log, crash: int) -> list[Transition]:
    """What is said when the worker dies after so many records."""
    before = groups_with(*rules)
    said, stored = taken(before, log, 0, crash)
    return said + taken(restarted_groups(before, stored, log), log, crash, len(log))[0]


def unbroken(rules: Sequence[Rule], log: Log) -> list[Transition]:
    """What is said by a worker that lives."""
    return taken(groups_with(*rules), log, 0, len(log))[0]


def in_short(said: Sequence[Transition]) -> list[tuple[str, str]]:
    """(time of day, state) of each transition."""
    return [(f"{transition.at:%H:%M}", transition.state) for transition in said]


@pytest.mark.parametrize("crash", [1, 5, 9, 10, 11, 12, 17, 30])
def test_what_holds_when_the_shift_hours_begin_fires_then(crash: int) -> None:
    """A rule from 08:10 on: the slow calls of 08:00 are in the window still, and nothing else has to happen."""
    #   08:00 slow calls     08:10 the hours begin     09:01 out of the window
    log = minutes(0, 70, SLOW_CALLS)

    said = broken([SLOW], log, crash)

    assert said == unbroken([SLOW], log)
    assert in_short(said) == [("08:10", "firing"), ("09:01", "resolved")]


@pytest.mark.parametrize("crash", [1, 3, 5, 8, 9, 10])
def test_an_idle_group_is_judged_when_the_shift_hours_begin(crash: int) -> None:
    """Its windows are empty by then, its day is not; and however far time jumps, it is that instant."""
    #   08:00 call     09:00 idle     12:15 the hours begin     12:30 the next record
    late = rule(comparison=">=", threshold=1, shift_hours={"from": "12:15", "to": "18:00"}, **DAY)
    log = minutes(0, 600, {0: {0: {"handled": 1}}}, step=30)

    said = broken([late], log, crash)

    assert said == unbroken([late], log)
    assert in_short(said)[:1] == [("12:15", "firing")]


@pytest.mark.parametrize("crash", [1, 8, 29, 30, 31, 32, 33, 60])
def test_a_site_day_that_begins_is_judged_anew(crash: int) -> None:
    """A rule on too few contacts of the day: that of 23:37 is none of the new day's."""
    #   23:37 contact     00:00 another day     00:01 judged     00:37 idle
    start = MIDNIGHT - 30
    log = minutes(start, start + 70, {MIDNIGHT - 23: {MIDNIGHT - 23: {"handled": 1}}})

    said = broken([FEW], log, crash)

    assert said == unbroken([FEW], log)
    assert in_short(said) == [("00:01", "firing")]


@pytest.mark.parametrize("crash", [1, 42, 43, 69, 70, 71, 72])
def test_who_gave_and_took_back_is_active_for_as_long(crash: int) -> None:
    """The contact of 23:30 was void: without it the group would have been idle before the new day began."""
    #   22:50 contact     23:30 contact     23:31 void     23:50 idle but for that     00:00 another day
    start, kept, void = MIDNIGHT - 70, MIDNIGHT - 70, MIDNIGHT - 30
    given: dict[int, Given] = {kept: {kept: {"handled": 1}}, void: {void: {"handled": 1}}, void + 1: {void: {}}}
    log = minutes(start, start + 90, given)

    said = broken([FEW], log, crash)

    assert said == unbroken([FEW], log)
    assert in_short(said) == [("00:01", "firing")]


@pytest.mark.parametrize("crash", [1, 50, 110, 111, 115, 119, 120])
def test_what_has_left_every_window_wakes_no_group(crash: int) -> None:
    """A contact that is told more than an hour late is in the sums, and is judged with the next one that is not."""
    #   08:00 contact     09:01 idle     09:50 contact of 08:40     10:00 contact: the third of the day
    given: dict[int, Given] = {0: {0: {"handled": 1}}, 110: {40: {"handled": 1}}, 120: {120: {"handled": 1}}}
    two = rule(comparison=">=", threshold=2, **DAY)
    log = minutes(0, 125, given)

    said = broken([two], log, crash)

    assert said == unbroken([two], log)
    assert in_short(said) == [("10:01", "firing")]


@pytest.mark.parametrize("crash", [1, 19, 20, 21, 22, 23])
def test_rules_that_are_applied_are_judged_by_the_next_minute(crash: int) -> None:
    """Nothing else has to happen for them, and a worker that starts in between does not forget it."""
    #   08:00 slow calls     08:20 a rule on them     08:21 judged     08:31 out of a window
    slow = rule(subject="team", threshold=300, min_n=1)
    log = [*minutes(0, 19, SLOW_CALLS), applied(slow), *minutes(20, 40)]

    said = broken([], log, crash)

    assert said == unbroken([], log)
    assert in_short(said) == [("08:21", "firing")]


@pytest.mark.parametrize(
    ("applied_at", "expected"), [(80, [("09:31", "firing")]), (300, [])], ids=["holds it", "empty"]
)
@pytest.mark.parametrize("crash", [-40, -1, 0, 1, 2])
def test_a_longer_window_is_active_while_it_holds_something(
    applied_at: int, expected: list[tuple[str, str]], crash: int
) -> None:
    """What was idle under the rules before may not be so under these: that is asked at the time at which they come."""
    #   08:00 contact     09:01 idle     09:20 or 13:00 a rule on no contact for 90m     09:31 it has left them
    silent = rule(kpi="handled", subject="team", window="90m", comparison="<=", threshold=0, pairs_with=None)
    log = [*minutes(0, applied_at - 1, {0: {0: {"handled": 1}}}), applied(silent)]
    log += minutes(applied_at, applied_at + 30)

    said = broken([], log, applied_at + crash)

    assert said == unbroken([], log)
    assert in_short(said) == expected


def test_a_body_from_before_a_turn_was_kept_has_it_at_once() -> None:
    """It says neither whether the group has changed nor when it is due: the next minute judges it."""
    #   08:00 slow calls     08:07 start     08:08 judged: due at 08:10, the hours begin     08:16 out of a window
    log = minutes(0, 20, SLOW_CALLS)
    before = groups_with(SLOW)
    _, stored = taken(before, log, 0, 7)
    old = [replace(one, subjects=[replace(row, body=_as_before(row.body)) for row in one.subjects]) for one in stored]

    said, _ = taken(restarted_groups(before, old, log), log, 7, len(log))

    assert in_short(said) == [("08:10", "firing")]


def _as_before(body: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in body.items() if key in {"days", "rules"}}


@pytest.mark.parametrize("crash", [1, 3, 5, 6, 7, 15, 60, 62])
def test_a_restart_brings_nobodys_turn_forward(crash: int) -> None:
    """Who has not changed is not judged for it: each turn comes once, and when it would have come."""
    log = minutes(0, 70, {0: {0: {"handled": 1}}, 4: {3: {"handled": 2}}})
    once, twice = Notes(), Notes()
    taken(GroupEngine(1, 1, REGISTRY, once), log, 0, len(log))

    before = GroupEngine(1, 1, REGISTRY, twice)
    _, stored = taken(before, log, 0, crash)
    taken(restarted_groups(before, stored, log), log, crash, len(log))

    assert twice.judged == once.judged


RULES = (
    SLOW,
    FEW,
    rule(id="late", comparison=">=", threshold=2, shift_hours={"from": "12:15", "to": "03:00"}, **DAY),
    rule(id="lasting", comparison=">=", threshold=1, keep_firing_for="10m", **{**DAY, "window": "15m", "for": "3m"}),
)
SILENT = rule(id="silent", comparison="<=", threshold=0, **{**DAY, "window": "90m"})


@st.composite
def logs(draw: st.DrawFn) -> Log:
    """Two days of a team: contacts now, told late and taken back, hours in which nothing is, other rules."""
    log: Log = []
    mark = 0
    for _ in range(draw(st.integers(2, 25))):
        minute = mark - draw(st.sampled_from([0, 0, 0, 1, 40, 80]))
        sums = draw(st.sampled_from([None, None, {}, {"handled": 1}, {"handled": 2, "talk_ms": 1_200_000}]))
        log += minutes(mark, mark, {} if sums is None else {mark: {minute: sums}})
        if draw(st.integers(0, 9)) == 0:
            log.append(applied(*draw(st.sampled_from([RULES, (*RULES, SILENT), RULES[:1]]))))
        mark += draw(st.sampled_from([1, 1, 1, 1, 2, 10, 25, 61, 500]))
    return [*log, *minutes(mark + 100, mark + 100)]


@settings(max_examples=40, deadline=None)
@given(log=logs(), where=st.floats(0, 1))
def test_a_restart_anywhere_changes_nothing(log: Log, where: float) -> None:
    """The same for whatever happens."""
    assert broken(RULES, log, 1 + round(where * (len(log) - 1))) == unbroken(RULES, log)
