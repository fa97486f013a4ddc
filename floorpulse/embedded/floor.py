"""A whole embedded floor on one data folder: run it, start it in the background, stop it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from floorpulse.embedded import gate, kafka
from floorpulse.embedded.child import last_line
from floorpulse.embedded.parts import base_parts, product_parts
from floorpulse.embedded.ports import PortClaims
from floorpulse.embedded.run_file import PartState, PartStatus, RunFile, read_run_file, remove_run_file
from floorpulse.embedded.supervisor import Supervisor
from floorpulse.settings import Settings, load_settings
from schemas.errors import ConfigError, InputError

LOCK_FILE = "supervisor.lock"
USUAL_KAFKA_PORT = 9092
USUAL_CONTROLLER_PORT = 9093
USUAL_STORE_PORT = 8123
LEAST_FREE_BYTES = 300 * 1024 * 1024
READY_WITHIN_S = 120.0
STOPPED_WITHIN_S = 90.0
RESTARTS_THAT_FAIL = 4

Prepare = Callable[[Settings], None]
Announce = Callable[[PartStatus], None]


@dataclass(frozen=True, slots=True)
class Choice:
    """What the command line of `floorpulse up` says; None leaves it to the settings."""

    data: Path
    clock: str | None = None
    timezone: str | None = None

    def arguments(self) -> list[str]:
        """The same as arguments of `floorpulse up`."""
        given = {"--data": str(self.data), "--clock": self.clock, "--timezone": self.timezone}
        return [word for key, value in given.items() if value is not None for word in (key, value)]


def is_running(data: Path) -> bool:
    """Whether a supervisor lives on the data folder."""
    return gate.is_locked(data / LOCK_FILE)


def run_floor(choice: Choice, libs: Path, prepare: Prepare, announce: Announce) -> None:
    """
    Run a floor until SIGTERM or SIGINT, then stop its parts in order and remove the run file.

    `prepare` is called once Kafka and the store answer; `announce` whenever a part becomes ready.
    InputError: the floor already runs; ConfigError: folder, disk or settings that cannot be used.
    """
    data = gate.made_folder(choice.data)
    _check_disk(data)
    with gate.lock(data / LOCK_FILE, f"{data}: a floor already runs here: `floorpulse down` stops it") as held:
        _note_pid(held.fileno())
        remove_run_file(data)  # of a supervisor that was killed
        with PortClaims() as ports:
            try:
                _run(data, choice, libs, prepare, _Teller(announce), ports)
            finally:
                remove_run_file(data)


def _run(data: Path, choice: Choice, libs: Path, prepare: Prepare, teller: _Teller, ports: PortClaims) -> None:
    wanted = load_settings(data, clock=choice.clock, timezone=choice.timezone)
    broker, shared, settings = _laid_out(data, wanted, libs, ports, _claimed(wanted, ports))

    def changed(parts: list[PartStatus]) -> None:
        RunFile(supervisor=os.getpid(), parts=parts, settings=shared).write(data)
        teller.tell(parts)

    supervisor = Supervisor(
        base_parts(settings, broker, libs),
        lambda: prepare(load_settings(data)),
        product_parts(settings),
        logs=data / "logs",
        changed=changed,
    )
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: supervisor.request_stop())
    with supervisor:
        supervisor.run()


def run_base(data: Path, libs: Path, work: Callable[[Settings], None]) -> None:
    """
    Run the Kafka and the store of a folder, without the parts of floorpulse, for as long as some work takes.

    `work` gets settings that find both; Unavailable in it is tried again. InputError: the floor runs.
    """
    data = gate.made_folder(data)
    _check_disk(data)
    refusal = f"{data}: the floor runs: `floorpulse down --data {data}` stops it"
    with gate.lock(data / LOCK_FILE, refusal) as held, PortClaims() as ports:
        _note_pid(held.fileno())
        remove_run_file(data)
        wanted = load_settings(data)
        broker, shared, settings = _laid_out(data, wanted, libs, ports, _usual(wanted))

        def work_once() -> None:
            work(load_settings(data))
            supervisor.request_stop()

        def changed(parts: list[PartStatus]) -> None:
            RunFile(supervisor=os.getpid(), parts=parts, settings=shared).write(data)

        base = base_parts(settings, broker, libs)
        supervisor = Supervisor(base, work_once, [], logs=data / "logs", changed=changed)
        try:
            with supervisor:
                supervisor.run()
        finally:
            remove_run_file(data)


def _laid_out(
    data: Path, wanted: Settings, libs: Path, ports: PortClaims, product_ports: dict[str, int]
) -> tuple[kafka.Broker, dict[str, str | int], Settings]:
    """The folder made ready for its parts: broker, what the parts share, and the settings as they will read them."""
    broker = kafka.Broker(data / "kafka", ports.claim(USUAL_KAFKA_PORT), ports.claim(USUAL_CONTROLLER_PORT))
    shared = _shared_settings(wanted, broker, ports) | product_ports
    settings = _settings_of_the_parts(data, shared)
    kafka.write_files(broker)
    kafka.format_storage(broker, libs)
    (data / "logs").mkdir(exist_ok=True)
    return broker, shared, settings


def _shared_settings(wanted: Settings, broker: kafka.Broker, ports: PortClaims) -> dict[str, str | int]:
    """
    What the children read out of the run file, apart from ports of their own.

    A time zone only where somebody set one: else the default would be asked for on a floor that has another.
    """
    zone: dict[str, str | int] = {"timezone": wanted.timezone} if "timezone" in wanted.model_fields_set else {}
    return zone | {
        "kafka_bootstrap": broker.bootstrap,
        "clickhouse_url": f"http://127.0.0.1:{ports.claim(USUAL_STORE_PORT)}",
        "clickhouse_user": "default",
        "clickhouse_database": wanted.clickhouse_database,
        "clock": wanted.clock,
        "web_host": wanted.web_host,
    }


def _claimed(wanted: Settings, ports: PortClaims) -> dict[str, int]:
    """The ports of the parts of floorpulse itself."""
    return {
        "web_port": ports.claim(wanted.web_port, wanted.web_host),
        "gateway_port": ports.claim(wanted.gateway_port, wanted.gateway_host),
        "metrics_port": ports.claim(wanted.metrics_port, wanted.metrics_host),
        "delivery_metrics_port": ports.claim(wanted.delivery_metrics_port, wanted.metrics_host),
    }


def _usual(wanted: Settings) -> dict[str, int]:
    """The same ports where nothing will listen on them: whoever holds them is in nobody's way."""
    return {
        "web_port": wanted.web_port,
        "gateway_port": wanted.gateway_port,
        "metrics_port": wanted.metrics_port,
        "delivery_metrics_port": wanted.delivery_metrics_port,
    }


