"""
Facts that go from one key to another, and so from partition to partition, as one partition's engine has them.

    p0   r0 (a0) ............ asked: r1 is elsewhere, r0 is taken back
    p1   r1 (a1): asks the others
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.controls import RefoldAsked, is_control
from schemas.events import FloorEvent, decode, parted
from schemas.times import from_ms
from streams.core.identity import ELSEWHERE, Known, newest_of
from streams.core.log import Item, Move
from streams.core.spans import Identity

if TYPE_CHECKING:
    from streams.core.partition import PartitionEngine


class Moving:
    """The moved facts of one `PartitionEngine`."""

    def __init__(self, engine: PartitionEngine) -> None:
        """None so far."""
        self._engine = engine
        self._moves: list[Move] = []

    def ask_others(self, identity: Identity, revision: int) -> None:
        """Ask every other partition to count nothing of a fact below a revision."""
        why = "a higher revision went to another key"
        at = from_ms(max(self._engine.clock, 0))
        self._engine.out.asks.append(RefoldAsked(at=at, moved=parted(identity), revision=revision, why=why))

    def give_up(self, identity: Identity, revision: int, item: Item) -> None:
        """
        Of a fact, count nothing below a revision: not what is here, and not what comes later.

        Who has a higher one says so: it may have replaced what was here before the others were heard of.
        """
        engine = self._engine
        known = newest_of(engine.remembered.get(identity), item.prior)
        if known is not None and known.revision >= revision:
            if known.revision > revision and known.partition != ELSEWHERE:
                self.ask_others(identity, known.revision)
            return
        at_ms = max(engine.clock, 0) if known is None else known.at_ms
        old = self._counted(known)
        if known is None or old is None:
            self._moves.append(Move(identity, revision, item.offset, at_ms))
        else:
            engine.take_back(old, known, revision)
        elsewhere = Known(ELSEWHERE, item.offset, revision, 0, at_ms, b"", item.broker_ms, epoch=engine.epoch)
        engine.remembered.put(identity, elsewhere)

    def take(self) -> list[Move]:
        """What is to be noted by the flush that is frozen now."""
        taken, self._moves = self._moves, []
        return taken

    def _counted(self, known: Known | None) -> FloorEvent | None:
        """The event that counts here; None for one that is elsewhere, or of somebody who was erased."""
        if known is None or known.partition == ELSEWHERE:
            return None
        event = decode(known.payload)
        return None if is_control(event) or event.subject in self._engine.erasing.keys else event
