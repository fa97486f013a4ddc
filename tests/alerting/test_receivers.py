"""Who is told of an alert."""

from __future__ import annotations

from alerting.routing import receiver_of
from schemas.registry import Floor, Registry, Team
from tests.alerting.views import NINE, FakeView, OneSubject, handle_time, rule

TEAMS = [
    Team(id="t1", site="main", lead="lead1", deputy="deputy1", manager="boss1"),
    Team(id="t2", site="main", lead="lead2"),
    Team(id="t3", site="mnl", lead="lead3"),
]
REGISTRY = Registry(Floor(teams=TEAMS))


def test_lead_then_deputy_then_manager() -> None:
    """The lead is told; when off duty, the deputy, then the floor manager, then nobody."""
    off = [frozenset[str](), frozenset({"lead1"}), frozenset({"lead1", "deputy1"})]
    told = [receiver_of(REGISTRY, "lead", team="t1", site="main", off_duty=away) for away in off]

    assert told == ["lead1", "deputy1", "boss1"]
    assert receiver_of(REGISTRY, "lead", team="t2", site="main", off_duty=frozenset({"lead2"})) == ""


def test_rule_for_the_manager() -> None:
    """A rule may name the manager; a team without one is told through its lead."""
    assert receiver_of(REGISTRY, "manager", team="t1", site="main") == "boss1"
    assert receiver_of(REGISTRY, "manager", team="t2", site="main") == "lead2"


def test_alert_of_no_team() -> None:
    """An alert of a queue goes to a floor manager of its site, else to a lead there, else to nobody."""
    assert receiver_of(REGISTRY, "lead", team="", site="main") == "boss1"
    assert receiver_of(REGISTRY, "lead", team="", site="mnl") == "lead3"
    assert receiver_of(REGISTRY, "lead", team="", site="nowhere") == ""


def test_each_step_names_whom_its_rule_names() -> None:
    """When the alert fires and when it resolves; an edit of the rule counts from the next step on."""
    floor = OneSubject([rule(receiver="manager")], FakeView(by_window=handle_time(200)))
    floor.at(NINE)
    floor.applies([rule(receiver="deputy")])
    floor.view.by_window = handle_time(50)
    floor.at(NINE + 60_000)

    assert [(step.state, step.receiver) for step in floor.told] == [("firing", "manager"), ("resolved", "deputy")]
