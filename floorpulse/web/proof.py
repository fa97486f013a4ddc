"""
The proof that goes on all day: offsets and rows of every partition, and some subjects and ledgers in turn.

It is what `floorpulse reconcile` does, in parts, so that Prometheus hears of a wrong number before a person does.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

import structlog
from clickhouse_connect.driver.exceptions import ClickHouseError

from floorpulse.clock import now_ms
from floorpulse.web.metrics import WebMetrics
from records.core.chain import broken_at, lost_after
from records.store.audit import stripped_streams
from records.store.clickhouse import ClickHouseLedgerStore
from records.store.erasing import living_streams
from schemas.errors import FloorpulseError
from schemas.records import ERASED, erased_stream
from sinks.erasure import keys_of
from sinks.reconcile import reconcile
from sinks.registry import load_registry
from sinks.retention import Retention

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

PERIOD_S = 600.0
SUBJECTS = 30
STREAMS = 200
_NO_HEAD = (0, "")
KINDS = ("offsets", "rows", "dead_letters", "pane", "quarter", "chain")


class Proof:
    """Compares in a thread of its own, with a client of its own."""

    def __init__(self, client_factory: Callable[[], Client], metrics: WebMetrics, retention: Retention) -> None:
        """`retention`: what may have expired by it is not compared."""
        self._client_factory, self._retention = client_factory, retention
        self._metrics = metrics
        self._client: Client | None = None
        self._turns: Counter[str] = Counter()
        self._heads: dict[str, tuple[int, str]] = {}
        """Stream -> (sequence, hash) of the last entry that it had when it was looked at last."""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="proof", daemon=True)

    def start(self) -> None:
        """Begin; the first comparison is one period from now, and until then nobody misses it."""
        self._metrics.proved.set(now_ms() / 1000)
        self._thread.start()

    def stop(self) -> None:
        """End, within the comparison that is under way."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def compare(self) -> None:
        """One round; a store that does not answer leaves the figures as they are."""
        try:
            if self._client is None:
                self._client = self._client_factory()
            found = self._found(self._client)
        except (ClickHouseError, FloorpulseError, OSError) as error:
            self._client = None
            reason = " ".join(str(error).split())[:300]
            structlog.get_logger(__name__).warning("query_failed", what="proof", reason=reason)
            return
        except Exception as error:
            # as for the board: an answer that broke off must not end the proof for good
            self._client = None
            log = structlog.get_logger(__name__)
            log.exception("query_failed", what="proof", error_type=type(error).__name__)
            return
        for what in KINDS:
            self._metrics.differences.labels(what).set(found[what])
        self._metrics.proved.set(now_ms() / 1000)

    def _found(self, client: Client) -> Counter[str]:
        def choose(keys: list[str]) -> list[str]:
            return self._next("subjects", keys, SUBJECTS)

        differences = reconcile(client, choose=choose, retention=self._retention).differences
        found = Counter(difference.what for difference in differences)
        found["chain"] = self._broken_chains(client)
        for difference in differences:
            log = structlog.get_logger(__name__)
            log.error("difference_found", what=difference.what, where=difference.where, expected=difference.expected)
        return found

    def _broken_chains(self, client: Client) -> int:
        store = ClickHouseLedgerStore(client)
        there = store.streams()
        streams = self._next("streams", there, STREAMS)
        entries = store.load(streams)
        broken = self._vanished(frozenset(there))
        if any(stream.startswith(ERASED) for stream in there):
            living = living_streams(client, keys_of(load_registry(client).erased))
            broken |= dict.fromkeys(stripped_streams(there, living), 1)
        for stream in (stream for stream in streams if entries[stream]):  # one that went meanwhile is told of next time
            at = broken_at(entries[stream]) or lost_after(entries[stream], self._heads.get(stream, _NO_HEAD))
            if at is None:
                self._heads[stream] = (entries[stream][-1].sequence, entries[stream][-1].hash)
            else:
                broken[stream] = at
        for stream, at in broken.items():
            structlog.get_logger(__name__).error("difference_found", what="chain", where=f"{stream} {at}")
        return len(broken)

    def _vanished(self, there: Collection[str]) -> dict[str, int]:
        """The streams that were there and are no more, each with its first place; those of who was erased moved."""
        gone = [stream for stream in self._heads if stream not in there]
        for stream in gone:
            if (left := erased_stream(stream)) in there:
                self._heads[left] = self._heads.pop(stream)
        return {stream: 1 for stream in gone if stream in self._heads}

    def _next(self, what: str, keys: Sequence[str], most: int) -> list[str]:
        """The next `most` keys in turn; all of them come once before any comes again."""
        if len(keys) <= most:
            return list(keys)
        first = self._turns[what] % len(keys)
        self._turns[what] = first + most
        return [*keys, *keys][first : first + most]

    def _run(self) -> None:
        while not self._stopping.wait(PERIOD_S):
            self.compare()
