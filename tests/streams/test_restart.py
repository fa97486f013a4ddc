"""After a crash at any point the engine says and counts what it would have said and counted without it (P2, P3)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerting.judge import RuleJudge
from alerting.rules import RuleSet
from schemas.alerts import Judge, Transition
from schemas.controls import RegistryChanged, RulesApplied
from schemas.events import Activity, ContactHandled, ShiftPlanned, StateChanged
from schemas.registry import Floor, Registry, Site
from schemas.times import MINUTE_MS, from_ms
from streams.core.log import Contribution, Item, Revision
from streams.core.versions import version_of
from tests.alerting.views import rule
from tests.streams.floors import DAWN, Fact, facts, in_log, item_of
from tests.streams.judges import Notes
from tests.streams.oracle import DAY, Sent
from tests.streams.runs import STEPS, Run, new_engine, restarted
from tests.streams.shelf import EPOCH


def small_state(run: Run) -> dict[str, Any]:
    """The subjects' states as a restart would find them, without sums that came to 0."""
    bodies: dict[str, Any] = {}
    for key, subject in run.engine.subjects.items():
        body = subject.dump()
        days = {day: {c: v for c, v in sums.items() if v} for day, sums in body["days"].items()}
        rules = {rule: state for rule, state in body["rules"].items() if state["sequence"]}
        bodies[key] = {"days": {d: s for d, s in days.items() if s}, "rules": rules, "open": body["waiting"]}
        bodies[key]["time"] = [body["time"], sorted(body["plans"][1]), body["plans"][0]]
    return bodies


def said_since(run: Run, after: int) -> tuple[list[tuple[Transition, int]], list[Contribution]]:
    """What a run said beyond an offset; a mark that brings no sums says nothing of its own."""
    first = version_of(EPOCH, after)
    given = [contribution for contribution in run.given if contribution.version > first and contribution.sums]
    return [said for said in run.said if said[1] > first], given


def crash(run: Run, how: str) -> None:
    """The worker dies with a flush frozen: nothing of it is written, or everything but its checkpoint."""
    run.freeze()
    assert run.under_way is not None
    if how == "before_subjects":
        run.shelf.write(run.under_way, subjects=False)


def replayed(
    items: list[Item],
    steps: list[str],
    at: int,
    how: str,
    *,
    event_clock: bool,
    refold: bool = True,
    judge: Judge | None = None,
) -> tuple[Run, int]:
    """A run that dies after `at` items and goes on from its checkpoint; and that checkpoint."""
    run = Run(new_engine(event_clock=event_clock, judge=judge))
    run.fold(items[:1])
    run.finish()
    run.fold(items[1:at], steps)
    crash(run, how)
    after = restarted(run, refold=refold)
    boundary = after.engine.boundary
    after.fold(items[boundary + 1 :])
    after.finish()
    return after, boundary


def unbroken(items: list[Item], *, event_clock: bool, judge: Judge | None = None) -> Run:
    """The run without a crash, and without a flush before its end."""
    run = Run(new_engine(event_clock=event_clock, judge=judge))
    run.fold(items)
    run.finish()
    return run


@pytest.mark.parametrize("event_clock", [False, True])
@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    what=facts(12),
    steps=st.lists(st.sampled_from(STEPS), max_size=30),
    where=st.floats(0, 1),
    how=st.sampled_from(["nothing", "before_subjects"]),
)
def test_a_crash_changes_nothing(event_clock: bool, what: list[Fact], steps: list[str], where: float, how: str) -> None:
    """Same panes, same transitions with the same ids and sequences, same contributions, same small state."""
    items = [item_of(sent) for sent in in_log(what, event_clock=event_clock)]

    broken, boundary = replayed(items, steps, 1 + round(where * (len(items) - 1)), how, event_clock=event_clock)

    whole = unbroken(items, event_clock=event_clock)
    assert broken.panes() == whole.panes()
    assert small_state(broken) == small_state(whole)
    assert said_since(broken, -1) == said_since(whole, boundary)


def test_nobody_is_there_before_their_first_event() -> None:
    """
    A flush that broke off left panes of somebody new, and no body: what comes before their event is not about them.

        a1    checkpoint     rules     another zone     a2
        |-----|--------------|---------|----------------|--- panes written, crash
    """
    manila = Registry(Floor(sites=[Site(id="main", timezone="Asia/Manila")]), 1)
    records: list[tuple[RulesApplied | RegistryChanged, Registry]] = [
        (RulesApplied(at=from_ms(DAWN), revision=2), Registry(Floor())),
        (RegistryChanged(at=from_ms(DAWN), revision=1), manila),
    ]
    changes = [
        Item(offset, DAWN, b"", b"", record, revision=Revision(registry, Notes(), Notes()))
        for offset, (record, registry) in enumerate(records, start=1)
    ]
    items = [handled(0, 1), *changes, handled(3, 3, "a2")]

    broken, _ = replayed(items, [], 4, "before_subjects", event_clock=False)
    whole = unbroken(items, event_clock=False)

    assert broken.engine.subjects["agent:a2"].dump() == whole.engine.subjects["agent:a2"].dump()


