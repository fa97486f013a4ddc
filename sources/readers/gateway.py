"""The HTTP gateway: `POST /v1/events` takes events in floorpulse's own language and answers once Kafka has them."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import blake2b
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from schemas.errors import Unavailable
from schemas.events import EVENT_ADAPTER
from sources.core.parsed import Resolve
from sources.readers.batch import LARGEST_BATCH, Batch, read_batch
from sources.readers.origin import is_of_another_site
from sources.readers.quotas import Quotas

LARGEST_BODY = 1024 * 1024
"""Bytes of one request."""
BODY_WITHIN_S = 15.0
ACKNOWLEDGED_WITHIN_S = 5.0
MOST_IN_FLIGHT = 64
_COME_AGAIN_S = 2.0
MOST_SOURCES = 100
"""So many sources have a line of their own in the metrics; the rest is `other`."""
_NOBODY = "source:"
"""The key of requests that name no system: they share a quota, and no row of bad events stops them."""

Send = Callable[[Batch], None]
"""Sends a batch and its refused events and waits for the broker; blocks, raises Unavailable."""


@dataclass(frozen=True, slots=True)
class GatewayMetrics:
    """What the gateway counts, in a registry of its own."""

    registry: CollectorRegistry
    events: Counter
    refused: Counter
    requests: Histogram
    in_flight: Gauge
    keys: Gauge
    quota_used: Gauge
    newest: Gauge
    ahead: Gauge

    @classmethod
    def create(cls) -> GatewayMetrics:
        """Fresh counters."""
        held = CollectorRegistry()
        return cls(
            held,
            Counter("floorpulse_gateway_events", "Events by outcome.", ["outcome"], registry=held),
            Counter(
                "floorpulse_gateway_refused_requests",
                "Requests of which nothing was taken, to be sent again: quota, stopped, overload, unavailable.",
                ["why"],
                registry=held,
            ),
            Histogram("floorpulse_gateway_request_seconds", "Time of POST /v1/events.", registry=held),
            Gauge("floorpulse_gateway_in_flight", "Requests worked on now; at most gateway_in_flight.", registry=held),
            Gauge("floorpulse_gateway_keys", "Keys whose quota is remembered; at most 1,000.", registry=held),
            Gauge("floorpulse_gateway_quota_used", "Share of its burst that the busiest key used up.", registry=held),
            Gauge(
                "floorpulse_feed_timestamp_seconds", "When a source last sent a good event.", ["source"], registry=held
            ),
            Gauge(
                "floorpulse_feed_ahead_seconds",
                "How far the newest event of the last request lies in the future.",
                registry=held,
            ),
        )


class Slots:
    """How many requests are worked on at the same time; one event loop uses it."""

    def __init__(self, metrics: GatewayMetrics, most: int) -> None:
        self._metrics, self._most, self._taken = metrics, most, 0

    def take(self) -> bool:
        """A place for one more request; False when all are taken."""
        if self._taken >= self._most:
            return False
        self._set(self._taken + 1)
        return True

    def free(self, sending: asyncio.Future[None] | None) -> None:
        """Give a place back, once what the request still sends has come to its end."""
        if sending is None or sending.done():
            self._set(self._taken - 1)
        else:
            sending.add_done_callback(self._ended)

    def _ended(self, sending: asyncio.Future[None]) -> None:
        if not sending.cancelled():
            sending.exception()  # the request was answered long ago: nobody else asks
        self.free(sending)

    def _set(self, taken: int) -> None:
        self._taken = taken
        self._metrics.in_flight.set(taken)


@dataclass(slots=True)
class _Job:
    """One request that is worked on."""

    request: Request
    sending: asyncio.Future[None] | None = None


@dataclass(frozen=True, slots=True)
class Gateway:
    """What stands behind the routes."""

    send: Send
    metrics: GatewayMetrics
    now_ms: Callable[[], int]
    resolve: Resolve = field(default=lambda source, agent, _: f"{source}:{agent}")
    ready: Callable[[], bool] = field(default=lambda: True)
    quotas: Quotas = field(default_factory=Quotas)
    most_in_flight: int = MOST_IN_FLIGHT
    names: frozenset[str] = frozenset()
    """Names with a dot that a browser may ask it under."""
    slots: Slots = field(init=False)
    feeds: set[str] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        """No request is worked on yet."""
        object.__setattr__(self, "slots", Slots(self.metrics, self.most_in_flight))

    async def post(self, request: Request) -> Response:
        """Take one event or a batch: 202 when the broker has it, else a problem document."""
        began, job = time.monotonic(), _Job(request)
        if is_of_another_site(request.headers, self.names):
            return problem(
                403, "Sent by another site", "no page in a browser may send events on behalf of another site"
            )
        if not self.slots.take():
            return self._later("overload", 503, "Too busy", "too many requests at the same time", _COME_AGAIN_S)
        try:
            return await self._take(job)
        finally:
            self.slots.free(job.sending)
            self.metrics.requests.observe(time.monotonic() - began)

    async def _take(self, job: _Job) -> Response:
        try:
            body = await asyncio.wait_for(bounded_body(job.request), BODY_WITHIN_S)
        except TimeoutError:
            return problem(408, "Body too slow", f"expected the whole body within {BODY_WITHIN_S:.0f} s")
        except ClientDisconnect:
            return problem(400, "Body cut off", "expected the whole body, the connection ended before")
        if body is None:
            return problem(413, "Body too large", f"expected at most {LARGEST_BODY} bytes in one request")
        batch = await run_in_threadpool(read_batch, body, self.resolve)
        if (held := self._held(job.request, batch)) is not None:
            return held
        self.metrics.events.labels("rejected").inc(len(batch.rejected))
        return await self._send(job, batch) if batch.messages else self._refused(batch)

    def _held(self, request: Request, batch: Batch) -> Response | None:
        """The answer for a key that sends too much, or too much that cannot be used."""
        key = key_of(request, batch)
        if wait_s := self.quotas.wait_s(key, batch.count):
            return self._later("quota", 429, "Too many events", "more than the quota of this key", wait_s)
        if key == _NOBODY:
            return None  # bad events of many systems in a row say nothing of any of them
        why, wait_s = self.quotas.stopped(key, batch.count, [refused.line for refused in batch.rejected])
        if not why:
            return None
        log = structlog.get_logger(__name__)
        log.warning("source_stopped", source=", ".join(batch.sources), reason=why, delay_s=round(wait_s))
        text = batch.rejected[0].text if batch.rejected else ""
        return self._later("stopped", 429, "Source stopped", f"{why}; {text}".rstrip("; "), wait_s)

    async def _send(self, job: _Job, batch: Batch) -> Response:
        job.sending = asyncio.get_running_loop().run_in_executor(None, self.send, batch)
        try:
            await asyncio.wait_for(asyncio.shield(job.sending), ACKNOWLEDGED_WITHIN_S)
        except (Unavailable, TimeoutError):
            return self._unavailable(len(batch.messages))
        self._note(batch)
        refusals = [{"index": r.line, "field": r.field, "message": r.text} for r in batch.rejected]
        return JSONResponse({"accepted": len(batch.messages), "rejected": refusals}, status_code=202)

    def _note(self, batch: Batch) -> None:
        """Count what Kafka has, by the sources that sent it."""
        self.metrics.events.labels("accepted").inc(len(batch.messages))
        now = self.now_ms()
        for source in batch.sources:
            if len(self.feeds) < MOST_SOURCES:
                self.feeds.add(source)
            self.metrics.newest.labels(source if source in self.feeds else "other").set(now / 1000)
        self.metrics.ahead.set(max(0, max(outgoing.at_ms for outgoing in batch.messages) - now) / 1000)

    def _refused(self, batch: Batch) -> Response:
        first = batch.rejected[0]
        structlog.get_logger(__name__).info("request_refused", count=len(batch.rejected), detail=first.kind)
        place = f"event {first.line}: " if batch.is_list else ""
        return problem(422, "No event in it can be used", place + first.text, index=first.line, field=first.field)

    def _unavailable(self, count: int) -> Response:
        self.metrics.events.labels("unavailable").inc(count)
        within = f"Kafka did not acknowledge within {ACKNOWLEDGED_WITHIN_S:.0f} s"
        return self._later("unavailable", 503, "Not stored", within, _COME_AGAIN_S)

    def _later(self, why: str, status: int, title: str, detail: str, wait_s: float) -> Response:
        """Nothing of the request was taken: send it again after `wait_s`, with the same ids."""
        self.metrics.refused.labels(why).inc()
        answer = problem(status, title, f"{detail}: nothing was taken, send the same again later, with the same ids")
        answer.headers["Retry-After"] = str(max(1, math.ceil(wait_s)))
        return answer


def key_of(request: Request, batch: Batch) -> str:
    """Whose quota a request uses: that of its key (`Authorization`), else that of the source that it names first."""
    if given := request.headers.get("authorization"):
        return "key:" + blake2b(given.encode(), digest_size=8).hexdigest()
    named = next(iter(batch.sources), batch.blamed)
    return f"source:{named}" if named else _NOBODY


async def bounded_body(request: Request) -> bytes | None:
    """The body; None as soon as it is known to be larger than `LARGEST_BODY`, the rest unread."""
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > LARGEST_BODY:
        return None
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > LARGEST_BODY:
            return None
        parts.append(part)
    return b"".join(parts)


def problem(status: int, title: str, detail: str, **more: Any) -> Response:
    """An RFC 9457 problem document."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}
    return JSONResponse(body, status_code=status, media_type="application/problem+json")


