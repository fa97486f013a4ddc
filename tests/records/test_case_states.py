"""The steps of a case and of an alert: which are possible when, who may take them, what they lead to."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any, get_args

import pytest

from records.core.alerts import ALERT_STEPS, AlertStep, HandlingState
from records.core.coaching import STEPS, CaseState
from records.core.ledger import StreamState, answer
from schemas.alerts import Transition
from schemas.records import (
    COMMAND_ADAPTER,
    CaseKind,
    ChangeOfCase,
    Command,
    OpenCase,
    RecordEvent,
    case_id,
    open_command,
)
from schemas.times import to_ms

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
NOON_MS = to_ms(NOON)
CASE = case_id("alert-1")
PLAN = {"goal": "back within the hour", "target": 900.0, "actions": ["plan breaks"], "due": "2026-03-16"}
BODIES: dict[str, dict[str, Any]] = {
    "acknowledge_case": {},
    "plan_case": PLAN,
    "hold_session": {"shared_notes": "we looked at the day", "rating": 4},
    "close_case": {"outcome": "improved", "note": "steady for two weeks"},
    "comment_case": {"text": "agreed"},
    "acknowledge_alert": {},
    "snooze_alert": {"until": "2026-03-02T13:00:00Z"},
    "escalate_alert": {"reason": "the third time today"},
    "dismiss_alert": {"reason": "a training day"},
}
WAY_TO: dict[str, list[str]] = {
    "open": [],
    "proposed": [],
    "acknowledged": ["acknowledge_case"],
    "planned": ["acknowledge_case", "plan_case"],
    "session_held": ["acknowledge_case", "plan_case", "hold_session"],
    "closed": ["close_case"],
}


def fired(**changes: Any) -> Transition:
    values: dict[str, Any] = {
        "alert": "alert-1",
        "sequence": 1,
        "state": "firing",
        "reason": "breached",
        "at": NOON,
        "rule": "long-away",
        "rule_version": 1,
        "subject": "agent:a1",
        "kpi": "away_s",
        "window": "60m",
        "window_from": NOON,
        "window_to": NOON,
        "value": 1800.0,
        "n": 3,
        "threshold": 900.0,
        "severity": "act",
        "opens": "coaching",
        "team": "t1",
        "site": "main",
        "started_at": NOON,
    }
    return Transition(**{**values, **changes})


def opening(opens: CaseKind = "coaching", **changes: Any) -> OpenCase:
    command = open_command(fired(**changes), opens)
    assert command is not None
    return command


def step(kind: str, command: str = "", by: str = "lead-1", **values: Any) -> Command:
    fields = {"id": command or kind, "stream": "agent:a1", "record": CASE, "by": by, "kind": kind}
    return COMMAND_ADAPTER.validate_python({**fields, "body": BODIES[kind], **values})


def alert_step(kind: str, command: str = "", **values: Any) -> Command:
    return step(kind, command, **{"stream": "alert:alert-1", "record": None, **values})


def after(*commands: Command, stream: str = "agent:a1") -> tuple[StreamState, RecordEvent]:
    """The stream after commands, and the last entry."""
    state, last = StreamState(stream), None
    for index, command in enumerate(commands):
        state, entries = answer(state, command, NOON_MS + index)
        last = entries[-1]
    assert last is not None
    return state, last


def in_state(state: CaseState) -> list[Command]:
    """The commands that bring a case there."""
    first = opening("recognition" if state == "open" else "coaching")
    return [first, *(step(kind, f"way-{index}") for index, kind in enumerate(WAY_TO[state]))]


CASE_STEPS = [model.model_fields["kind"].default for model in get_args(ChangeOfCase)]
AFTER_STEP = {
    "acknowledge_case": "acknowledged",
    "plan_case": "planned",
    "hold_session": "session_held",
    "close_case": "closed",
}
POSSIBLE = {
    "open": {"close_case", "comment_case"},
    "proposed": {"acknowledge_case", "close_case", "comment_case"},
    "acknowledged": {"plan_case", "close_case", "comment_case"},
    "planned": {"plan_case", "hold_session", "close_case", "comment_case"},
    "session_held": {"plan_case", "hold_session", "close_case", "comment_case"},
    "closed": {"comment_case"},
}


@pytest.mark.parametrize("kind", CASE_STEPS)
@pytest.mark.parametrize("begin", get_args(CaseState))
def test_each_step_in_each_state_of_a_case(begin: CaseState, kind: str) -> None:
    """A possible step leads to its state with the next version; any other is refused and changes nothing."""
    before, _ = after(*in_state(begin))

    state, entry = after(*in_state(begin), step(kind, "the-step"))

    case, was = state.cases[CASE], before.cases[CASE]
    if kind in POSSIBLE[begin]:
        assert (case.state, case.version) == (AFTER_STEP.get(kind, begin), was.version + 1)
    else:
        assert (entry.kind, entry.body["reason"], case) == ("command_refused", "wrong_state", was)


def test_the_table_of_steps_covers_each_state() -> None:
    """No state is without its list of steps."""
    assert set(STEPS) == set(get_args(CaseState))
    assert set(ALERT_STEPS) == set(get_args(HandlingState))


def test_a_closed_case_tells_what_was_done() -> None:
    """Owner, plan, sessions and outcome stand in the case."""
    state, _ = after(*in_state("session_held"), step("close_case"))

    case = state.cases[CASE]

    assert (case.owner, case.sessions, case.outcome, case.plan) == ("lead-1", 1, "improved", PLAN)


def test_the_second_of_two_people_is_refused() -> None:
    """Both saw version 1; the second is told that the case changed meanwhile."""
    first = step("acknowledge_case", "one", by="lead-1", expected_version=1)
    second = step("close_case", "two", by="deputy-1", expected_version=1)

    state, entry = after(opening(), first, second)

    assert (entry.kind, entry.body["reason"], entry.version) == ("command_refused", "stale", 2)
    assert state.cases[CASE].state == "acknowledged"


@pytest.mark.parametrize("kind", CASE_STEPS)
def test_no_rule_works_on_a_case(kind: str) -> None:
    """P6: a rule opens a case; everything else is a person's."""
    _, entry = after(*in_state("planned"), step(kind, by="rule:long-away", at=NOON))

    assert (entry.kind, entry.body["reason"]) == ("command_refused", "not_by_rule")


