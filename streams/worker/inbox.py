"""
What was fetched and not yet folded, and whose turn it is.

Wall clock: partitions in turn. Event clock: one input, merged by time: a partition is folded up to 60 s beyond the
slowest one; a partition with nothing fetched holds the others until its input has ended.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from schemas.controls import RefoldAsked, RegistryChanged, RulesApplied, is_control
from schemas.events import ShiftPlanned
from schemas.times import MINUTE_MS, to_ms
from streams.core.lateness import FUTURE_MS
from streams.core.log import Item
from streams.worker.decoding import Fetched, to_item

LEAD_MS = MINUTE_MS
CHUNK = 500
"""So many records are folded before others have their turn."""
FULL = 2_000
"""A partition with this many records waiting is not fetched."""


@dataclass(slots=True)
class Inbox:
    """The records of one partition that wait."""

    fetched: deque[Fetched] = field(default_factory=deque)
    items: deque[Item] = field(default_factory=deque)
    has_ended: bool = False
    """The last record folded was `input_ended`."""
    blocked_until: float = 0.0
    """Monotonic time before which a failed lookup is not tried again."""
    next_offset: int = 0
    """Of the record that follows: what is fetched again from before it is here already."""

    def put(self, records: Sequence[Fetched]) -> None:
        """Take a fetched batch."""
        if records[0].offset < self.next_offset:
            records = [record for record in records if record.offset >= self.next_offset]
        if records:
            self.fetched.extend(records)
            self.next_offset = records[-1].offset + 1

    def __len__(self) -> int:
        """Records that wait."""
        return len(self.fetched) + len(self.items)

    def decode_some(self) -> None:
        """Have at least one decoded item, if anything waits."""
        if not self.items:
            for _ in range(min(CHUNK, len(self.fetched))):
                self.items.append(to_item(self.fetched.popleft()))

    def take(self, until_ms: int | None) -> list[Item]:
        """The next items, at most a chunk; under the event clock those up to an instant."""
        taken: list[Item] = []
        self.decode_some()
        while self.items and len(taken) < CHUNK:
            if until_ms is not None and _time_of(self.items[0]) > until_ms:
                break
            taken.append(self.items.popleft())
        return taken

    def give_back(self, items: list[Item]) -> None:
        """Put items back to the front."""
        self.items.extendleft(reversed(items))

    def next_ms(self, clock: int) -> int | None:
        """Time of the next item, never before the partition's clock; None when nothing waits."""
        self.decode_some()
        return max(_time_of(self.items[0]), clock) if self.items else None


def _time_of(item: Item) -> int:
    """Event time of an item; -1 for what says nothing about the time of the input, as a clock far ahead does."""
    record = item.record
    if record is None or type(record) in _TIMELESS:
        return -1
    if is_control(record):
        return to_ms(record.at)
    return record.at_ms if record.at_ms <= item.broker_ms + FUTURE_MS else -1


_TIMELESS = frozenset({RegistryChanged, RulesApplied, RefoldAsked, ShiftPlanned})
"""A plan is told before its time, and brings none."""


def turn_by_time(inboxes: dict[int, Inbox], clocks: dict[int, int], now: float) -> tuple[int, int] | None:
    """(partition, instant up to which it may be folded) under the event clock; None when all must wait."""
    limit = 2**62
    best: tuple[int, int] | None = None
    for partition, inbox in inboxes.items():
        time = inbox.next_ms(clocks[partition])
        if time is None:
            if not inbox.has_ended:
                limit = min(limit, clocks[partition] + LEAD_MS)
            continue
        limit = min(limit, time + LEAD_MS)
        if inbox.blocked_until <= now and (best is None or time < best[0]):
            best = (time, partition)
    if best is None or best[0] > limit:
        return None
    return best[1], limit


def turn_in_order(inboxes: dict[int, Inbox], last: int, now: float) -> int | None:
    """The next partition after `last` that has something and is not blocked."""
    ready = sorted(p for p, inbox in inboxes.items() if len(inbox) and inbox.blocked_until <= now)
    if not ready:
        return None
    return next((partition for partition in ready if partition > last), ready[0])
