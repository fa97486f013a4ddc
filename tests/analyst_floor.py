"""The small floor of docs/query: one morning of three agents and three queues, on 2 March 2026 in Berlin."""

from __future__ import annotations

import json
from typing import Any

from clickhouse_connect.driver.client import Client

from schemas.events import (
    Activity,
    ContactAbandoned,
    ContactAccepted,
    ContactAnswered,
    ContactFlowedOut,
    ContactHandled,
    ContactOffered,
    ContactRejected,
    FloorEvent,
    QualityScored,
    ShiftPlanned,
    StateChanged,
    SurveyAnswered,
    TaskTimed,
    TicketChanged,
)
from schemas.registry import (
    Floor,
    Hours,
    Membership,
    Person,
    Queue,
    ReasonCode,
    ServiceLevelGoal,
    Site,
    Task,
    Team,
)
from tests.known_floor import instant, tell

FLOOR = Floor(
    sites=[Site(id="main", timezone="Europe/Berlin")],
    teams=[Team(id="t1"), Team(id="t2")],
    queues=[
        Queue(id="sales", client="acme"),
        Queue(
            id="help",
            client="acme",
            service_level=ServiceLevelGoal(variant=1, threshold_s=30),
            hours=[Hours(days=["mon", "tue", "wed", "thu", "fri"], opens="09:00", closes="17:00")],
        ),
        Queue(id="fleet", client="bolt"),
    ],
    people=[
        Person(id="ann", teams=[Membership(team="t1")]),
        Person(id="bob", teams=[Membership(team="t1")]),
        Person(id="cyd", teams=[Membership(team="t2")]),
    ],
    reason_codes=[ReasonCode(id="lunch", paid=False), ReasonCode(id="training", productive=True)],
    tasks=[Task(id="keying", standard_s=60)],
)

STATES = {
    "ann": "08:00 ready, 08:10 on_contact, 08:15 wrap, 08:16 ready, 08:29 on_contact, 08:34 wrap, 08:36 ready,"
    " 09:00 away lunch, 09:30 ready, 10:00 offline",
    "bob": "08:00 ready, 08:20 on_contact, 08:24 ready, 08:30 away training, 09:00 ready, 09:05 on_contact,"
    " 09:15 wrap, 09:17 ready, 10:00 offline",
    "cyd": "08:00 ready, 08:40 on_contact, 08:41 ready, 10:00 offline",
}


def put_analyst_floor(client: Client) -> None:
    """Fold and store the morning; times are UTC, an hour behind Berlin."""
    tell(client, [*_contacts(), *_agents(), *_voices(), *_tickets()], FLOOR, ended_at="2026-03-03T10:00")
    _put_alerts(client)
    _put_letters(client)


def _contacts() -> list[FloorEvent]:
    """What customers did: seven calls on Monday, one on Tuesday."""
    return [
        *_call("c1", "sales", "k1", "08:09:50", "08:10", "ann", "08:16", talk_s=300, wrap_s=60),
        *_call("c2", "sales", "k2", "08:28", "08:29", "ann", "08:36", talk_s=240, hold_s=60, wrap_s=120),
        *_call("c3", "sales", "k3", "08:19:45", "08:20", "bob", "08:24", talk_s=240, transferred=True),
        *_call("c6", "help", "k5", "08:45", "09:05", "bob", "09:17", talk_s=600, wrap_s=120),
        *_call("c7", "fleet", "k6", "08:39:55", "08:40", "cyd", "08:41", talk_s=8, wrap_s=52),
        _offered("c4", "sales", "k4", "08:25"),
        ContactAbandoned(**_of("c4", "sales", "08:25:04"), waited_s=4),
        _offered("c5", "sales", "k1", "08:31"),
        ContactAbandoned(**_of("c5", "sales", "08:33"), waited_s=120),
        _offered("c6", "sales", "k5", "08:40"),
        ContactFlowedOut(**_of("c6", "sales", "08:45"), waited_s=300, why="overflow", to="help"),
        _offered("c8", "help", None, "09:58"),
        ContactRejected(**_of("c2", "sales", "08:28:20"), agent="bob", rang_s=20),
        _offered("c9", "help", "k3", "2026-03-03T09:00"),
        ContactAbandoned(**_of("c9", "help", "2026-03-03T09:00:30"), waited_s=30),
        ContactAbandoned(**_of("c8", "help", "10:01"), waited_s=180),
    ]


def _agents() -> list[FloorEvent]:
    """What agents did, and what was planned for two of them."""
    told: list[FloorEvent] = []
    for agent, changes in STATES.items():
        for number, change in enumerate(changes.split(", ")):
            at, state, *reason = change.split()
            fields: dict[str, Any] = {"state": state, "reason": reason[0] if reason else None}
            told.append(StateChanged(source="acd", id=f"{agent}-{number}", at=instant(at), agent=agent, **fields))
    lunch = [
        _activity("work", "08:00", "09:00"),
        _activity("lunch", "09:00", "09:30"),
        _activity("work", "09:30", "10:00"),
    ]
    told.append(ShiftPlanned(source="wfm", id="p1", at=instant("08:00"), agent="ann", activities=lunch))
    work = [_activity("work", "07:45", "09:45")]
    told.append(ShiftPlanned(source="wfm", id="p2", at=instant("07:45"), agent="cyd", activities=work))
    told.append(TaskTimed(source="crm", id="k", at=instant("09:40"), agent="cyd", task="keying", seconds=400, units=5))
    return told