def test_a_step_on_an_unknown_case_is_refused() -> None:
    """The refusal is an entry of the stream."""
    state, entry = after(step("close_case", record="nowhere"))

    assert (entry.body["reason"], state.sequence) == ("unknown_record", 1)


def test_an_open_case_takes_the_next_alert_as_evidence() -> None:
    """The same agent and the same KPI: one case, two alerts."""
    state, entry = after(opening(), opening(alert="alert-2", rule="long-away-day"))

    assert entry.kind == "evidence_added"
    assert [case.alerts for case in state.cases.values()] == [("alert-1", "alert-2")]


@pytest.mark.parametrize("other", [{"kpi": "aht_s"}, {"opens": "recognition"}])
def test_another_kpi_or_kind_has_a_case_of_its_own(other: dict[str, Any]) -> None:
    """Praise is no evidence of a coaching case."""
    state, entry = after(opening(), opening(alert="alert-2", **other))

    assert (entry.kind, len(state.cases)) == ("case_opened", 2)


def test_an_alert_in_a_closed_case_opens_nothing() -> None:
    """P3: one episode makes at most one record, even when it is asked for again by another command."""
    again = opening().model_copy(update={"id": "by-hand", "by": "lead-1", "at": None})

    state, entry = after(opening(), step("close_case"), again)

    assert (entry.kind, entry.body["reason"], entry.record) == ("command_refused", "already_recorded", CASE)
    assert len(state.cases) == 1


