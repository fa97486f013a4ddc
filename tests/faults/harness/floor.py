"""One floor under faults: its own topics and database on the session's servers, its workers, its ledger."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient, MemberToRemove
from kafka.errors import KafkaError

from floorpulse.clock import utc_now
from floorpulse.drain import HOPS, Hop, missing, stored_offsets
from floorpulse.erasure import who, without
from floorpulse.offsets import admin_client, committed_offsets, end_offsets
from floorpulse.publish import publish_registry, publish_rules
from floorpulse.settings import Settings
from floorpulse.wiring import clickhouse_client, producer
from schemas.controls import Ticked
from schemas.events import encode
from schemas.registry import DEFAULT_SITE, Floor, Site
from schemas.times import MINUTE_MS, from_ms
from schemas.topics import ALERTS, CONTRIBUTIONS, EVENTS, RECORD_EVENTS, TOPICS, WORKER_GROUP
from sinks.registry import load_registry
from sinks.schema import apply_schema
from sinks.topics import apply_topics, topic_states
from tests.faults.harness.checks import Evidence, Violation, violations
from tests.faults.harness.ledger import Ledger
from tests.faults.harness.log import read_topic
from tests.faults.harness.model import Reader, alerts_expected
from tests.faults.harness.parts import Part, WorkerSpec, start_worker
from tests.faults.harness.proxy import Proxy
from tests.faults.harness.sendings import Sending, Simulated
from tests.faults.harness.waiting import pause, wait_for

RULES = Path(__file__).with_name("rules.yaml")
DRAINED_WITHIN_S = 120.0
RESTART_S = 0.3
LOOK_S = 0.1
DATABASE = "faults"
LIVES = 10
"""Each begins with half a second in which nothing is due."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What a run is told to have done: the proof that something happened (I7)."""

    deaths: int
    replayed: int
    duplicates: int
    letters: int
    alerts: int
    alert_copies: int
    events: int


