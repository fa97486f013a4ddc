"""The HTTP gateway, without Kafka: what it takes, what it refuses and how it says so."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from fastapi.testclient import TestClient
from starlette.requests import Request
from structlog.testing import capture_logs

from schemas.errors import Unavailable
from schemas.events import EVENT_TYPES
from sources.readers import gateway as module
from sources.readers.batch import Batch, send_batch
from sources.readers.gateway import LARGEST_BODY, Gateway, GatewayMetrics, bounded_body, create_gateway

NOON = 1_772_452_800_000
"""2026-03-02 12:00 UTC."""
Offered = Callable[..., dict[str, Any]]


@pytest.fixture
def client(sender: Any) -> TestClient:
    """The gateway on the fake broker."""
    gateway = Gateway(lambda batch: send_batch(sender, batch, 5.0), GatewayMetrics.create(), lambda: NOON)
    return TestClient(create_gateway(gateway))


def client_of(send: Callable[[Batch], None], **parts: Any) -> TestClient:
    return TestClient(create_gateway(Gateway(send, GatewayMetrics.create(), lambda: NOON, **parts)))


def away(_: Batch) -> None:
    raise Unavailable("no broker")


def test_one_event_is_accepted_once_kafka_has_it(client: TestClient, sender: Any, offered: Offered) -> None:
    """202 with the count; the event stands in floor.events under its owner."""
    answer = client.post("/v1/events", json=offered())

    assert (answer.status_code, answer.json()) == (202, {"accepted": 1, "rejected": []})
    assert [m.key for m in sender.sent] == [b"queue:sales"]


def test_one_bad_event_of_a_thousand_is_named_and_kept(client: TestClient, sender: Any, offered: Offered) -> None:
    """The 999 beside it are accepted; the bad one is a dead letter."""
    items = [offered(n) for n in range(1000)]
    items[42] = offered(42, queue=7)

    answer = client.post("/v1/events", json=items)

    message = "queue: expected a valid string, found '7'"
    assert answer.status_code == 202
    assert answer.json() == {"accepted": 999, "rejected": [{"index": 42, "field": "queue", "message": message}]}
    assert len(sender.records()) == 999
    assert [m.headers["origin"] for m in sender.letters()] == [b"gateway:42"]


@pytest.mark.parametrize("half", ["\ud83d", "cut \ude00 off"])
def test_half_a_character_costs_its_own_event_alone(
    client: TestClient, sender: Any, offered: Offered, half: str
) -> None:
    """A program that cuts a text at a length leaves half an emoji: that is JSON, and no text."""
    body = json.dumps([offered(1), offered(2, customer=half), offered(3, customer="\U0001f600")])

    answer = client.post("/v1/events", content=body)

    assert answer.status_code == 202
    assert (answer.json()["accepted"], [one["index"] for one in answer.json()["rejected"]]) == (2, [1])
    assert [json.loads(letter.value)["customer"] for letter in sender.letters()] == [half]
    assert sender.records()[-1].customer == "\U0001f600"


def test_nothing_usable_is_a_problem_document(client: TestClient, sender: Any, offered: Offered) -> None:
    """422 names index and field; nothing is sent."""
    answer = client.post("/v1/events", json=[offered(queue=7), {}])

    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert (answer.json()["index"], answer.json()["field"]) == (0, "queue")
    assert answer.json()["detail"] == "event 0: queue: expected a valid string, found '7'"
    assert sender.sent == []


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/v1/events", 405), ("POST", "/events", 404)])
def test_a_wrong_address_is_a_problem_document(client: TestClient, method: str, path: str, status: int) -> None:
    """A sender reads one form of error, whatever is wrong; a wrong method is told which would be right."""
    answer = client.request(method, path)

    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json()["status"] == status
    assert answer.headers.get("allow") == ("POST" if status == 405 else None)


def test_what_was_found_is_told_to_the_sender_alone(client: TestClient, offered: Offered) -> None:
    """It may be the name of a person, in a field that no event has: the log says which field, and of what it fails."""
    with capture_logs() as logs:
        answer = client.post("/v1/events", json=offered(agent_name="Ada Lovelace"))

    assert "found 'Ada Lovelace'" in answer.json()["detail"]
    assert [one["detail"] for one in logs] == ["agent_name: expected no field of this name"]


@pytest.mark.parametrize("origin", ["https://elsewhere.example", "null", "http://[elsewhere"])
def test_a_page_of_another_site_sends_nothing(client: TestClient, sender: Any, offered: Offered, origin: str) -> None:
    """A browser sends plain text anywhere without asking: no page that somebody has open writes of people's states."""
    body, headers = json.dumps(offered()), {"content-type": "text/plain", "origin": origin}

    answer = client.post("/v1/events", content=body, headers=headers)

    assert (answer.status_code, answer.headers["content-type"]) == (403, "application/problem+json")
    assert sender.sent == []
    assert client.post("/v1/events", content=body, headers=headers | {"origin": "http://testserver"}).status_code == 202


