"""The product's own processes: worker, gateway, delivery. Forked from a process that has imported everything."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from floorpulse.crashing import VARIABLE
from floorpulse.settings import Settings
from tests.forked import forked, write_to

ENDED_WITHIN_S = 30.0
KILLED = -signal.SIGKILL


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """How a worker is started; everything but `settings` and `name` is for tests only."""

    settings: Settings
    name: str
    log: Path
    crash_at: str = ""
    bug: str = ""
    """A planted fault of `tests.faults.harness.planted`."""
    alerts_late_s: float | None = None
    """How long the producer keeps alerts to itself: a broker that acknowledges late."""
    session_s: float | None = None
    """After how long a silent member loses its partitions."""
    request_s: float | None = None
    """How long a request to Kafka may take."""
    clock_ms: int = 0
    """How far the worker's own clock is off."""
    remembered: int | None = None
    """How many ids are kept in memory."""


@dataclass(slots=True)
class Part:
    """A process of the product."""

    name: str
    log: Path
    process: BaseProcess

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self.process.pid is not None
        return self.process.pid

    def is_running(self) -> bool:
        """True while it lives."""
        return self.process.is_alive()

    def ended(self, within_s: float = ENDED_WITHIN_S) -> int | None:
        """Wait for its end; the exit code, None when it lives on."""
        self.process.join(within_s)
        return self.process.exitcode

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.join(ENDED_WITHIN_S)

    def stop(self) -> int | None:
        """SIGTERM; kill -9 if that does not end it. Returns the exit code."""
        self.process.terminate()
        code = self.ended()
        if code is None:
            self.kill()
        return code

    def memory_mb(self) -> float:
        """Resident memory."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def said(self, event: str) -> int:
        """How often a log event stands in its log."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return text.count(f'"event": "{event}"')


def start_worker(spec: WorkerSpec) -> Part:
    """Start a worker."""
    return _start(spec.name, spec.log, _worker, spec)


def start_gateway(settings: Settings, log: Path) -> Part:
    """Start the gateway."""
    return _start("gateway", log, _gateway, settings)


def start_delivery(settings: Settings, log: Path, environment: dict[str, str]) -> Part:
    """Start delivery; its secrets are in the environment."""
    return _start("delivery", log, _delivery, (settings, environment))


def _start(name: str, log: Path, run: Callable[[Any], None], what: Any) -> Part:
    return Part(name, log, forked(name, _run, run, what, log))


def _run(run: Callable[[Any], None], what: Any, log: Path) -> None:
    """In the child: its output goes to the log."""
    from floorpulse.logs import set_up_logs

    write_to(log, log)
    set_up_logs("json")
    run(what)


def _worker(spec: WorkerSpec) -> None:
    from floorpulse.worker import run_worker
    from tests.faults.harness.planted import plant, wire

    if spec.crash_at:
        os.environ[VARIABLE] = spec.crash_at
    wire(spec)
    if spec.bug:
        plant(spec.bug)
    run_worker(spec.settings, spec.name, accept_gap=False)


def _gateway(settings: Settings) -> None:
    from floorpulse.cli.gateway import gateway

    os.environ.update(
        FLOORPULSE_KAFKA_BOOTSTRAP=settings.kafka_bootstrap,
        FLOORPULSE_CLICKHOUSE_URL=settings.clickhouse_url,
        FLOORPULSE_CLICKHOUSE_PASSWORD=settings.clickhouse_password.get_secret_value(),
        FLOORPULSE_CLICKHOUSE_DATABASE=settings.clickhouse_database,
        FLOORPULSE_GATEWAY_PORT=str(settings.gateway_port),
    )
    gateway(settings.data)


def _delivery(given: tuple[Settings, dict[str, str]]) -> None:
    import asyncio

    from floorpulse.delivery.process import run_delivery

    settings, environment = given
    os.environ.update(environment)
    asyncio.run(run_delivery(settings))
