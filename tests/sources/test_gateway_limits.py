"""What the gateway does not take: too much at once, too large, too deep, or nearly all of it bad (P5)."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from fastapi.testclient import TestClient
from prometheus_client import generate_latest

from schemas.events import EVENT_ADAPTER, EVENT_TYPES, MAX_EVENT_BYTES
from schemas.letter_limit import LetterLimit
from sources.readers import gateway as module
from sources.readers.batch import LARGEST_LETTER, send_batch
from sources.readers.gateway import Gateway, GatewayMetrics, create_gateway
from sources.readers.quotas import STOPPED_S, Quota, Quotas

NOON = 1_772_452_800_000
Offered = Callable[..., dict[str, Any]]


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.s = 1_000.0

    def __call__(self) -> float:
        """Now."""
        return self.s


@pytest.fixture
def clock() -> Clock:
    """The clock of the quotas."""
    return Clock()


@pytest.fixture
def client(sender: Any, clock: Clock) -> TestClient:
    """A gateway of 10 events a second and key, 1,000 at once, that stops a source after 20 bad events in a row."""
    quotas = Quotas(Quota(10, 1_000), LetterLimit(20), clock)
    gateway = Gateway(
        lambda batch: send_batch(sender, batch, 5.0), GatewayMetrics.create(), lambda: NOON, quotas=quotas
    )
    return TestClient(create_gateway(gateway))


def test_a_key_that_sends_too_much_is_told_when_to_come_again(
    client: TestClient, clock: Clock, sender: Any, offered: Offered
) -> None:
    """429 as a problem document; nothing of it is sent; after Retry-After it is taken."""
    events = [offered(n) for n in range(1_000)]
    assert client.post("/v1/events", json=events).status_code == 202

    held = client.post("/v1/events", json=events[:25])
    clock.s += int(held.headers["retry-after"])
    again = client.post("/v1/events", json=events[:25])

    assert (held.status_code, held.headers["content-type"]) == (429, "application/problem+json")
    assert (held.headers["retry-after"], again.status_code) == ("3", 202)
    assert len(sender.records()) == 1_025


def test_each_key_has_its_own_quota(client: TestClient, offered: Offered) -> None:
    """A source that is over it delays nobody else; a key counts before the source."""
    full = [offered(n) for n in range(1_000)]
    client.post("/v1/events", json=full)

    answers = [
        client.post("/v1/events", json=offered(1)),
        client.post("/v1/events", json=offered(1, source="crm")),
        client.post("/v1/events", json=offered(1), headers={"Authorization": "Bearer k1"}),
    ]

    assert [answer.status_code for answer in answers] == [429, 202, 202]


def test_tokens_come_back_up_to_the_burst() -> None:
    """However long a key was silent; a refused request uses none."""
    clock = Clock()
    quotas = Quotas(Quota(10, 100), now_s=clock)

    assert (quotas.wait_s("a", 100), quotas.wait_s("a", 50)) == (0.0, 5.0)
    clock.s += 5
    assert (quotas.wait_s("a", 50), quotas.used()) == (0.0, 1.0)
    clock.s += 1_000
    assert (quotas.wait_s("a", 101), round(quotas.wait_s("a", 1), 3)) == (0.0, 0.2)


def test_keys_that_are_remembered_are_bounded() -> None:
    """Of too many, the one that was silent longest is forgotten."""
    quotas = Quotas(Quota(1, 1), now_s=Clock(), most=2)

    waits = [quotas.wait_s(key, 1) for key in ("a", "b", "a", "c", "b")]

    assert waits == [0.0, 0.0, 1.0, 0.0, 0.0]
    assert len(quotas) == 2


def test_a_source_that_sends_nearly_only_bad_events_is_stopped(
    client: TestClient, clock: Clock, sender: Any, offered: Offered
) -> None:
    """Nothing of the request is taken or kept, nor of the next ones for a minute, however good; others go on."""
    bad = [offered(1), *[offered(n, queue=7) for n in range(2, 30)]]

    stopped = client.post("/v1/events", json=bad)
    later = client.post("/v1/events", json=offered(50))
    other = client.post("/v1/events", json=offered(60, source="crm"))
    clock.s += STOPPED_S
    after = client.post("/v1/events", json=offered(70))

    assert [a.status_code for a in (stopped, later, other, after)] == [429, 429, 202, 202]
    assert "20 records in a row are dead letters; queue: expected a valid string" in stopped.json()["detail"]
    assert stopped.headers["retry-after"] == "60"
    assert [record.id for record in sender.records()] == ["c60", "c70"]
    assert sender.letters() == []


def test_good_events_between_single_bad_ones_end_their_row(client: TestClient, clock: Clock, offered: Offered) -> None:
    """One event a request: a bad one counts for the source that it names, as the good ones do, however many come."""
    answers = []
    for number in range(30):
        clock.s += 1
        answers.append(client.post("/v1/events", json=offered(number) | {"queue": 7}).status_code)
        answers.append(client.post("/v1/events", json=offered(number)).status_code)

    assert answers == [422, 202] * 30


def test_what_names_no_source_is_refused_and_stops_nobody(client: TestClient, clock: Clock, offered: Offered) -> None:
    """Nobody knows whose rubbish it is: the next system whose event is bad is told what is wrong with it."""
    for _ in range(30):
        clock.s += 1
        assert client.post("/v1/events", content=b"rubbish").status_code == 422

    assert client.post("/v1/events", json=offered(1) | {"queue": 7}).status_code == 422


def test_a_stopped_source_that_is_still_bad_stops_at_once(client: TestClient, clock: Clock, offered: Offered) -> None:
    """After its minute one bad event is enough."""
    key = {"Authorization": "Bearer k1"}
    for _ in range(20):
        client.post("/v1/events", json={"type": "?"}, headers=key)
    clock.s += STOPPED_S

    again = client.post("/v1/events", json=[{"type": "?"}, offered(1)], headers=key)

    assert (again.status_code, again.json()["title"]) == (429, "Source stopped")


async def test_more_requests_than_places_are_sent_away(offered: Offered) -> None:
    """503 with Retry-After while all places are taken; a place is free again when its request is done."""
    over = threading.Event()
    gateway = Gateway(lambda _: _wait_for(over), GatewayMetrics.create(), lambda: NOON, most_in_flight=2)
    transport = httpx2.ASGITransport(create_gateway(gateway))
    async with httpx2.AsyncClient(transport=transport, base_url="http://gateway") as client:
        working = [asyncio.create_task(client.post("/v1/events", json=offered(n))) for n in range(2)]
        await _until(lambda: "floorpulse_gateway_in_flight 2.0" in _metrics(gateway))

        away = await client.post("/v1/events", json=offered(3))
        over.set()
        done = [(await task).status_code for task in working]
        after = await client.post("/v1/events", json=offered(4))

    assert (away.status_code, away.headers["content-type"]) == (503, "application/problem+json")
    assert int(away.headers["retry-after"]) > 0
    assert (done, after.status_code) == ([202, 202], 202)
    assert 'floorpulse_gateway_refused_requests_total{why="overload"} 1.0' in _metrics(gateway)


async def test_a_send_that_hangs_keeps_its_place(offered: Offered, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its request was answered, but its events are still held: a broker that hangs cannot fill the memory."""
    monkeypatch.setattr(module, "ACKNOWLEDGED_WITHIN_S", 0.05)
    over = threading.Event()
    gateway = Gateway(lambda _: _wait_for(over), GatewayMetrics.create(), lambda: NOON, most_in_flight=1)
    transport = httpx2.ASGITransport(create_gateway(gateway))
    async with httpx2.AsyncClient(transport=transport, base_url="http://gateway") as client:
        answers = [(await client.post("/v1/events", json=offered(n))).json()["title"] for n in range(2)]
        over.set()
        await _until(lambda: "floorpulse_gateway_in_flight 0.0" in _metrics(gateway))

    assert answers == ["Not stored", "Too busy"]


