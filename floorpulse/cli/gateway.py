"""`floorpulse gateway`: the HTTP gateway as a process."""

from __future__ import annotations

import socket
import time
from contextlib import closing, suppress
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Annotated

import structlog
import typer

from floorpulse.cli.exits import guarded
from schemas.errors import FloorpulseError

if TYPE_CHECKING:
    from floorpulse.settings import Settings
    from schemas.registry import Registry

_REGISTRY_KEPT_S = 15.0
_CONNECTED_WITHIN_S = 1.0


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(guarded(gateway))


def gateway(
    data: Annotated[Path, typer.Option("--data", help="Data folder of the floor.")] = Path(".floorpulse"),
) -> None:
    """Take events over HTTP: POST /v1/events, one or up to 1,000; 202 once Kafka has them."""
    import uvicorn

    from floorpulse.clock import now_ms
    from floorpulse.logs import set_up_logs
    from floorpulse.settings import load_settings
    from floorpulse.wiring import producer
    from sources.readers.batch import send_batch
    from sources.readers.gateway import ACKNOWLEDGED_WITHIN_S, Gateway, GatewayMetrics, create_gateway
    from sources.readers.quotas import Quota, Quotas

    settings = load_settings(data=data)
    set_up_logs(settings.log_format)
    roster = Roster(settings)
    with closing(producer(settings)) as sender:
        app = create_gateway(
            Gateway(
                send=lambda batch: send_batch(sender, batch, ACKNOWLEDGED_WITHIN_S),
                metrics=GatewayMetrics.create(),
                now_ms=now_ms,
                resolve=roster.resolve,
                ready=lambda: _answers(settings.bootstrap()),
                quotas=Quotas(Quota(settings.gateway_events_per_s, settings.gateway_burst), settings.letter_limit()),
                most_in_flight=settings.gateway_in_flight,
                names=settings.names(),
            )
        )
        host, port = settings.gateway_host, settings.gateway_port
        uvicorn.run(app, host=host, port=port, log_config=None, access_log=False)


def _answers(addresses: list[str]) -> bool:
    """True when a broker takes connections."""
    for address in addresses:
        host, _, port = address.rpartition(":")
        with suppress(OSError), socket.create_connection((host, int(port)), timeout=_CONNECTED_WITHIN_S):
            return True
    return False


class Roster:
    """
    The registry's aliases; whether there are newer ones is asked when the answer is older than 15 s.

    One caller asks, the others go on with what is known, and so does everybody while ClickHouse is away.
    """

    def __init__(self, settings: Settings) -> None:
        """Read them once; Unavailable when ClickHouse does not answer."""
        self._settings = settings
        self._asking = Lock()
        self._registry = self._newest(None)
        self._asked_at = time.monotonic()

    def resolve(self, source: str, agent: str, at_ms: int) -> str:
        """The work id of a vendor's agent id; may block, so it is for worker threads."""
        if time.monotonic() - self._asked_at > _REGISTRY_KEPT_S and self._asking.acquire(blocking=False):
            try:
                self._refresh()
            finally:
                self._asking.release()
        return self._registry.resolve(source, agent, at_ms)

    def _refresh(self) -> None:
        from clickhouse_connect.driver.exceptions import ClickHouseError

        self._asked_at = time.monotonic()
        try:
            self._registry = self._newest(self._registry)
        except (ClickHouseError, FloorpulseError, OSError) as error:
            structlog.get_logger(__name__).warning("query_failed", part="gateway", detail=str(error))

    def _newest(self, known: Registry | None) -> Registry:
        from floorpulse.wiring import clickhouse_client
        from sinks.registry import latest_revision, load_registry

        with closing(clickhouse_client(self._settings)) as client:
            if known is not None and latest_revision(client, "registry") == known.revision:
                return known
            return load_registry(client)