class FaultFloor:
    """A floor whose workers may be started, killed and started again."""

    def __init__(self, settings: Settings, folder: Path, *, away_s: float, proxy: Proxy | None = None) -> None:
        """
        Prepared: topics, tables, rules. `away_s` is the threshold of the rule `long-away`.

        `proxy`: what the workers have before their store; the harness itself goes past it.
        """
        self.settings = settings
        self.folder = folder
        self._proxy = proxy
        self.away_ms = round(away_s * 1000)
        self.rules_changed = False
        self.erased: dict[str, int] = {}
        """Agents who are erased, with the revision that says so."""
        self.ledger = Ledger()
        self.workers: dict[str, Part] = {}
        self.deaths = 0
        self._specs: dict[str, WorkerSpec] = {}
        empty_database(settings)
        self.client = clickhouse_client(settings)
        self.client.command("SYSTEM STOP MERGES events")
        self._open = ExitStack()
        self._admin = self._open.enter_context(admin_client(settings))
        apply_topics(self._admin, settings.partitions)
        publish_registry(settings, Floor(sites=[Site(id=DEFAULT_SITE)]), "tests")
        publish_rules(settings, RULES.read_text().replace("AWAY_S", f"{away_s:g}"), "tests")
        self.producer: KafkaProducer = producer(settings)

    @property
    def event_clock(self) -> bool:
        """True for a floor whose time is that of its events."""
        return self.settings.clock == "event"

    def start(self, name: str = "w1", **how: Any) -> Part:
        """Start a worker, or start it again; `how` as in `WorkerSpec`."""
        spec = WorkerSpec(self.settings, name, self.folder / f"{name}.log", **how)
        spec = replace(spec, settings=self._settings_of(name, spec.settings))
        self._specs[name] = spec
        self.workers[name] = start_worker(spec)
        return self.workers[name]

    def start_again(self, name: str = "w1") -> Part:
        """Start a worker as it was started last, without its crash point."""
        self.workers[name] = start_worker(replace(self._specs[name], crash_at=""))
        return self.workers[name]

    def kill(self, name: str = "w1") -> None:
        """kill -9 a worker."""
        self.workers[name].kill()
        self.deaths += 1

    def supervise(self) -> int:
        """Start again whatever has ended; returns how many had."""
        ended = [name for name, part in self.workers.items() if not part.is_running()]
        for name in ended:
            self.deaths += 1
            pause(RESTART_S)
            self.start_again(name)
        return len(ended)

    def send(self, sendings: Iterable[Sending]) -> None:
        """Send, and wait for the broker's word."""
        self.ledger.send(self.producer, sendings)

    def erase(self, agent: str) -> None:
        """Say that an agent is erased, as `floorpulse erase` does before it waits for anybody."""
        registry = load_registry(self.client)
        gone = who(self.client, registry, agent, utc_now())
        self.erased[agent] = publish_registry(self.settings, without(registry.floor, gone), "tests")

    def tick(self, at_ms: int) -> None:
        """Say to every partition that time has come to an instant."""
        for partition in sorted(self.producer.partitions_for(EVENTS)):
            self.producer.send(EVENTS, value=encode(Ticked(at=from_ms(at_ms))), partition=partition)
        self.producer.flush()

    def end_minute(self, clock: Simulated) -> None:
        """Under the event clock: let a minute pass, so that the groups have everything."""
        clock.now_ms += 2 * MINUTE_MS
        self.tick(clock.now_ms)

    def drained(self, within_s: float = DRAINED_WITHIN_S) -> float:
        """Wait until everything is through all hops, under supervision; returns the seconds it took."""
        return wait_for(self._is_drained, within_s, "drained", every_s=LOOK_S)

    def _is_drained(self) -> bool:
        self.supervise()
        try:
            return self._is_through()
        except KafkaError:
            return False

    def _is_through(self) -> bool:
        return not any(missing(end_offsets(self._admin, hop.topic), self._reached(hop)) for hop in HOPS)

    def _reached(self, hop: Hop) -> dict[int, int]:
        if hop.reached == "stored":
            return stored_offsets(self.client, hop.topic)
        return committed_offsets(self._admin, hop.topic, WORKER_GROUP)

    def judged(self) -> list[Violation]:
        """Stop the workers and look at what they left: everything that is wrong."""
        self._stop_at_rest()
        bootstrap = self.settings.kafka_bootstrap
        log = read_topic(bootstrap, EVENTS)
        fates = Reader(log, self.ledger.intents(), event_clock=self.event_clock, erased=self.erased).fates
        expected = alerts_expected(fates, away_ms=self.away_ms, event_clock=self.event_clock)
        end = end_offsets(self._admin, CONTRIBUTIONS)[0]
        return violations(
            Evidence(
                self.client,
                self.ledger,
                fates,
                log,
                read_topic(bootstrap, ALERTS),
                read_topic(bootstrap, RECORD_EVENTS),
                None if self.rules_changed else expected,
                end,
                self.event_clock,
            )
        )

    def _stop_at_rest(self) -> None:
        """
        Stop the workers where nothing is under way.

        Under the wall clock time goes on after the floor is drained, and alerts with it: what the stop broke off is
        for the next life to finish.
        """
        names = list(self.workers)
        self.stop_workers()
        if self.event_clock or not names:
            return
        for _ in range(LIVES):
            if self._is_through():
                return
            for name in names:
                self.start_again(name)
            self.drained()
            self.stop_workers()
        raise AssertionError(f"no rest within {LIVES} lives")

    def counted(self) -> Counted:
        """What happened, in numbers."""
        ask = self.number
        copies = len(read_topic(self.settings.kafka_bootstrap, ALERTS))
        identity = "type, subject, at, source, id, revision, version"
        return Counted(
            deaths=self.deaths,
            replayed=ask(f"SELECT count() - uniqExact({identity}) FROM events"),
            duplicates=ask("SELECT sum(duplicates) FROM subjects FINAL WHERE kind = 'partition' AND hop = 1"),
            letters=ask("SELECT count() FROM dead_letters FINAL"),
            alerts=ask("SELECT count() FROM alert_transitions FINAL"),
            alert_copies=copies,
            events=ask("SELECT count() FROM events FINAL"),
        )

    def number(self, sql: str, **parameters: Any) -> int:
        """The one number that a query gives."""
        return int(self.client.query(sql, parameters=parameters).result_rows[0][0])

    def metric(self, name: str, worker: str = "w1") -> float:
        """A figure of a worker's /metrics, summed over its labels."""
        import urllib.request

        port = self._specs[worker].settings.metrics_port
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            text = answer.read().decode()
        values = re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text, re.MULTILINE)
        return sum(map(float, values))

    def stop_workers(self) -> None:
        """Stop all workers; how they end does not matter any more."""
        for part in self.workers.values():
            part.kill()
        self.workers.clear()

    def close(self) -> None:
        """Take away the topics and the group's members; the database is emptied by the next floor."""
        self.stop_workers()
        self.producer.close(timeout=5)
        with self._open:
            _forget_members(self._admin, list(self._specs))
            self._admin.delete_topics([topic.name for topic in TOPICS])
            wait_for(lambda: not topic_states(self._admin), 30, "topics are deleted")
        self.client.close()

    def _settings_of(self, name: str, settings: Settings) -> Settings:
        number = int(re.sub(r"\D", "", name) or 0)
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        changed: dict[str, Any] = {"metrics_port": settings.metrics_port + number, "data": folder}
        if self._proxy is not None:
            changed["clickhouse_url"] = f"http://127.0.0.1:{self._proxy.port}"
        return settings.model_copy(update=changed)


def empty_database(settings: Settings) -> None:
    """The whole schema without a row: made once on a store, emptied after that."""
    client = clickhouse_client(settings, database="default")
    try:
        sql = "SELECT name FROM system.tables WHERE database = {name:String} AND endsWith(engine, 'MergeTree')"
        tables = client.query(sql, parameters={"name": DATABASE}).result_rows
        for (table,) in tables:
            client.command(f"TRUNCATE TABLE {DATABASE}.{table}")
        if not tables:
            apply_schema(client, DATABASE)
    finally:
        client.close()


def _forget_members(admin: KafkaAdminClient, names: list[str]) -> None:
    """A member with a name of its own stays in the group for half a minute after its end."""
    with suppress(KafkaError):
        admin.remove_group_members(WORKER_GROUP, [MemberToRemove(group_instance_id=name) for name in names])


@contextmanager
def own_floor(
    base: Settings, folder: Path, *, away_s: float, proxy: Proxy | None = None, **changed: Any
) -> Iterator[FaultFloor]:
    """A floor of its own, one at a time on its servers; `changed` settings."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = base.model_copy(update={"clickhouse_database": DATABASE, **changed})
    floor = FaultFloor(settings, folder, away_s=away_s, proxy=proxy)
    try:
        yield floor
    finally:
        floor.close()


def said(found: list[Violation], seed: int, *more: object) -> str:
    """What a failed run prints: the seed that repeats it, and everything that is wrong."""
    lines = [f"{violation.check}: {violation.what}" for violation in found]
    return "\n".join([f"repeat it with FLOORPULSE_FAULT_SEED={seed} {more or ''}", *lines])
