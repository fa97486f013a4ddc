"""ClickHouse as the worker sees it (`streams.worker.ports.Storage`): one client for each thread that calls."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from clickhouse_connect.driver.exceptions import Error

from alerting.judge import RuleJudge
from alerting.load import load_rules
from alerting.rules import RuleSet
from schemas.errors import Unavailable
from schemas.topics import CONTRIBUTIONS, EVENTS
from sinks.clickhouse import ClickHouseSink, Step, sorted_error
from sinks.erasure import stripped
from sinks.letters import insert_letters
from sinks.raw import chunks, look_up
from sinks.registry import RULES_FILE, latest_revision, load_registry, load_rules_text, rules_before
from sinks.restore import read_stored, read_subjects
from sinks.retention import DEFAULT_RETENTION, Retention
from streams.core.identity import Known
from streams.core.log import Checkpoint, Frozen, Revision, Stored
from streams.core.spans import Identity

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client


REVISIONS_KEPT = 4
"""Partitions go over to a revision at different times; each revision has everybody on the floor in it."""


class ClickHouseStorage:
    """Reads and writes of the worker; its errors say what comes next."""

    def __init__(
        self,
        connect: Callable[[], Client],
        step: Step = lambda _name: None,
        retention: Retention = DEFAULT_RETENTION,
    ) -> None:
        """`connect` makes a new client; `step` is told each point between two writes of a flush."""
        self._connect = connect
        self._step = step
        self._retention = retention
        self._local = threading.local()
        self._revisions: dict[tuple[int, int], Revision] = {}
        """The last ones asked for, the latest at the end."""
        self._making = threading.Lock()
        self._erased: tuple[int, frozenset[str]] = (0, frozenset())
        """Revision of the registry, and whom it erases."""

    def stored(self, partitions: Collection[int], epoch: int) -> dict[int, Stored]:
        """What is stored of partitions of events."""
        with self._client() as client:
            return read_stored(client, EVENTS, partitions, epoch)

    def stored_groups(self, epoch: int) -> tuple[Checkpoint, dict[str, bytes]] | None:
        """The checkpoint of the contributions and the groups' bodies."""
        with self._client() as client:
            return read_subjects(client, CONTRIBUTIONS, [0], 2, epoch).get(0)

    def look_up(self, identities: Sequence[Identity]) -> dict[Identity, list[Known]]:
        """What is stored of some identities."""
        found: dict[Identity, list[Known]] = {}
        with self._client() as client:
            for chunk in chunks(identities):
                found |= look_up(client, chunk)
        return found

    def revision(self, registry: int, rules: int) -> Revision:
        """A revision of the registry with one of the rules; made once for whoever asks at the same time."""
        with self._making:
            known = self._revisions.pop((registry, rules), None)
            if known is None:
                with self._client() as client:
                    known = _revision(client, registry, rules)
            self._revisions[registry, rules] = known
            if len(self._revisions) > REVISIONS_KEPT:
                del self._revisions[next(iter(self._revisions))]
            return known

    def write(self, flush: Sequence[Frozen]) -> None:
        """Write a flush."""
        with self._client() as client:
            ClickHouseSink(client, self._step, self._retention).write(flush)

    def write_letters(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Write dead letters: those of people who were erased without their bytes."""
        erased = self.erased()
        with self._client() as client:
            insert_letters(client, [stripped(row, erased) for row in rows])

    def erased(self) -> frozenset[str]:
        """The ids of everybody who is erased by now, whatever a partition has heard of it."""
        with self._client() as client:
            newest = latest_revision(client, "registry")
            if newest != self._erased[0]:
                self._erased = (newest, load_registry(client, newest).erased)
            return self._erased[1]

    def letters_between(self, topic: str, partition: int, after: int, until: int) -> int:
        """
        Count dead letters by the offsets that they came from, but those of people who were erased.

        Of a topic that was made anew those since then: the offsets of the one before began at 0 too.
        """
        with self._client() as client:
            found = client.query(
                "SELECT count() FROM dead_letters FINAL WHERE topic = {topic:String} AND partition = {partition:Int32}"
                " AND offset > {after:Int64} AND offset <= {until:Int64} AND reason != 'erased'"
                " AND at >= (SELECT max(seen_at) FROM topics WHERE topic = {topic:String})",
                parameters={"topic": topic, "partition": partition, "after": after, "until": until},
            )
            return int(found.result_rows[0][0])

    def accept_gap(self, topic: str, partition: int, first: int, last: int) -> None:
        """Record that a person accepted that these offsets are missing."""
        with self._client() as client:
            client.insert(
                "gaps",
                [[topic, partition, first, last]],
                column_names=["topic", "partition", "from_offset", "to_offset"],
            )

    @contextmanager
    def _client(self) -> Iterator[Client]:
        try:
            client = getattr(self._local, "client", None)
            if client is None:
                client = self._local.client = self._connect()
            yield client
        except Error as error:
            raise sorted_error(error) from error
        except OSError as error:
            raise Unavailable(f"ClickHouse does not answer: {error}") from error


def _revision(client: Client, registry: int, rules: int) -> Revision:
    known = load_registry(client, registry)
    now, before = _rule_set(client, rules), rules_before(client, rules)
    return Revision(known, RuleJudge(now, known, 1, before), RuleJudge(now, known, 2, before))


def _rule_set(client: Client, revision: int) -> RuleSet:
    text = load_rules_text(client, revision) if revision > 0 else None
    return load_rules(text, RULES_FILE, revision) if text else RuleSet(revision=revision, rules=())
