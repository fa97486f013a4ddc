"""What the engines have to say to other topics, and the acknowledgements that a flush waits for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol

from schemas.alerts import Transition
from schemas.controls import RefoldAsked
from schemas.events import encode
from schemas.topics import ALERTS, COMMANDS, CONTRIBUTIONS, DEAD_LETTERS, EVENTS, HEADER_CONTENT, content_header
from streams.core.contributions import encode_contributions
from streams.core.log import Letter, Outbox

Headers = dict[str, bytes]


class Producer(Protocol):
    """Faust's producer: `send` returns an awaitable for the broker's acknowledgement."""

    async def send(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        partition: int | None,
        timestamp: float | None,
        headers: Headers | None,
    ) -> Awaitable[Any]:
        """Queue a message."""


CommandOf = Callable[[Transition], tuple[bytes, bytes] | None]
"""(key, message) of the command that a transition leads to; None for none."""


class Sender:
    """Produces outboxes; remembers what is not acknowledged yet."""

    def __init__(self, producer: Callable[[], Producer], command_of: CommandOf, partitions: int) -> None:
        """`partitions` of `floor.events`."""
        self._producer = producer
        self._command_of = command_of
        self._partitions = partitions
        self._unacknowledged: list[Awaitable[Any]] = []

    @property
    def waiting(self) -> int:
        """Messages since the last flush that nobody has waited for yet."""
        return len(self._unacknowledged)

    async def send(self, outbox: Outbox, topic: str, partition: int) -> None:
        """Queue everything of an outbox that came out of a partition."""
        for transition, _version in outbox.transitions:
            await self._put(ALERTS, transition.subject.encode(), transition.model_dump_json().encode())
            command = self._command_of(transition)
            if command is not None:
                await self._put(COMMANDS, *command)
        for message in encode_contributions(outbox.contributions):
            await self._put(CONTRIBUTIONS, f"partition:{partition}".encode(), message, partition=0)
        for letter in outbox.letters:
            key, value, headers = _posted(letter, topic, partition)
            await self._put(DEAD_LETTERS, key, value, headers=headers)
        for ask in outbox.asks:
            await self._ask_others(ask, partition)

    async def tick(self, partition: int, value: bytes) -> None:
        """Queue a control record for a partition of `floor.events`."""
        await self._put(EVENTS, None, value, partition=partition)

    async def acknowledged(self) -> None:
        """Wait for the broker's acknowledgement of everything queued so far; its error is raised."""
        waiting, self._unacknowledged = self._unacknowledged, []
        if waiting:
            await asyncio.gather(*waiting)

    async def publish(self, topic: str, messages: Iterable[tuple[bytes, bytes]]) -> None:
        """Produce (key, message) pairs and wait for their acknowledgement."""
        await self._through(topic, ((key, value, None) for key, value in messages))

    async def bury(self, letters: Iterable[Letter], topic: str, partition: int) -> None:
        """Produce the dead letters of a partition and wait for their acknowledgement."""
        await self._through(DEAD_LETTERS, (_posted(letter, topic, partition) for letter in letters))

    async def _through(self, topic: str, messages: Iterable[tuple[bytes, bytes, Headers | None]]) -> None:
        producer = self._producer()
        futures = [await producer.send(topic, key, value, None, None, headers) for key, value, headers in messages]
        await asyncio.gather(*futures)

    async def _ask_others(self, ask: RefoldAsked, partition: int) -> None:
        value = encode(ask)
        for other in range(self._partitions):
            if other != partition:
                await self._put(EVENTS, None, value, partition=other)

    async def _put(
        self,
        topic: str,
        key: bytes | None,
        value: bytes,
        *,
        partition: int | None = None,
        headers: Headers | None = None,
    ) -> None:
        acknowledgement = await self._producer().send(topic, key, value, partition, None, headers)
        self._unacknowledged.append(acknowledgement)  # to the list of now: a flush may have taken the other meanwhile


def _posted(letter: Letter, topic: str, partition: int) -> tuple[bytes, bytes, Headers]:
    """(key, message, headers) of a dead letter that came out of a partition."""
    headers = {
        "reason": letter.reason.encode(),
        "detail": letter.detail.encode()[:500],
        "topic": topic.encode(),
        "partition": str(partition).encode(),
        "offset": str(letter.offset).encode(),
        "epoch": str(letter.epoch).encode(),
        "key": letter.key,
        "ingest": str(letter.ingest).encode(),
        HEADER_CONTENT: content_header(letter.content),
    }
    return f"{topic}:{partition}".encode(), letter.value, headers