async def test_a_body_that_comes_too_slowly_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """408: nobody holds a place by sending nothing."""
    monkeypatch.setattr(module, "BODY_WITHIN_S", 0.05)
    gateway = Gateway(lambda _: None, GatewayMetrics.create(), lambda: NOON)

    async def body() -> Any:
        yield b"{"
        await asyncio.Event().wait()

    transport = httpx2.ASGITransport(create_gateway(gateway))
    async with httpx2.AsyncClient(transport=transport, base_url="http://gateway") as client:
        answer = await client.post("/v1/events", content=body())

    assert (answer.status_code, answer.headers["content-type"]) == (408, "application/problem+json")


def _wait_for(over: threading.Event) -> None:
    over.wait(30)


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0)


def _metrics(gateway: Gateway) -> str:
    return generate_latest(gateway.metrics.registry).decode()


def test_an_event_that_is_too_large_is_a_dead_letter(client: TestClient, sender: Any, offered: Offered) -> None:
    """The good ones beside it are taken; its bytes are kept."""
    large = offered(1, contact="x" * MAX_EVENT_BYTES)

    answer = client.post("/v1/events", json=[large, offered(2)])

    assert answer.json()["rejected"][0]["message"].startswith(f"event: expected at most {MAX_EVENT_BYTES} bytes")
    assert len(sender.letters()[0].value) > MAX_EVENT_BYTES


