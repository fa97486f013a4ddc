"""One courier a receiver: its own bounded queue and task, so that a slow receiver delays nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import stamina
import structlog

from floorpulse.delivery.channels import Channel
from floorpulse.delivery.messages import LATEST_MS, Mark, MarkState, Message
from floorpulse.delivery.metrics import DeliveryMetrics
from schemas.errors import InputError, Unavailable

QUEUE = 20
_LONGEST_WAIT_S = 60.0

MarkDown = Callable[[Mark], Awaitable[None]]


class Couriers:
    """Brings messages to receivers and marks each as sent or failed."""

    def __init__(
        self,
        channels: Mapping[str, Channel],
        mark: MarkDown,
        now_ms: Callable[[], int],
        metrics: DeliveryMetrics | None = None,
    ) -> None:
        self._channels, self._mark, self._now_ms = channels, mark, now_ms
        self._metrics = metrics or DeliveryMetrics()
        self._gone: frozenset[str] = frozenset()
        self._marking = asyncio.Lock()
        self._held: dict[tuple[str, str], int] = {}
        self._metrics.oldest.set_function(self._oldest_s)
        self._queues: dict[str, asyncio.Queue[Message]] = {name: asyncio.Queue(QUEUE) for name in channels}

    def ready(self, receiver: str) -> bool:
        """True when the receiver's queue takes one more message."""
        return receiver in self._queues and not self._queues[receiver].full()

    async def take(self, message: Message) -> None:
        """Hand a message to its courier; waits only where the queue is full. An unknown receiver gets none."""
        if message.receiver in self._queues:
            self._held[message.receiver, message.id] = self._now_ms()
            self._count(message.receiver)
            await self._queues[message.receiver].put(message)

    async def forget(self, subjects: frozenset[str]) -> None:
        """Tell nothing of these subjects any more; when it returns, no mark that still does is being written."""
        async with self._marking:
            self._gone = subjects

    async def carry(self) -> None:
        """Carry until cancelled; a fault that is neither a receiver's nor a message's ends all."""
        await asyncio.gather(*(self._carry_for(receiver) for receiver in self._channels))

    async def _carry_for(self, receiver: str) -> None:
        while True:
            message = await self._queues[receiver].get()
            state = await self._send(self._channels[receiver], message)
            async with self._marking:
                await self._mark(Mark(state=state, message=message.without(self._gone)))
            self._held.pop((receiver, message.id), None)
            self._metrics.messages.labels(state).inc()
            self._count(receiver)

    def _count(self, receiver: str) -> None:
        self._metrics.waiting.labels(receiver).set(sum(name == receiver for name, _ in self._held))

    def _oldest_s(self) -> float:
        held = list(self._held.values())
        return max(0, self._now_ms() - min(held)) / 1000 if held else 0.0

    async def _send(self, channel: Channel, message: Message) -> MarkState:
        log = structlog.get_logger(__name__).bind(receiver=message.receiver, message=message.id)
        try:
            await self._send_in_time(channel, message)
        except (Unavailable, InputError) as error:
            log.error("message_failed", reason=str(error))
            return "failed"
        except Exception as error:
            # a fault that one message brings out must not end the way of all others, at each restart again
            log.exception("message_failed", error_type=type(error).__name__, reason=str(error))
            return "failed"
        log.info("message_sent", notices=len(message.notices))
        return "sent"

    async def _send_in_time(self, channel: Channel, message: Message) -> None:
        """Send, again while that may help; the error says what the receiver answered last."""
        answer = "its turn did not come"
        async for attempt in stamina.retry_context(
            on=Unavailable,
            attempts=None,
            timeout=LATEST_MS / 1000,
            wait_initial=0.5,
            wait_max=_LONGEST_WAIT_S,
        ):
            with attempt:
                left = message.without(self._gone)
                if not left.notices:
                    raise InputError("whom it tells of is erased")
                if left.is_late(self._now_ms()):
                    raise InputError(f"older than 15 minutes: {answer}")
                try:
                    await channel.send(left, self._now_ms() // 1000)
                except Unavailable as error:
                    answer = str(error)
                    raise