def _settings_of_the_parts(data: Path, shared: dict[str, str | int]) -> Settings:
    """The settings as a child will read them. ConfigError: environment or file say otherwise."""
    RunFile(supervisor=os.getpid(), parts=[], settings=dict(shared)).write(data)
    settings = load_settings(data)
    for key, value in shared.items():
        if getattr(settings, key) != value:
            raise ConfigError(
                f"{key} is set to {getattr(settings, key)!r} by environment or floorpulse.yaml, "
                f"but this floor needs {value!r}: unset it, or do not use `floorpulse up`"
            )
    return settings


class _Teller:
    """Announces each part when it becomes ready once."""

    def __init__(self, announce: Announce) -> None:
        self._announce = announce
        self._last: dict[str, PartState] = {}

    def tell(self, parts: list[PartStatus]) -> None:
        for part in parts:
            if part.state is PartState.READY and self._last.get(part.name) is not PartState.READY:
                self._announce(part)
            self._last[part.name] = part.state


def _note_pid(lock: int) -> None:
    """Into the lock file, so that `floorpulse down` finds the supervisor before there is a run file."""
    os.ftruncate(lock, 0)
    os.write(lock, str(os.getpid()).encode())


def _check_disk(data: Path) -> None:
    if shutil.disk_usage(data).free < LEAST_FREE_BYTES:
        raise ConfigError(f"{data}: less than {LEAST_FREE_BYTES >> 20} MB of disk are free")


def start_in_background(choice: Choice) -> RunFile:
    """
    Start a floor that outlives this process, and wait until every part is ready.

    InputError: it already runs, it ended, or a part does not become ready; a floor whose parts fail is left
    running, so that its logs and `floorpulse status` can be read.
    """
    data = gate.made_folder(choice.data)
    if is_running(data):
        raise InputError(f"{data}: a floor already runs here: `floorpulse down` stops it")
    remove_run_file(data)
    (data / "logs").mkdir(exist_ok=True)
    log = data / "logs" / "supervisor.log"
    command = [sys.executable, "-m", "floorpulse.cli.main", "up", *choice.arguments()]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    return _wait_until_ready(process, data, log)


def _wait_until_ready(process: subprocess.Popen[bytes], data: Path, log: Path) -> RunFile:
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise InputError(last_line(log) or f"{data}: the floor ended at its start: see {log}")
        floor = read_run_file(data)
        if floor and floor.is_ready():
            return floor
        if floor:
            _refuse_failing(floor, data)
        time.sleep(0.1)
    raise InputError(f"{data}: {_not_ready(data)} not ready within {READY_WITHIN_S:.0f} s: see {data / 'logs'}")


def _refuse_failing(floor: RunFile, data: Path) -> None:
    for part in floor.parts:
        if part.restarts >= RESTARTS_THAT_FAIL and part.state is not PartState.READY:
            log = data / "logs" / f"{part.name}.log"
            raise InputError(f"{part.name} ends again and again: {last_line(log)} ({log}; the other parts go on)")


def _not_ready(data: Path) -> str:
    floor = read_run_file(data)
    parts = floor.parts if floor else []
    return ", ".join(part.name for part in parts if part.state is not PartState.READY) or "the floor is"


def stop_floor(data: Path) -> bool:
    """Stop a floor and wait for its end; False when none ran. InputError: it does not end."""
    if not is_running(data):
        remove_run_file(data)
        return False
    told, deadline = 0, time.monotonic() + STOPPED_WITHIN_S
    while is_running(data):
        supervisor = int((data / LOCK_FILE).read_text(encoding="utf-8") or 0)
        if supervisor != told:  # 0: it has the lock, and is about to note its number
            told = supervisor
            with suppress(ProcessLookupError):
                os.kill(supervisor, signal.SIGTERM)
        if time.monotonic() > deadline:
            raise InputError(f"{data}: the floor (process {supervisor}) has not stopped: see {data / 'logs'}")
        time.sleep(0.05)
    return True
