"""Delivery's side of a real Kafka: who is who, what there is to tell, what was sent."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import uuid4

from floorpulse.delivery.log import DeliveryLog
from floorpulse.delivery.messages import Mark, Notice, message_of
from floorpulse.settings import Settings
from floorpulse.wiring import producer
from schemas.alerts import Transition
from schemas.registry import Team
from schemas.topics import ALERTS, REGISTRY
from sinks.topics import apply_topics

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def fired(alert: str) -> Transition:
    return Transition(
        alert=alert,
        sequence=1,
        state="firing",
        reason="breached",
        at=NOON,
        rule="long-away",
        rule_version=1,
        subject="agent:a1",
        kpi="away_s",
        window="60m",
        window_from=NOON,
        window_to=NOON,
        value=1800.0,
        n=3,
        threshold=900.0,
        severity="act",
        opens="coaching",
        team="t1",
        site="main",
        started_at=NOON,
    )


def test_marks_registry_and_uncommitted_alerts_are_read_by_the_next_process(
    floor_settings: Settings, wait_until: Callable[[Callable[[], object]], None]
) -> None:
    """The newest mark of a message, a team as it is now, and an alert that was read but not claimed."""
    from kafka import KafkaAdminClient

    apply_topics(KafkaAdminClient(bootstrap_servers=floor_settings.bootstrap()), floor_settings.partitions)
    unique, sender = uuid4().hex, producer(floor_settings)
    message = message_of("lead", [Notice(unique, 0, "alert_firing", "t1", "main", "agent:a1", "text")])
    body = {"kind": "teams", "id": unique, "revision": 1, "body": Team(id=unique).model_dump(mode="json")}
    sender.send(REGISTRY, key=f"teams:{unique}".encode(), value=json.dumps(body).encode())
    sender.send(ALERTS, key=b"agent:a1", value=fired(unique).model_dump_json().encode())
    sender.send(ALERTS, key=b"agent:a1", value=b"no transition").get(10)

    for _ in range(2):
        log, places = DeliveryLog(floor_settings, sender), dict[str, tuple[str, int, int]]()
        wait_until(lambda log=log, places=places: places.update({n.key: p for n, p in log.poll()[0]}) or places)  # type: ignore[misc]
        log.mark(Mark(state="claimed", message=message))
        log.mark(Mark(state="sent", message=message))
        topic, partition, offset = places[f"{unique}/1"]
        log.commit({(topic, partition): offset})
        assert unique in log.registry().teams
        assert log.registry() is log.registry(), "made anew each time, it takes half a core of a large floor"
        assert [mark.state for mark in log.marks() if mark.message == message] == ["sent"]
        log.close()

    sender.close()


def test_a_change_of_the_registry_is_seen(floor_settings: Settings) -> None:
    """Whoever leads a team from now on is told from now on; whoever leads none is not there any more."""
    from kafka import KafkaAdminClient

    apply_topics(KafkaAdminClient(bootstrap_servers=floor_settings.bootstrap()), floor_settings.partitions)
    unique, sender = uuid4().hex, producer(floor_settings)
    key, log, leads = f"teams:{unique}".encode(), DeliveryLog(floor_settings, sender), []
    for lead in ("l1", "l2", ""):
        body = {"kind": "teams", "id": unique, "body": Team(id=unique, lead=lead).model_dump(mode="json")}
        sender.send(REGISTRY, key=key, value=json.dumps(body).encode() if lead else None).get(10)
        team = log.registry().teams.get(unique)
        leads.append(team.lead if team else None)

    log.close()
    sender.close()

    assert leads == ["l1", "l2", None]


def test_the_marks_forget_whom_they_told_of(floor_settings: Settings) -> None:
    """The topic keeps the newest mark of a message: it tells of the others only, in the state it had."""
    from kafka import KafkaAdminClient

    apply_topics(KafkaAdminClient(bootstrap_servers=floor_settings.bootstrap()), floor_settings.partitions)
    gone, stays = uuid4().hex, uuid4().hex
    found = [Notice(who, 0, "alert_firing", "t1", "main", f"agent:{who}", "text") for who in (gone, stays)]
    sender, message = producer(floor_settings), message_of("lead", found)
    log = DeliveryLog(floor_settings, sender)
    log.mark(Mark(state="sent", message=message))

    log.forget({f"agent:{gone}"})

    (left,) = [mark for mark in log.marks() if mark.message.id == message.id]
    assert left.state == "sent"
    assert [notice["subject"] for notice in left.message.notices] == [f"agent:{stays}"]
    log.close()
    sender.close()
