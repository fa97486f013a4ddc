"""The process of delivery: reads what there is to tell, claims messages, lets the couriers carry them."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Collection
from typing import Protocol

import aiohttp
import structlog

from floorpulse.clock import now_ms
from floorpulse.delivery.channels import channels_of
from floorpulse.delivery.config import RECEIVERS_FILE, Receivers, load_receivers
from floorpulse.delivery.couriers import Couriers
from floorpulse.delivery.grouping import Grouping, Place
from floorpulse.delivery.log import DeliveryLog
from floorpulse.delivery.messages import LATEST_MS, Mark, Notice
from floorpulse.delivery.metrics import DeliveryMetrics
from floorpulse.delivery.routing import receivers_of
from floorpulse.delivery.secrets import secret
from floorpulse.serving import serve_metrics
from floorpulse.settings import Settings
from floorpulse.wiring import producer
from schemas.registry import Registry
from sinks.erasure import keys_of


class Log(Protocol):
    """What delivery needs of Kafka; `DeliveryLog` says what each call means."""

    def marks(self) -> list[Mark]: ...
    def registry(self) -> Registry: ...
    def poll(self) -> tuple[list[tuple[Notice, Place]], int]: ...
    def mark(self, mark: Mark) -> None: ...
    def forget(self, subjects: Collection[str]) -> None: ...
    def commit(self, unclaimed: dict[tuple[str, int], int]) -> None: ...


class Delivery:
    """
    Tells receivers what the floor's log says.

    A message is claimed in the log with its content before it is sent and marked after, so that a restart sends the
    same message under the same id or does not send it; what was read is committed once it is claimed.
    """

    def __init__(self, log: Log, receivers: Receivers, couriers: Couriers, now: Callable[[], int]) -> None:
        self._log, self._receivers, self._couriers, self._now = log, receivers, couriers, now
        self._grouping = Grouping()
        self._erased: frozenset[str] = frozenset()

    async def resume(self) -> None:
        """Hand over again what an earlier process claimed and may not have sent. The couriers must carry already."""
        await self._forget_erased(await asyncio.to_thread(self._log.registry))
        marks = await asyncio.to_thread(self._log.marks)
        for message in self._grouping.restore(marks, self._now()):
            await self._couriers.take(message)

    async def step(self) -> None:
        """Read once, claim and hand over what is due, commit."""
        registry = await asyncio.to_thread(self._log.registry)
        await self._forget_erased(registry)
        notices, unreadable = await asyncio.to_thread(self._log.poll)
        for notice, place in notices:
            if registry.is_erased(notice.subject.removeprefix("agent:")):
                continue
            for receiver in receivers_of(self._receivers, registry, notice):
                self._grouping.add(receiver, notice, place, self._now())
        too_late = sum(self._now() - notice.at_ms > LATEST_MS for notice, _ in notices)
        for message in self._grouping.due(self._now(), self._couriers.ready):
            await asyncio.to_thread(self._log.mark, Mark(state="claimed", message=message))
            await self._couriers.take(message)
        self._tell_dropped(too_late + self._grouping.take_dropped(), unreadable)
        await asyncio.to_thread(self._log.commit, self._grouping.unclaimed())

    async def _forget_erased(self, registry: Registry) -> None:
        """
        Drop what waits, is under way or is marked about people who were erased meanwhile.

        The log is last: what a courier marks from here on tells nothing of them, what was marked before is in it.
        """
        if registry.erased == self._erased:
            return
        self._erased = registry.erased
        subjects = frozenset(keys_of(registry.erased))
        self._grouping.forget(subjects)
        await self._couriers.forget(subjects)
        await asyncio.to_thread(self._log.forget, subjects)

    def _tell_dropped(self, too_late: int, unreadable: int) -> None:
        log = structlog.get_logger(__name__)
        if too_late:
            log.info("message_dropped", reason="too_late", count=too_late)
        if unreadable:
            log.error("message_dropped", reason="unreadable", count=unreadable)


async def run_delivery(settings: Settings) -> None:
    """Deliver until SIGTERM or SIGINT. ConfigError: receivers or secrets are no good; Unavailable: no Kafka."""
    receivers = load_receivers(settings.data / RECEIVERS_FILE)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with aiohttp.ClientSession() as http:
        channels = channels_of(receivers, http, secret)
        sender = await asyncio.to_thread(producer, settings)
        log = await asyncio.to_thread(DeliveryLog, settings, sender)

        async def mark(done: Mark) -> None:
            await asyncio.to_thread(log.mark, done)

        metrics = DeliveryMetrics()
        serve_metrics((settings.metrics_host, settings.delivery_metrics_port), metrics.registry, lambda: "")
        couriers = Couriers(channels, mark, now_ms, metrics)
        try:
            await _until_stopped(Delivery(log, receivers, couriers, now_ms), couriers, stop)
        finally:
            await asyncio.to_thread(log.close)
            await asyncio.to_thread(sender.close)


async def _until_stopped(delivery: Delivery, couriers: Couriers, stop: asyncio.Event) -> None:
    """A message that is under way at the end stays claimed, and the next process sends it again."""
    carrying = asyncio.create_task(couriers.carry())
    try:
        await delivery.resume()
        while not stop.is_set():
            if carrying.done():
                carrying.result()
            await delivery.step()
    finally:
        carrying.cancel()
        await asyncio.gather(carrying, return_exceptions=True)
