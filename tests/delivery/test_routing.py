"""Whom a notice goes to: by what its rule says, by team, and by who is on duty."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from floorpulse.delivery.config import Receivers
from floorpulse.delivery.messages import of_record_event, of_transition
from floorpulse.delivery.routing import receivers_of
from schemas.alerts import Transition
from schemas.records import RecordEvent
from schemas.registry import Floor, Queue, Registry, Site, Team

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
TEAMS = [
    Team(id="t0", site="main", lead="lead-0", manager="boss-0"),
    Team(id="t1", site="main", lead="lead-1", deputy="deputy-1", manager="boss-1"),
]
REGISTRY = Registry(Floor(teams=TEAMS))
PEOPLE = ("lead-0", "boss-0", "lead-1", "deputy-1", "boss-1")


def receivers(*off_duty: str) -> Receivers:
    """One receiver a person, of the same name; who is off duty is there in the night only."""
    there = [
        {"name": person, "person": person, "channel": "webhook", "url": "http://x", "secret": "S"} for person in PEOPLE
    ]
    night = {"from": "00:00", "to": "01:00"}
    return Receivers.model_validate({"receivers": there, "duty": {person: [night] for person in off_duty}})


def fired(**changes: Any) -> Transition:
    values: dict[str, Any] = {
        "alert": "x", "sequence": 1, "state": "firing", "reason": "breached", "at": NOON, "rule": "slow",
        "rule_version": 1, "subject": "agent:a1", "kpi": "aht_s", "window": "60m", "window_from": NOON,
        "window_to": NOON, "value": 500.0, "n": 3, "threshold": 300.0, "severity": "act", "opens": "coaching",
        "team": "t1", "site": "main", "started_at": NOON,
    }  # fmt: skip
    return Transition(**{**values, **changes})


def told(step: Transition, *off_duty: str) -> list[str]:
    return receivers_of(receivers(*off_duty), REGISTRY, of_transition(step))


@pytest.mark.parametrize(
    ("receiver", "off_duty", "expected"),
    [
        ("lead", [], "lead-1"),
        ("lead", ["lead-1"], "deputy-1"),
        ("deputy", [], "deputy-1"),
        ("deputy", ["deputy-1"], "lead-1"),
        ("manager", [], "boss-1"),
        ("manager", ["boss-1"], "lead-1"),
        ("manager", ["boss-1", "lead-1"], "deputy-1"),
    ],
)
def test_whom_the_rule_names_is_told_first(receiver: str, off_duty: list[str], expected: str) -> None:
    """When off duty, the others of the team in the order lead, deputy, manager."""
    assert told(fired(receiver=receiver), *off_duty) == [expected]


@pytest.mark.parametrize(("value", "shown"), [(None, "-"), (500.25, "500.2"), (0.0, "0")])
def test_a_notice_tells_value_limit_and_n(value: float | None, shown: str) -> None:
    """A value that is missing is no zero."""
    text = of_transition(fired(value=value)).text

    assert text == f"firing (act): slow, agent:a1: aht_s {shown} over 60m (limit 300, n 3)"


def test_only_a_case_that_opens_is_told() -> None:
    """What people do in it stands in the inbox."""
    entry = RecordEvent(
        stream="agent:a1", sequence=2, id="e2", kind="case_commented", at=NOON, by="lead", command="c2", record="case1",
        version=2, body={"text": "x"}, previous="h", hash="h2",
    )  # fmt: skip

    assert of_record_event(entry) is None


def test_an_opened_case_goes_to_whom_its_rule_names() -> None:
    """The ledger holds the step that opened it, so the role is known there too."""
    body = {"opens": "coaching", "transition": fired(receiver="manager").model_dump(mode="json")}
    entry = RecordEvent(
        stream="agent:a1", sequence=1, id="e1", kind="case_opened", at=NOON, by="rule:slow", command="c1",
        record="case1", version=1, body=body, previous="", hash="h",
    )  # fmt: skip

    notice = of_record_event(entry)

    assert notice is not None
    assert receivers_of(receivers(), REGISTRY, notice) == ["boss-1"]


def escalation(**body: Any) -> RecordEvent:
    return RecordEvent(
        stream="alert:x", sequence=1, id="e1", kind="alert_escalated", at=NOON, by="lead-1", command="c1", record="x",
        version=1, body={"reason": "third time today", **body}, previous="", hash="h",
    )  # fmt: skip


@pytest.mark.parametrize(("off_duty", "expected"), [([], "boss-1"), (["boss-1"], "lead-1")])
def test_an_escalated_alert_goes_to_the_floor_manager(off_duty: list[str], expected: str) -> None:
    """Whoever was told of the alert; with who handed it on, why, and what the alert says."""
    notice = of_record_event(escalation(transition=fired().model_dump(mode="json")))

    assert notice is not None
    assert receivers_of(receivers(*off_duty), REGISTRY, notice) == [expected]
    assert notice.what == "alert_escalated"
    assert notice.text == (
        "escalated by lead-1 (act, third time today): slow, agent:a1: aht_s 500 over 60m (limit 300, n 3)"
    )


@pytest.mark.parametrize(("receiver", "expected"), [("lead", "lead-1"), ("manager", "boss-1")])
def test_an_alert_about_a_team_goes_to_people_of_that_team(receiver: str, expected: str) -> None:
    """Its transition names no team beside its subject; another team of the site is not told."""
    assert told(fired(subject="team:t1", team="", receiver=receiver)) == [expected]


def test_an_alert_of_no_team_goes_to_a_manager_of_its_site() -> None:
    """A queue belongs to no team."""
    assert told(fired(subject="queue:help", team="")) == ["boss-0"]


NOWHERE = {"team": "", "site": "main"}
FLOOR_OF_MANILA = Registry(
    Floor(
        sites=[Site(id="mnl", timezone="Asia/Manila"), Site(id="ceb", timezone="Asia/Manila")],
        teams=[Team(id="t0", site="mnl", manager="boss-0"), Team(id="t1", site="ceb", manager="boss-1")],
        queues=[Queue(id="help", site="ceb", client="acme"), Queue(id="sales", site="mnl", client="zeta")],
    )
)


@pytest.mark.parametrize(("client", "expected"), [("acme", "boss-1"), ("zeta", "boss-0")])
def test_an_alert_of_a_client_goes_to_a_manager_where_its_queues_are(client: str, expected: str) -> None:
    """A client has no site of its own."""
    notice = of_transition(fired(subject=f"client:{client}", **NOWHERE))

    assert receivers_of(receivers(), FLOOR_OF_MANILA, notice) == [expected]


@pytest.mark.parametrize("subject", ["agent:acd:4711", "queue:new", "client:new"])
def test_an_alert_of_whom_the_roster_does_not_know_is_told_all_the_same(subject: str) -> None:
    """They count as at `main`, where a floor with sites of its own has nobody; hours are those of who is asked."""
    notice = of_transition(fired(subject=subject, **NOWHERE))
    there_by_day = Receivers.model_validate(
        {
            "receivers": receivers().model_dump()["receivers"],
            "duty": {"boss-0": [{"from": "08:00", "to": "18:00"}], "boss-1": [{"from": "19:00", "to": "21:00"}]},
        }
    )

    assert receivers_of(there_by_day, FLOOR_OF_MANILA, notice) == ["boss-1"]


def test_a_step_for_the_lead_has_the_bytes_that_it_had_before_there_was_a_choice() -> None:
    """All copies of a step are the same bytes, those of an earlier version included, and these read as the lead's."""
    before = fired().model_dump_json()

    assert "receiver" not in before
    assert Transition.model_validate_json(before) == fired(receiver="lead")
    assert Transition.model_validate_json(fired(receiver="manager").model_dump_json()).receiver == "manager"
