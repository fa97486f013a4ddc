"""What the worker does beside its work: roll up days that changed, in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog
from clickhouse_connect.driver.exceptions import Error

from sinks.rollups import roll_up

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

EVERY_S = 30.0


def start_rolling(open_client: Callable[[], Client], every_s: float = EVERY_S) -> threading.Thread:
    """
    Roll up what is due, again and again, until the process ends.

    A floor may have many workers that do so: rolling a day twice is harmless. When ClickHouse is away it waits.
    """
    thread = threading.Thread(target=_roll_for_ever, args=(open_client, every_s), name="roll-up", daemon=True)
    thread.start()
    return thread


def _roll_for_ever(open_client: Callable[[], Client], every_s: float) -> None:
    log = structlog.get_logger(__name__)
    pause = threading.Event()
    client: Client | None = None
    while not pause.wait(every_s):
        try:
            client = client or open_client()
            rolled = roll_up(client)
        except (Error, OSError) as error:
            client = None
            log.warning("roll_up_failed", reason=" ".join(str(error).split())[:200])
            continue
        if rolled:
            log.info("days_rolled_up", count=len(rolled), kept=sum(one.kept for one in rolled))
