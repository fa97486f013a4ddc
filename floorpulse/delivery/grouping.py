"""Notices wait a moment so that several become one message; nothing is told twice, nothing is told too late."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

from floorpulse.delivery.messages import (
    BUCKET_MS,
    LATEST_MS,
    NOTICES_PER_MESSAGE,
    Mark,
    Message,
    Notice,
    message_of,
    told_at_ms,
)

Place = tuple[str, int, int]
"""Topic, partition and offset that a notice was read from."""


@dataclass(slots=True)
class _Waiting:
    since_ms: int
    notices: list[tuple[Notice, Place]] = field(default_factory=list)


class Grouping:
    """The notices that wait, by receiver, and those that are settled. Pure: the time is handed in."""

    def __init__(self) -> None:
        self._waiting: dict[str, _Waiting] = {}
        self._settled: dict[tuple[str, str], int] = {}
        self._dropped = 0

    def restore(self, marks: Iterable[Mark], now_ms: int) -> list[Message]:
        """Take over what earlier processes marked; returns the messages that were claimed and may not be sent yet."""
        unsent: list[Message] = []
        for mark in marks:
            for notice in mark.message.notices:
                self._settled[mark.message.receiver, str(notice["id"])] = told_at_ms(notice)
            if mark.state == "claimed" and not mark.message.is_late(now_ms):
                unsent.append(mark.message)
        return unsent

    def add(self, receiver: str, notice: Notice, place: Place, now_ms: int) -> None:
        """Let a notice wait for its message; one that is too late, or known already, is left out."""
        known = (receiver, notice.key)
        if now_ms - notice.at_ms > LATEST_MS or known in self._settled:
            return
        self._settled[known] = notice.at_ms
        self._waiting.setdefault(receiver, _Waiting(now_ms)).notices.append((notice, place))

    def due(self, now_ms: int, ready: Callable[[str], bool]) -> list[Message]:
        """
        The messages whose time has come, for receivers that are ready to take one.

        What waits for a receiver that is not ready goes into its next message, and is forgotten when it is too late.
        """
        messages: list[Message] = []
        self._forget_late(now_ms)
        for receiver, waiting in list(self._waiting.items()):
            if now_ms - waiting.since_ms >= BUCKET_MS and ready(receiver):
                part = [notice for notice, _ in waiting.notices[:NOTICES_PER_MESSAGE]]
                messages.append(message_of(receiver, part))
                del waiting.notices[:NOTICES_PER_MESSAGE]
                if not waiting.notices:
                    del self._waiting[receiver]
        return messages

    def forget(self, subjects: Collection[str]) -> None:
        """Drop what waits to be told about some subjects."""
        for waiting in self._waiting.values():
            waiting.notices = [item for item in waiting.notices if item[0].subject not in subjects]
        self._drop_empty()

    def take_dropped(self) -> int:
        """How many notices grew too late while they waited for their receiver, since this was asked last."""
        dropped, self._dropped = self._dropped, 0
        return dropped

    def unclaimed(self) -> dict[tuple[str, int], int]:
        """(topic, partition) -> the lowest offset of what still waits: reading must start there again."""
        lowest: dict[tuple[str, int], int] = {}
        for waiting in self._waiting.values():
            for _, (topic, partition, offset) in waiting.notices:
                lowest[topic, partition] = min(offset, lowest.get((topic, partition), offset))
        return lowest

    def _forget_late(self, now_ms: int) -> None:
        """Drop what no notice can meet any more, as notices of that age are not taken."""
        self._settled = {key: at_ms for key, at_ms in self._settled.items() if now_ms - at_ms <= 2 * LATEST_MS}
        for waiting in self._waiting.values():
            in_time = [item for item in waiting.notices if now_ms - item[0].at_ms <= LATEST_MS]
            self._dropped += len(waiting.notices) - len(in_time)
            waiting.notices = in_time
        self._drop_empty()

    def _drop_empty(self) -> None:
        self._waiting = {receiver: waiting for receiver, waiting in self._waiting.items() if waiting.notices}
