"""What the worker does beside its work: roll up days that changed, and look for rows of people who were erased."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog
from clickhouse_connect.driver.exceptions import Error

from floorpulse.erasure import erased_everywhere, sweep
from schemas.errors import FloorpulseError
from sinks.rollups import roll_up

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

EVERY_S = 30.0
THOROUGH_EACH_S = 3_600.0

Work = Callable[["Client"], None]


def start_housekeeping(open_client: Callable[[], Client], every_s: float = EVERY_S) -> threading.Thread:
    """
    Do what is due again and again, until the process ends; what was erased is looked for at once.

    A floor may have many workers that do so: all of it done twice is harmless. When ClickHouse is away it waits.
    """
    thread = threading.Thread(target=_work_for_ever, args=(open_client, every_s), name="housekeeping", daemon=True)
    thread.start()
    return thread


class Sweeper:
    """Deletes rows of erased people that come back, as a worker thought dead may still write some."""

    def __init__(self) -> None:
        """Has never looked."""
        self._ids: frozenset[str] = frozenset()
        self._thorough_at = 0.0

    def look(self, client: Client) -> None:
        """
        Look once; through every text the first time, after somebody was erased, each hour, and if anything came back.

        Only after those whom every partition knows as erased: until then their owners need what is stored of them.
        """
        ids = erased_everywhere(client)
        if not ids:
            return
        now = time.monotonic()
        is_thorough = ids != self._ids or now >= self._thorough_at + THOROUGH_EACH_S
        deleted = sweep(client, ids, thorough=is_thorough)
        if deleted and not is_thorough:
            deleted += sweep(client, ids)
        if deleted:
            structlog.get_logger(__name__).info("erased_rows_deleted", count=deleted)
        if is_thorough:
            self._ids, self._thorough_at = ids, now


def _roll(client: Client) -> None:
    rolled = roll_up(client)
    if rolled:
        log = structlog.get_logger(__name__)
        log.info("days_rolled_up", count=len(rolled), kept=sum(one.kept for one in rolled))


def _work_for_ever(open_client: Callable[[], Client], every_s: float) -> None:
    pause = threading.Event()
    sweeper = Sweeper()
    client = _done(None, open_client, sweeper.look, "erasure_failed")
    while not pause.wait(every_s):
        client = _done(client, open_client, _roll, "roll_up_failed")
        client = _done(client, open_client, sweeper.look, "erasure_failed")


def _done(client: Client | None, open_client: Callable[[], Client], work: Work, failed: str) -> Client | None:
    """Do some work; the client to go on with, None where a new one is needed."""
    try:
        client = client or open_client()
        work(client)
    except (Error, OSError, FloorpulseError) as error:
        structlog.get_logger(__name__).warning(failed, reason=" ".join(str(error).split())[:200])
        return None
    return client
