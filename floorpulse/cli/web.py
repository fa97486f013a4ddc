"""`floorpulse web`: the pages of a floor."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from floorpulse.cli.exits import guarded
from floorpulse.settings import load_settings

PAGE_WITHIN_S = 20
"""So long a page waits for ClickHouse: few can wait at the same time, and those that do not need it wait behind."""


def register(app: typer.Typer) -> None:
    """Add `floorpulse web`."""

    @app.command("web")
    @guarded
    def web(
        data: Annotated[Path | None, typer.Option("--data", help="Data folder of the floor.")] = None,
    ) -> None:
        """Serve board, alert inbox and coaching cases."""
        import uvicorn

        from floorpulse.logs import set_up_logs
        from floorpulse.web.actions import LedgerCommands
        from floorpulse.web.app import create_web
        from floorpulse.wiring import clickhouse_client

        settings = load_settings(data)
        set_up_logs(settings.log_format)
        settings.clickhouse()  # without an address: one clear line now instead of a page that never fills
        proof_factory = partial(clickhouse_client, settings)
        client_factory = partial(proof_factory, within_s=PAGE_WITHIN_S)
        application = create_web(settings, client_factory, LedgerCommands(settings), proof_factory)
        uvicorn.run(
            application,
            host=settings.web_host,
            port=settings.web_port,
            access_log=False,
            log_level="warning",
            timeout_graceful_shutdown=2,
        )