def test_one_that_could_not_even_be_kept_refuses_its_request(client: TestClient, sender: Any, offered: Offered) -> None:
    """Kafka would not take the letter either, and the sender would be asked to come again for ever."""
    huge = offered(1, contact="x" * LARGEST_LETTER)

    answer = client.post("/v1/events", json=[offered(2), huge])

    assert (answer.status_code, answer.json()["index"]) == (422, 1)
    assert sender.sent == []


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("x" * 201, "contact: expected at most 200 characters, found 'xxx"),
        ([["x"]], "contact: expected a valid string"),
        ({"a": {"b": {"c": {}}}}, "contact: expected a valid string"),
    ],
)
def test_a_field_that_is_too_long_or_too_deep_is_named(
    client: TestClient, offered: Offered, value: Any, message: str
) -> None:
    """422 with the field and what was expected."""
    answer = client.post("/v1/events", json=offered(1, contact=value))

    assert (answer.status_code, answer.json()["field"]) == (422, "contact")
    assert answer.json()["detail"].startswith(message)


@pytest.mark.parametrize("depth", [150, 10_000, 200_000])
def test_a_bottomless_body_is_refused(client: TestClient, sender: Any, depth: int) -> None:
    """422, and the gateway lives on."""
    answer = client.post("/v1/events", content=b'{"contact":' + b"[" * depth + b"]" * depth + b"}")

    assert answer.status_code == 422
    assert sender.sent == []


def test_no_field_of_an_event_is_without_a_limit() -> None:
    """Every text has a longest length, every list a most; nothing nests deeper than a list of objects."""
    schema = EVENT_ADAPTER.json_schema()
    inner = schema["$defs"].keys() - {_name(member) for member in schema["oneOf"]}

    assert list(_unbounded(schema, schema["$defs"], "event")) == []
    assert len(schema["oneOf"]) == len(EVENT_TYPES)
    assert [name for name in inner if "$ref" in json.dumps(schema["$defs"][name])] == []


def _name(member: dict[str, Any]) -> str:
    return str(member["$ref"]).rpartition("/")[2]


def _unbounded(node: dict[str, Any], models: dict[str, Any], path: str) -> Any:
    if "$ref" in node:
        yield from _unbounded(models[_name(node)], models, f"{path}/{_name(node)}")
    for branch in [*node.get("anyOf", ()), *node.get("oneOf", ())]:
        yield from _unbounded(branch, models, path)
    for name, field in node.get("properties", {}).items():
        yield from _unbounded(field, models, f"{path}.{name}")
    if node.get("type") == "object" and node.get("additionalProperties") is not False:
        yield f"{path}: any property"
    if node.get("type") == "string" and not node.keys() & {"maxLength", "enum", "const", "format"}:
        yield f"{path}: any length"
    if node.get("type") == "array":
        yield from [] if "maxItems" in node else [f"{path}: any number"]
        yield from _unbounded(node["items"], models, f"{path}[]")


def test_every_bounded_buffer_has_a_gauge(client: TestClient, offered: Offered) -> None:
    """Requests in flight, keys remembered, and how full the busiest bucket is."""
    client.post("/v1/events", json=[offered(n) for n in range(250)])

    text = client.get("/metrics").text
    assert "floorpulse_gateway_in_flight 0.0" in text
    assert "floorpulse_gateway_keys 1.0" in text
    assert "floorpulse_gateway_quota_used 0.25" in text


def test_metrics_say_when_a_feed_last_sent_something_good(
    client: TestClient, offered: Offered, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By source, of a bounded number of sources; and how far its clock runs ahead."""
    monkeypatch.setattr(module, "MOST_SOURCES", 1)

    client.post("/v1/events", json=offered(1))
    client.post("/v1/events", json=offered(1, source="crm", at="2026-03-02T12:00:45Z"))
    client.post("/v1/events", json={"type": "?"})

    text = client.get("/metrics").text
    assert 'floorpulse_feed_timestamp_seconds{source="acd"} 1.7724528e+09' in text
    assert 'floorpulse_feed_timestamp_seconds{source="other"}' in text
    assert "floorpulse_feed_ahead_seconds 45.0" in text
