"""The HTTP gateway: `POST /v1/events` takes events in floorpulse's own language and answers once Kafka has them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest

from schemas.errors import Unavailable
from schemas.events import EVENT_ADAPTER
from sources.core.parsed import Resolve
from sources.readers.batch import LARGEST_BATCH, Batch, read_batch

LARGEST_BODY = 1024 * 1024
"""Bytes of one request."""
ACKNOWLEDGED_WITHIN_S = 5.0
_RETRY_AFTER_S = "2"

Send = Callable[[Batch], None]
"""Sends a batch and its refused events and waits for the broker; blocks, raises Unavailable."""


@dataclass(frozen=True, slots=True)
class GatewayMetrics:
    """What the gateway counts, in a registry of its own."""

    registry: CollectorRegistry
    events: Counter
    requests: Histogram

    @classmethod
    def create(cls) -> GatewayMetrics:
        """Fresh counters."""
        registry = CollectorRegistry()
        events = Counter("floorpulse_gateway_events", "Events by outcome", ["outcome"], registry=registry)
        seconds = Histogram("floorpulse_gateway_request_seconds", "Time of POST /v1/events", registry=registry)
        return cls(registry, events, seconds)


@dataclass(frozen=True, slots=True)
class Gateway:
    """What stands behind the routes."""

    send: Send
    metrics: GatewayMetrics
    resolve: Resolve = field(default=lambda source, agent, _: f"{source}:{agent}")
    ready: Callable[[], bool] = field(default=lambda: True)

    async def post(self, request: Request) -> Response:
        """Take one event or a batch: 202 when the broker has it, else a problem document."""
        began = time.monotonic()
        try:
            return await self._take(request)
        finally:
            self.metrics.requests.observe(time.monotonic() - began)

    async def _take(self, request: Request) -> Response:
        body = await bounded_body(request)
        if body is None:
            return problem(413, "Body too large", f"expected at most {LARGEST_BODY} bytes in one request")
        batch = await run_in_threadpool(read_batch, body, self.resolve)
        self.metrics.events.labels("rejected").inc(len(batch.rejected))
        if not batch.messages:
            return self._refused(batch)
        try:
            await asyncio.wait_for(asyncio.to_thread(self.send, batch), ACKNOWLEDGED_WITHIN_S)
        except (Unavailable, TimeoutError):
            return self._unavailable(len(batch.messages))
        self.metrics.events.labels("accepted").inc(len(batch.messages))
        refusals = [{"index": r.line, "field": r.field, "message": r.text} for r in batch.rejected]
        return JSONResponse({"accepted": len(batch.messages), "rejected": refusals}, status_code=202)

    def _refused(self, batch: Batch) -> Response:
        first = batch.rejected[0]
        structlog.get_logger(__name__).info("request_refused", count=len(batch.rejected), detail=first.text)
        place = f"event {first.line}: " if batch.is_list else ""
        return problem(422, "No event in it can be used", place + first.text, index=first.line, field=first.field)

    def _unavailable(self, count: int) -> Response:
        self.metrics.events.labels("unavailable").inc(count)
        detail = (
            f"Kafka did not acknowledge within {ACKNOWLEDGED_WITHIN_S:.0f} s: send the same again, with the same ids"
        )
        answer = problem(503, "Not stored", detail)
        answer.headers["Retry-After"] = _RETRY_AFTER_S
        return answer


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
    app.add_api_route("/v1/events", gateway.post, methods=["POST"], status_code=202, openapi_extra=_BODY)
    app.add_api_route("/healthz", _alive, methods=["GET"])

    async def readyz() -> Response:
        """503 while Kafka does not answer."""
        is_ready = await run_in_threadpool(gateway.ready)
        return PlainTextResponse("ready" if is_ready else "Kafka does not answer", status_code=200 if is_ready else 503)

    async def metrics() -> Response:
        """Figures for Prometheus."""
        return Response(generate_latest(gateway.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    app.add_api_route("/readyz", readyz, methods=["GET"])
    app.add_api_route("/metrics", metrics, methods=["GET"])
    app.openapi = lambda: _described(app)  # type: ignore[method-assign]
    return app


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
