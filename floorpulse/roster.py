"""Whose vendor ids are known, for readers that go on for days: the registry as it is now, asked for now and then."""

from __future__ import annotations

import time
from contextlib import closing
from threading import Lock
from typing import TYPE_CHECKING

import structlog

from schemas.errors import FloorpulseError

if TYPE_CHECKING:
    from floorpulse.settings import Settings
    from schemas.registry import Registry

_REGISTRY_KEPT_S = 15.0


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
            structlog.get_logger(__name__).warning("query_failed", part="roster", detail=str(error))

    def _newest(self, known: Registry | None) -> Registry:
        from floorpulse.wiring import clickhouse_client
        from sinks.registry import latest_revision, load_registry

        with closing(clickhouse_client(self._settings)) as client:
            if known is not None and latest_revision(client, "registry") == known.revision:
                return known
            return load_registry(client)
