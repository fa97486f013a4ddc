"""A store in memory that keeps what ClickHouse would keep: the highest version of each row, bodies as JSON text."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from schemas.controls import Control
from schemas.events import decode, joined
from sinks.stored_panes import packed_by_minute
from streams.core.facts import CellKey
from streams.core.identity import ELSEWHERE, Known
from streams.core.log import Checkpoint, EventRow, Frozen, Move, Stored
from streams.core.panes import RESIDENT_MINUTES, Pane
from streams.core.subject import fold_all
from streams.core.versions import version_of

RowKey = tuple[str, str, int, str, str, int]
PaneKey = tuple[str, int, CellKey]
EPOCH = 1


@dataclass
class Shelf:
    """What is stored of one partition of events."""

    partition: int = 0
    rows: dict[RowKey, EventRow] = field(default_factory=dict)
    panes: dict[PaneKey, Pane] = field(default_factory=dict)
    moves: dict[tuple[str, int], Move] = field(default_factory=dict)
    bodies: dict[str, str] = field(default_factory=dict)
    mark: str = ""

    def write(self, frozen: Frozen, *, subjects: bool = True) -> None:
        """Write a flush; without `subjects` it breaks off before the checkpoint."""
        for row in frozen.events:
            key = (row.type, row.subject, row.at_ms, row.source, row.id, row.revision)
            if key not in self.rows or self.rows[key].version <= row.version:
                self.rows[key] = row
        self.moves |= {(move.identity, move.revision): move for move in frozen.moves}
        limit = version_of(EPOCH, frozen.checkpoint.boundary)
        late = [p for key in sorted(frozen.late) for p in self._refolded(key, frozen.late[key], limit, frozen)]
        for key, minute, cell, pane in [*frozen.panes, *late]:
            place = (key, minute, cell)
            if place not in self.panes or self.panes[place].version <= pane.version:
                self.panes[place] = pane
        if frozen.erasure is not None:
            self._erase({f"agent:{agent}" for agent in frozen.erasure.ids})
        if subjects:
            self.bodies |= {row.subject: json.dumps(row.body) for row in frozen.subjects}
            mark = frozen.checkpoint
            numbers = [mark.boundary, mark.clock_ms, mark.rows, mark.duplicates, mark.dead, mark.controls, mark.body]
            self.mark = json.dumps(numbers)

    def stored(self, *, refold: bool = True) -> Stored:
        """What a worker reads at its start; without `refold` panes above the checkpoint are taken as they stand."""
        mark = Checkpoint(*json.loads(self.mark))
        limit = version_of(EPOCH, mark.boundary)
        horizon = mark.body["now"] // 60_000 - RESIDENT_MINUTES
        panes, above = [], set()
        for (key, minute, cell), pane in self.panes.items():
            if minute >= horizon and (pane.version <= limit or not refold):
                panes.append((key, minute, cell, Pane(dict(pane.sums), list(pane.handle_times), pane.version)))
            elif minute >= horizon:
                above.add((key, minute))
        panes = [pane for pane in panes if pane[:2] not in above]
        for key, minute in sorted(above):
            panes += self._fold_again(key, {minute}, limit, mark.clock_ms)
        bodies = {key: body.encode() for key, body in self.bodies.items()}
        return Stored(mark, bodies, packed_by_minute(panes), self._known(limit), -1)

    def _erase(self, keys: set[str]) -> None:
        self.rows = {key: row for key, row in self.rows.items() if row.subject not in keys}
        self.panes = {key: pane for key, pane in self.panes.items() if key[0] not in keys}
        self.bodies = {key: body for key, body in self.bodies.items() if key not in keys}

    def look_up(self, identity: str) -> list[Known]:
        """All rows of a fact."""
        rows = [
            self._known_of(row)._replace(superseded_by=row.superseded_by, version=row.version)
            for row in self.rows.values()
            if joined(row.source, row.id, row.type) == identity
        ]
        return rows + [self._told(move) for move in self.moves.values() if move.identity == identity]

    def _known_of(self, row: EventRow) -> Known:
        return Known(self.partition, row.offset, row.revision, row.content, row.at_ms, row.payload, epoch=row.epoch)

    def _told(self, move: Move) -> Known:
        told = Known(self.partition, move.offset, 0, 0, move.at_ms, b"", epoch=EPOCH)
        return told._replace(superseded_by=move.revision, version=version_of(EPOCH, move.offset))

    def _known(self, limit: int) -> list[tuple[str, Known]]:
        told = [(joined(row.source, row.id, row.type), self._then(row, limit)) for row in self._taken()]
        told += [(move.identity, self._elsewhere(self._told(move))) for move in self.moves.values()]
        told = [(identity, known) for identity, known in told if version_of(EPOCH, known.offset) <= limit]
        return sorted(told, key=lambda one: one[1].offset)

    def _taken(self) -> list[EventRow]:
        """Rows of revisions that were the highest when they came."""
        return [row for row in self.rows.values() if row.version]

    def _then(self, row: EventRow, limit: int) -> Known:
        known = self._known_of(row)._replace(superseded_by=row.superseded_by)
        return self._elsewhere(known) if row.superseded_by and row.version <= limit else known

    def _elsewhere(self, known: Known) -> Known:
        return known._replace(partition=ELSEWHERE, revision=known.superseded_by, superseded_by=0, version=0)

    def _refolded(self, key: str, minutes: set[int], limit: int, frozen: Frozen) -> list[Any]:
        return self._fold_again(key, minutes, limit, frozen.checkpoint.clock_ms)

    def _fold_again(self, key: str, minutes: set[int], limit: int, clock: int) -> list[Any]:
        events = []
        for row in self.rows.values():
            counts = not row.void and (row.superseded_by == 0 or row.version > limit)
            event = decode(row.payload)
            if row.subject == key and counts and version_of(EPOCH, row.offset) <= limit:
                assert not isinstance(event, Control)
                events.append((row.offset, event))
        folded = fold_all(events, clock)
        cells = {(m, c) for m in minutes for c in folded.minutes.get(m) or {}}
        cells |= {(m, c) for k, m, c in self.panes if k == key and m in minutes}
        again = []
        for minute, cell in sorted(cells):
            pane = (folded.minutes.get(minute) or {}).get(cell, Pane())
            again.append((key, minute, cell, Pane(pane.sums, pane.handle_times, limit)))
        return again