def _voices() -> list[FloorEvent]:
    """What evaluators and customers said; the first evaluation was corrected."""
    scored: dict[str, Any] = {"source": "qa", "agent": "ann", "contact": "c1"}
    return [
        QualityScored(**scored, id="s1", at=instant("09:10"), score=88),
        QualityScored(**scored, id="s1", at=instant("09:10"), score=92, revision=1),
        QualityScored(source="qa", id="s2", at=instant("09:20"), agent="bob", contact="c3", score=80, fatal=True),
        SurveyAnswered(**_survey("c1", "09:00"), csat=5, nps=9, resolved=True),
        SurveyAnswered(**_survey("c2", "09:30"), csat=3, nps=6, resolved=False),
    ]


def _tickets() -> list[FloorEvent]:
    """Three tickets of the help queue; the second one waits over the night."""
    steps = {
        "t1": "08:05 created, 08:35 replied, 09:35 solved",
        "t2": "15:30 created, 2026-03-03T08:30 replied",
        "t3": "08:10 created, 08:20 solved, 09:00 reopened, 09:10 breached",
    }
    return [
        TicketChanged(
            source="desk", id=f"{ticket}-{step}", at=instant(step.split()[0]), ticket=ticket, queue="help",
            change=step.split()[1],  # type: ignore[arg-type]
        )
        for ticket, story in steps.items()
        for step in story.split(", ")
    ]  # fmt: skip


def _call(
    contact: str, queue: str, customer: str, came: str, start: str, agent: str, end: str, **parts: Any
) -> list[FloorEvent]:
    waited_s = (instant(start) - instant(came)).total_seconds()
    return [
        _offered(contact, queue, customer, came),
        ContactAnswered(**_of(contact, queue, start), agent=agent, waited_s=waited_s),
        ContactAccepted(**_of(contact, queue, start), agent=agent, rang_s=5),
        ContactHandled(**_of(contact, queue, end), agent=agent, started_at=instant(start), waited_s=waited_s, **parts),
    ]


def _offered(contact: str, queue: str, customer: str | None, at: str) -> ContactOffered:
    return ContactOffered(**_of(contact, queue, at), customer=customer)


def _of(contact: str, queue: str, at: str) -> dict[str, Any]:
    return {"source": "acd", "id": f"{contact}-{queue}", "at": instant(at), "contact": contact, "queue": queue}


def _survey(contact: str, at: str) -> dict[str, Any]:
    return {"source": "qa", "id": contact, "at": instant(at), "agent": "ann", "contact": contact}


def _activity(name: str, start: str, end: str) -> Activity:
    is_work = name == "work"
    return Activity(activity=name, starts_at=instant(start), ends_at=instant(end), paid=is_work, productive=is_work)


def _put_alerts(client: Client) -> None:
    """Two episodes, of which one was acknowledged and made a case."""
    evidence = json.dumps([{"contact": "c7", "at": "2026-03-02T08:41:00Z", "what": "talk_s", "value": 8}])
    names = [
        "alert", "sequence", "state", "reason", "at", "rule", "subject", "kpi", "window", "value", "n", "threshold",
        "severity", "opens", "team", "started_at", "evidence",
    ]  # fmt: skip
    first: list[Any] = ["short-calls", "agent:cyd", "short_call_share", "60m", 1.0, 1, 0.2, "act", "coaching", "t2"]
    second: list[Any] = ["long-wait", "queue:help", "longest_wait_s", "now", 600.0, 1, 600.0, "watch", "nothing", ""]
    rows = [
        ["x", 1, "firing", "breached", instant("08:42"), *first, instant("08:42"), evidence],
        ["y", 1, "firing", "breached", instant("08:55"), *second, instant("08:55"), "[]"],
        ["y", 2, "resolved", "cleared", instant("09:05"), *second, instant("08:55"), "[]"],
    ]
    client.insert("alert_transitions", rows, column_names=names)
    opening = json.dumps({"opens": "coaching", "transition": {"alert": "x", "kpi": "short_call_share", "team": "t2"}})
    ledger = [
        ["alert:x", 1, "e1", "alert_acknowledged", instant("08:50"), "lea", "x", 1, "{}"],
        ["agent:cyd", 1, "e2", "case_opened", instant("08:42"), "rule:short-calls", "case1", 1, opening],
        ["agent:cyd", 2, "e3", "case_acknowledged", instant("08:51"), "lea", "case1", 2, "{}"],
    ]
    names = ["stream", "sequence", "id", "kind", "at", "by", "record", "version", "body"]
    client.insert("record_events", ledger, column_names=names)


def _put_letters(client: Client) -> None:
    """Two rows of a file that could not be read."""
    names = ["topic", "partition", "offset", "origin", "reason", "detail", "value", "at"]
    rows = [
        ["file", -1, line, f"calls.csv:{line}", "rejected_row", "talk_s: expected seconds", "x", instant("09:50")]
        for line in (7, 9)
    ]
    client.insert("dead_letters", rows, column_names=names)