def handled(number: int, minute: float, agent: str = "a1") -> Item:
    """A contact of an agent that ended then."""
    at = from_ms(DAWN + round(minute * MINUTE_MS))
    event = ContactHandled(source="acd", id=f"h{number}", at=at, contact="c", agent=agent, started_at=at, talk_s=30.0)
    return item_of(Sent(number, DAWN + round(minute * MINUTE_MS), event, 1))


def test_panes_above_the_checkpoint_would_count_twice_without_the_refold() -> None:
    """The negative control: what a broken flush left behind must be folded again as of the checkpoint."""
    items = [handled(number, 0.1 * number) for number in range(6)]

    right, _ = replayed(items, [], 4, "before_subjects", event_clock=False)
    wrong, _ = replayed(items, [], 4, "before_subjects", event_clock=False, refold=False)

    place = ("agent:a1", DAWN // MINUTE_MS, "", "voice")
    assert right.panes()[place].sums["handled"] == 6
    assert wrong.panes()[place].sums["handled"] == 9


def away(number: int, minute: float, state: Any = "away") -> Item:
    """a1 goes away then."""
    at = DAWN + round(minute * MINUTE_MS)
    event = StateChanged(source="acd", id=f"s{number}", at=from_ms(at), agent="a1", state=state)
    return item_of(Sent(number, at, event, 1))


def test_time_never_goes_back_over_a_restart() -> None:
    """A due instant that passed while nothing came of it is not gone through again."""
    #   08:00 away      08:05 ready      08:10 away would be due      08:20 crash
    run = Run(new_engine(event_clock=False))
    run.fold([away(0, 0), away(1, 5, "ready")])
    run.finish()
    run.fold([handled(2, 20)])
    run.finish()

    after = restarted(run)
    after.engine.apply(handled(3, 20.05))

    assert after.engine.clock == DAWN + round(20.05 * MINUTE_MS)
    assert [t.at for t, _ in after.engine.take_outbox().transitions if t.at < from_ms(DAWN + 20 * MINUTE_MS)] == []


def test_what_a_dead_worker_wrote_ahead_keeps_nobody_active() -> None:
    """
    Panes above the checkpoint are empty after the refold, and may be of minutes that have not come yet.

        08:00 ready | checkpoint | 12:26 told late: away since 10:46    22:46 the state ends    next day: crash

    Nobody alerts for a fact of hours ago while the agent is idle: nor must the replay.
    """
    late = away(2, 286.0)._replace(broker_ms=DAWN + 386 * MINUTE_MS)
    items = [away(0, 0, "ready"), handled(1, 0.5), late, handled(3, 32 * 60)]

    after, boundary = replayed(items, [], 4, "before_subjects", event_clock=False)

    assert boundary == 0
    assert after.said == unbroken(items, event_clock=False).said


def test_what_a_dead_worker_wrote_ahead_is_not_judged_as_time_begins() -> None:
    """
    A plan brings no time of the event clock, so the checkpoint may be of before there was any.

        plan of a2 | checkpoint    08:01 a2 is away    08:01:30 a1's first contact    crash, with a1's minute written
    """
    work = Activity(activity="work", starts_at=from_ms(DAWN), ends_at=from_ms(DAWN + MINUTE_MS))
    plan = ShiftPlanned(source="wfm", id="p", at=from_ms(DAWN), agent="a2", activities=[work])
    other = away(1, 1).record.model_copy(update={"agent": "a2"})  # type: ignore[union-attr]
    items = [item_of(Sent(n, DAWN + DAY, event, 1)) for n, event in enumerate([plan, other, handled(2, 1.5).record])]  # type: ignore[arg-type]
    once, twice = Notes(), Notes()
    unbroken(items, event_clock=True, judge=once)

    _, boundary = replayed(items, [], 3, "before_subjects", event_clock=True, judge=twice)

    assert boundary == 0
    assert set(twice.judged) == set(once.judged)


def rules(revision: int) -> RuleSet:
    """A rule on so many contacts in three days, or more."""
    keys = {"kpi": "handled", "window": "3d", "comparison": ">=", "threshold": revision, "pairs_with": None}
    return RuleSet(revision=revision, rules=(rule(id="days", **keys),))


def test_a_rule_over_days_that_was_changed_is_over_once() -> None:
    """Its episode ends while the agent is idle, and that is kept: a worker that starts does not end it again."""
    #   08:00 contact    00:15 fires    08:00 another rule    08:00:05 resolved    restart    09:00 contact
    registry, morning = Registry(Floor()), DAWN + DAY
    first = RuleJudge(rules(1), registry, 1)
    other = RuleJudge(rules(2), registry, 1, before=rules(1).rules)
    applied = RulesApplied(at=from_ms(morning), revision=2)
    run = Run(new_engine(event_clock=False, registry=registry, judge=first))
    run.fold([handled(0, 0), handled(1, 17 * 60, "a2")])
    run.finish()
    run.fold([Item(2, morning, b"", b"", applied, revision=Revision(registry, other, other)), handled(3, 1441, "a2")])
    run.finish()

    after = restarted(run)
    after.fold([handled(4, 1500), handled(5, 1501, "a2")])
    after.finish()

    said = [(step.rule, step.reason) for step, _ in run.said + after.said if step.subject == "agent:a1"]
    assert said == [("days", "breached"), ("days", "rule_changed")]