def test_a_site_whose_name_points_here_sends_nothing(client: TestClient, sender: Any, offered: Offered) -> None:
    """Its pages are then of the same site to a browser; programs, which name no origin, may use any name."""
    headers = {"host": "floor.evil.example:8322", "origin": "http://floor.evil.example:8322"}

    assert client.post("/v1/events", json=offered(), headers=headers).status_code == 403
    assert sender.sent == []
    assert client.post("/v1/events", json=offered(), headers={"host": headers["host"]}).status_code == 202


@pytest.mark.parametrize("kind", ["ticked", "input_ended", "registry_changed", "rules_applied", "refold_asked"])
def test_control_records_are_not_taken_from_outside(client: TestClient, sender: Any, kind: str) -> None:
    """Only floorpulse itself says what time it is."""
    answer = client.post("/v1/events", json={"type": kind, "at": "2026-03-02T08:00:00Z"})

    assert (answer.status_code, answer.json()["field"]) == (422, "type")
    assert sender.sent == []


def test_a_body_of_50_mb_is_refused(client: TestClient, sender: Any) -> None:
    """413, by its announced length."""
    answer = client.post("/v1/events", content=b" " * 50_000_000)

    assert (answer.status_code, answer.headers["content-type"]) == (413, "application/problem+json")
    assert sender.sent == []


async def test_a_body_without_length_is_not_read_beyond_the_limit() -> None:
    """A chunked body of 50 MB costs no more memory than the limit."""
    read: list[int] = []

    async def receive() -> dict[str, Any]:
        read.append(64 * 1024)
        return {"type": "http.request", "body": b" " * 64 * 1024, "more_body": True}

    assert await bounded_body(Request({"type": "http", "headers": []}, receive)) is None
    assert sum(read) <= LARGEST_BODY + 64 * 1024


async def test_a_sender_that_goes_away_in_between_is_no_fault_of_the_gateway() -> None:
    """Half a body is answered as such, to whom it may concern: it is no error that a person would have to look at."""
    parts = iter([{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}])

    async def receive() -> Any:
        return next(parts)

    gateway = Gateway(lambda _: None, GatewayMetrics.create(), lambda: NOON)
    answer = await gateway.post(Request({"type": "http", "method": "POST", "headers": []}, receive))

    assert (answer.status_code, answer.media_type) == (400, "application/problem+json")


def test_without_acknowledgement_the_answer_is_503(offered: Offered) -> None:
    """The sender is told to come again, and when."""
    answer = client_of(away).post("/v1/events", json=offered())

    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    assert int(answer.headers["retry-after"]) > 0


async def test_a_broker_that_hangs_is_not_waited_for(offered: Offered, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer comes in time though the send does not come back."""
    monkeypatch.setattr(module, "ACKNOWLEDGED_WITHIN_S", 0.05)
    over = threading.Event()

    def hang(_: Batch) -> None:
        over.wait(30)

    transport = httpx2.ASGITransport(create_gateway(Gateway(hang, GatewayMetrics.create(), lambda: NOON)))
    async with httpx2.AsyncClient(transport=transport, base_url="http://gateway") as client:
        answer = await client.post("/v1/events", json=offered())

    over.set()
    assert answer.status_code == 503
    assert answer.elapsed.total_seconds() < 10


def test_readiness_is_that_of_kafka(client: TestClient) -> None:
    """Alive is not ready."""
    not_ready = client_of(away, ready=lambda: False)

    assert client.get("/readyz").status_code == 200
    assert not_ready.get("/readyz").status_code == 503
    assert not_ready.get("/healthz").status_code == 200


def test_metrics_count_by_outcome(client: TestClient, offered: Offered) -> None:
    """Accepted and rejected events, and the requests."""
    client.post("/v1/events", json=[offered(1), offered(2), {}])

    text = client.get("/metrics").text
    assert 'floorpulse_gateway_events_total{outcome="accepted"} 2.0' in text
    assert 'floorpulse_gateway_events_total{outcome="rejected"} 1.0' in text
    assert "floorpulse_gateway_request_seconds_count 1.0" in text


def test_an_alias_becomes_the_work_id(sender: Any, offered: Offered) -> None:
    """The roster's id is the key of the message."""
    client = client_of(lambda batch: send_batch(sender, batch, 5.0), resolve=lambda *_: "a0001")

    event = {k: v for k, v in offered(type="state_changed").items() if k not in {"contact", "queue"}}
    client.post("/v1/events", json=event | {"agent": "8007", "state": "ready"})

    assert [m.key for m in sender.sent] == [b"agent:a0001"]


def test_the_api_description_names_every_event(client: TestClient) -> None:
    """Whoever writes a sender finds the schema there."""
    schema = client.get("/openapi.json").json()["components"]["schemas"]["FloorEvent"]

    assert set(json.dumps(schema["discriminator"]["mapping"]).split('"')) >= set(EVENT_TYPES)
