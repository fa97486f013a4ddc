"""`floorpulse gateway`: the HTTP gateway as a process."""

from __future__ import annotations

import socket
from contextlib import closing, suppress
from pathlib import Path
from typing import Annotated

import typer

from floorpulse.cli.exits import guarded

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
    from floorpulse.roster import Roster
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
