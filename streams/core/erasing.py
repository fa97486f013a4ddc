"""
Who was erased, as one partition's engine has it: nothing of them is left, and nothing of them comes in.

    ... events of a7, alerts, panes | registry_changed: a7 is erased | an event of a7: a dead letter without its bytes

What they gave to a queue stays; the event that says so no longer names them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from schemas.controls import is_control
from schemas.erasure import STRIPPED, is_about, mentions, unnamed, unnamed_payload
from schemas.events import FloorEvent, decode, encode
from schemas.registry import Registry
from streams.core.identity import Known
from streams.core.log import Erasure, Item, Letter, Stored

if TYPE_CHECKING:
    from streams.core.partition import PartitionEngine


class Erasing:
    """The erased people of one `PartitionEngine`."""

    def __init__(self, engine: PartitionEngine) -> None:
        """Those of the engine's registry: whoever was here before may have died before their rows were deleted."""
        self._engine = engine
        self.keys = _keys(engine.registry)
        """Their subjects."""
        self._erasure = Erasure(engine.registry.erased) if self.keys else None

    def erase(self) -> None:
        """The engine has another registry: let go of everything of those whom it erases."""
        keys = _keys(self._engine.registry)
        fresh, self.keys = keys - self.keys, keys
        if fresh:
            self._forget(fresh)

    def unnamed(self, event: FloorEvent, item: Item) -> Item:
        """The item of an event that is not theirs, as it is to be kept; it stays the same fact."""
        kept = unnamed(event, self._engine.registry.erased)
        return item if kept is event else item._replace(payload=encode(kept))

    def stripped(self, letter: Letter) -> Letter:
        """The letter, without its bytes where they are of somebody who was erased."""
        key = letter.key.decode("utf-8", "replace")
        if letter.reason != "erased" and not is_about(self._engine.registry.erased, letter.reason, key, letter.value):
            return letter
        return replace(letter, detail=STRIPPED, key=b"", value=b"", content=0)

    def take(self) -> Erasure | None:
        """Who is to be erased by the flush that is frozen now."""
        taken, self._erasure = self._erasure, None
        return taken

    def without(self, stored: Stored) -> Stored:
        """What is stored, without what a worker that was thought dead may have written of them."""
        if not self.keys:
            return stored
        bodies = {key: body for key, body in stored.bodies.items() if key not in self.keys}
        panes = [pane for pane in stored.panes if pane[0] not in self.keys]
        known = [(identity, kept) for identity, fact in stored.known if (kept := self._known(fact)) is not None]
        return replace(stored, bodies=bodies, panes=panes, known=known)

    def payload(self, payload: bytes) -> bytes:
        """The bytes of a stored event of somebody else, as they are to be written again."""
        return unnamed_payload(payload, self._engine.registry.erased) if self.keys else payload

    def _forget(self, keys: frozenset[str]) -> None:
        engine = self._engine
        engine.groups.make_all()  # with them: what is sent again is what differs without them
        for key in keys:
            engine.subjects.pop(key, None)
        engine.touched -= keys
        engine.time.drop(keys)
        engine.out.transitions = [step for step in engine.out.transitions if step[0].subject not in keys]
        engine.out.letters = [self.stripped(letter) for letter in engine.out.letters]
        self._forget_ids()
        before = self._erasure or Erasure(frozenset())
        ids = before.ids | {key.removeprefix("agent:") for key in keys}
        self._erasure = Erasure(ids, (*before.places, *self._forget_rows(keys)))

    def _known(self, fact: Known) -> Known | None:
        """What is remembered of a fact: nothing of theirs; those of others without their names."""
        if not mentions(fact.payload, self._engine.registry.erased):
            return fact
        event = decode(fact.payload)
        is_theirs = not is_control(event) and event.subject in self.keys
        return None if is_theirs else fact._replace(payload=self.payload(fact.payload))

    def _forget_ids(self) -> None:
        remembered = self._engine.remembered
        kept = {identity: self._known(fact) for identity, fact in remembered.facts().items()}
        remembered.replace({identity: fact for identity, fact in kept.items() if fact is not None})

    def _forget_rows(self, keys: frozenset[str]) -> list[tuple[int, int]]:
        """Their events that wait for a flush are never written; (epoch, offset) of those that counted as taken."""
        engine = self._engine
        theirs = [row for row in engine.events if row.subject in keys]
        engine.events = [
            row._replace(payload=self.payload(row.payload)) for row in engine.events if row.subject not in keys
        ]
        return sorted({(row.epoch, row.offset) for row in theirs if row.version})


def _keys(registry: Registry) -> frozenset[str]:
    return frozenset(f"agent:{agent}" for agent in registry.erased)