def create_gateway(gateway: Gateway) -> FastAPI:
    """The application with its routes; nothing is opened and nothing is started."""
    app = FastAPI(title="floorpulse gateway", version="1", summary="Events of a contact-center floor, one or a batch.")
    app.add_exception_handler(HTTPException, _no_such_thing)
    app.add_api_route("/v1/events", gateway.post, methods=["POST"], status_code=202, openapi_extra=_BODY)
    app.add_api_route("/healthz", _alive, methods=["GET"])

    async def readyz() -> Response:
        """503 while Kafka does not answer."""
        is_ready = await run_in_threadpool(gateway.ready)
        return PlainTextResponse("ready" if is_ready else "Kafka does not answer", status_code=200 if is_ready else 503)

    async def metrics() -> Response:
        """Figures for Prometheus."""
        gateway.metrics.keys.set(len(gateway.quotas))
        gateway.metrics.quota_used.set(gateway.quotas.used())
        return Response(generate_latest(gateway.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    app.add_api_route("/readyz", readyz, methods=["GET"])
    app.add_api_route("/metrics", metrics, methods=["GET"])
    app.openapi = lambda: _described(app)  # type: ignore[method-assign]
    return app


async def _no_such_thing(_: Request, error: Exception) -> Response:
    """The problem document of a path or a method that the gateway does not have."""
    status, headers = getattr(error, "status_code", 500), getattr(error, "headers", None)
    answer = problem(status, HTTPStatus(status).phrase, "expected POST /v1/events; /openapi.json describes it")
    answer.headers.update(headers or {})
    return answer


async def _alive() -> Response:
    """200 as long as the process answers."""
    return PlainTextResponse("alive")


_EVENT_REF = {"$ref": "#/components/schemas/FloorEvent"}
_BATCH: dict[str, Any] = {"type": "array", "items": _EVENT_REF, "minItems": 1, "maxItems": LARGEST_BATCH}
_BODY = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": {"anyOf": [_EVENT_REF, _BATCH]}}}}
}


def _described(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document with the schema of every event."""
    document = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
    event = EVENT_ADAPTER.json_schema(ref_template="#/components/schemas/{model}")
    models = event.pop("$defs")
    document.setdefault("components", {}).setdefault("schemas", {}).update({**models, "FloorEvent": event})
    return document
