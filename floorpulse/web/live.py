"""Server-sent events: what one poll changed goes to everybody who looks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from typing import Any, Literal

import structlog

from floorpulse.clock import now_ms
from floorpulse.web.areas import is_area
from floorpulse.web.numbers import number_of
from floorpulse.web.poller import Live

QUIET_MS = 30_000
"""A live floor that stores nothing for so long is stale: partitions tick each 5 s even when nobody calls."""


ANSWERS_WITHIN_MS = 20_000
"""A ClickHouse that has not answered a poll for so long does not answer, though none has failed: it hangs."""
SAY_AGAIN_S = 4.0
"""How soon a viewer hears again, where no poll has ended: a page takes 8 s of silence for a lost connection."""


def answers(live: Live) -> bool:
    """Whether ClickHouse answered a moment ago."""
    return not live.failing_since_ms and live.polled_ms > now_ms() - ANSWERS_WITHIN_MS


def head_of(live: Live, clock: Literal["wall", "event"]) -> dict[str, Any]:
    """The times a page needs to run its own clocks, and what is stale since when."""
    now = now_ms()
    stale, since = "", 0
    if live.failing_since_ms or (live.polled_ms and not answers(live)):
        stale, since = "The numbers stand still: ClickHouse does not answer", live.failing_since_ms or live.polled_ms
    elif clock == "wall" and live.pulse.stored_ms and now - live.pulse.stored_ms > QUIET_MS:
        stale, since = "Nothing new from the floor", live.pulse.stored_ms
    return {
        "now": now,
        "clock": live.pulse.clock_ms if clock == "event" else now,
        "stored": live.pulse.stored_ms,
        "mode": clock,
        "stale": stale,
        "staleSince": since,
        "alerts": sum(1 for alert in live.alerts if alert.needs_a_person),
    }


class Viewers:
    """Everybody who looks now; a poll in its thread wakes them in the event loop."""

    def __init__(self, boot: str, clock: Literal["wall", "event"], count: Callable[[int], None]) -> None:
        """`boot` names this run of the web: versions of another run mean nothing."""
        self._boot = boot
        self._clock = clock
        self._count = count
        self._queues: dict[asyncio.Queue[Live], asyncio.AbstractEventLoop] = {}
        self._messages: dict[tuple[int, int, tuple[str, ...], tuple[str, ...]], str] = {}
        self._last: Live | None = None
        self._made_s = 0

    def tell(self, live: Live) -> None:
        """Hand a new state to all viewers; called in the poller's thread."""
        for queue, loop in list(self._queues.items()):
            loop.call_soon_threadsafe(_replace, queue, live)

    def since(self, last: str) -> int:
        """The version of an event id `boot-version`; -1 (everything) for another run or no id."""
        boot, _, text = last.rpartition("-")
        version = number_of(text)
        return version if boot == self._boot and version is not None else -1

    def stamp(self, live: Live) -> str:
        """The event id of a state."""
        return f"{self._boot}-{live.published.version}"

    async def stream(
        self, live: Live, since: int, areas: Sequence[str], fresh: Sequence[str] = ()
    ) -> AsyncIterator[str]:
        """
        Messages for one viewer: at once what changed after `since` and all of `fresh`, then with each poll.

        While a poll does not come to its end, the times go on.
        """
        queue: asyncio.Queue[Live] = asyncio.Queue(maxsize=1)
        self._queues[queue] = asyncio.get_running_loop()
        self._count(len(self._queues))
        wanted, whole = (tuple(sorted(filter(is_area, set(names)))) for names in (areas, fresh))
        structlog.get_logger(__name__).debug("viewer_joined", areas=wanted)
        try:
            while True:
                yield self._message(live, since, wanted, whole)
                since, whole = live.published.version, ()
                with suppress(TimeoutError):
                    live = await asyncio.wait_for(queue.get(), SAY_AGAIN_S)
        finally:
            del self._queues[queue]
            self._count(len(self._queues))

    def _message(self, live: Live, since: int, areas: tuple[str, ...], fresh: tuple[str, ...]) -> str:
        """All viewers of the same pages get the same text: it is made once, or once a second while no poll ends."""
        now_s = now_ms() // 1000
        if live is not self._last or now_s != self._made_s:
            self._messages, self._last, self._made_s = {}, live, now_s
        key = (live.published.version, since, areas, fresh)
        if key not in self._messages:
            body = head_of(live, self._clock) | live.published.changes(since, areas, fresh)
            text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
            self._messages[key] = f"id: {self.stamp(live)}\nevent: floor\ndata: {text}\n\n"
        return self._messages[key]


def _replace(queue: asyncio.Queue[Live], live: Live) -> None:
    """A slow viewer skips states: the next message holds all changes since the last one sent."""
    if queue.full():
        queue.get_nowait()
    queue.put_nowait(live)