def test_a_new_alert_after_the_close_opens_a_new_case() -> None:
    """A closed case takes no evidence."""
    state, entry = after(opening(), step("close_case"), opening(alert="alert-2"))

    assert (entry.kind, len(state.cases)) == ("case_opened", 2)


def test_a_case_of_another_stream_is_refused() -> None:
    """The owner of a stream decides about that stream only."""
    _, entry = after(opening(subject="agent:a2").model_copy(update={"stream": "agent:a1"}))

    assert entry.body["reason"] == "wrong_stream"


@pytest.mark.parametrize(("state", "opens"), [("resolved", "coaching"), ("firing", "nothing")])
def test_only_a_firing_alert_that_opens_something_makes_a_command(state: str, opens: Any) -> None:
    """Resolved, or a rule that only alerts: no command."""
    assert open_command(fired(state=state), opens) is None


@pytest.mark.parametrize("name", ["two\nlines", "\n", "x" * 200])
def test_whoever_can_have_an_alert_can_have_a_case(name: str) -> None:
    """An id may hold whatever an event may: a worker that could not ask for the case would end, at each start again."""
    _, entry = after(opening(subject=f"agent:{name}"), stream=f"agent:{name}")

    assert (entry.kind, entry.stream) == ("case_opened", f"agent:{name}")


def test_the_instant_of_a_rules_command_is_that_of_its_transition() -> None:
    """A person's is the broker's time, a rule's its own: a replay of old days gives the same entries."""
    _, by_rule = after(opening())
    _, by_person = after(opening(), step("acknowledge_case"))

    assert to_ms(by_rule.at) == NOON_MS
    assert to_ms(by_person.at) == NOON_MS + 1


ALERT_POSSIBLE = {
    "new": {"acknowledge_alert", "snooze_alert", "escalate_alert", "dismiss_alert"},
    "acknowledged": {"snooze_alert", "escalate_alert", "dismiss_alert"},
    "snoozed": {"acknowledge_alert", "snooze_alert", "escalate_alert", "dismiss_alert"},
    "escalated": {"acknowledge_alert", "snooze_alert", "dismiss_alert"},
    "dismissed": set[str](),
}
ALERT_WAY_TO = {"new": [], "acknowledged": ["acknowledge_alert"], "snoozed": ["snooze_alert"]} | {
    "escalated": ["escalate_alert"],
    "dismissed": ["dismiss_alert"],
}


@pytest.mark.parametrize("kind", get_args(AlertStep))
@pytest.mark.parametrize("begin", get_args(HandlingState))
def test_each_step_in_each_state_of_an_alert(begin: HandlingState, kind: str) -> None:
    """A possible step is an entry with the next version; any other is refused."""
    way = [alert_step(first, "way") for first in ALERT_WAY_TO[begin]]

    state, entry = after(*way, alert_step(kind, "the-step"), stream="alert:alert-1")

    possible = kind in ALERT_POSSIBLE[begin]
    assert (entry.kind != "command_refused") == possible
    assert state.handling.version == len(way) + possible


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"expected_version": 3}, "stale"),
        ({"body": {"until": "2026-03-02T12:00:00Z"}}, "in_the_past"),
        ({"by": "rule:long-away", "at": NOON}, "not_by_rule"),
        ({"stream": "agent:a1"}, "wrong_stream"),
    ],
)
def test_a_snooze_that_cannot_be_is_refused(values: dict[str, Any], reason: str) -> None:
    """Another version, an instant that has passed, a rule, a stream that is no alert's."""
    _, entry = after(alert_step("snooze_alert", **values), stream=values.get("stream", "alert:alert-1"))

    assert (entry.kind, entry.body["reason"]) == ("command_refused", reason)


def test_the_due_day_is_a_day() -> None:
    """Plans are read back with their types."""
    command = step("plan_case")

    assert command.kind == "plan_case"
    assert command.body.due == date(2026, 3, 16)
