"""The supervisor: keeps every part of a floor running until it is told to stop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import structlog

from floorpulse.embedded.child import Child, last_line
from floorpulse.embedded.parts import Part
from floorpulse.embedded.run_file import PartState, PartStatus
from schemas.errors import ConfigError, Unavailable

TICK_S = 0.05
PREPARE_TRIES = 10
BASE_TRIES = 4

Changed = Callable[[list[PartStatus]], None]


class Supervisor:
    """
    Runs `base` parts, then `prepare`, then the `product` parts, and restarts whichever dies.

    `changed` is told the state of all parts at each change, and again where it found no room on the disk. Parts are
    started on the thread that calls `run`, as the kernel ties their end to that thread.
    """

    def __init__(
        self,
        base: Iterable[Part],
        prepare: Callable[[], None],
        product: Iterable[Part],
        *,
        logs: Path,
        changed: Changed,
    ) -> None:
        self._threads = ThreadPoolExecutor(8, thread_name_prefix="ready")
        self._base = [Child(part, logs, self._threads) for part in base]
        self._product = [Child(part, logs, self._threads) for part in product]
        self._all = self._base + self._product
        self._prepare, self._changed = prepare, changed
        self._preparing: Future[None] | None = None
        self._prepared = False
        self._tries = 0
        self._told: list[PartStatus] = []
        self._deaths: dict[str, int] = {}
        self._is_stopping = False

    def __enter__(self) -> Supervisor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop_all()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def request_stop(self) -> None:
        """
        Let `run` return; may be called by a signal handler or another thread.

        It takes no lock, and `run` waits on none: a handler that interrupts whoever holds it would wait for ever.
        """
        self._is_stopping = True

    def run(self) -> None:
        """
        Keep the parts running until `request_stop`; they end with the context.

        What `prepare` raises goes through. ConfigError: a base part does not start.
        """
        while not self._is_stopping:
            self.tick(time.monotonic())
            time.sleep(TICK_S)

    def tick(self, now: float) -> None:
        """One round over all parts; `now` in seconds of a monotonic clock."""
        for child in self._base:
            child.tick(now)
        self._advance()
        if self._prepared:
            for child in self._product:
                child.tick(now)
        self._tell()

    def _advance(self) -> None:
        """Prepare once, when all base parts are ready."""
        if self._prepared:
            return
        self._refuse_failing_base()
        if self._preparing is None:
            if all(child.state is PartState.READY for child in self._base):
                self._preparing = self._threads.submit(self._prepare)
        elif self._preparing.done():
            done, self._preparing = self._preparing, None
            self._prepared = self._outcome(done)

    def _refuse_failing_base(self) -> None:
        """A floor whose Kafka or store never comes up will not do so later either."""
        for child in self._base:
            if child.restarts >= BASE_TRIES:
                raise ConfigError(f"{child.part.name} does not start: {last_line(child.log)} ({child.log})")

    def _outcome(self, done: Future[None]) -> bool:
        self._tries += 1
        try:
            done.result()
        except Unavailable:
            if self._tries >= PREPARE_TRIES:
                raise
            return False
        return True

    def _tell(self) -> None:
        states = [child.status() for child in self._all]
        if states != self._told:
            with suppress(OSError):  # the parts go on while the disk is full; the next round tells it again
                self._log_deaths()
                self._changed(states)
                self._told = states

    def _log_deaths(self) -> None:
        for child in self._all:
            if child.restarts > self._deaths.get(child.part.name, 0):
                self._deaths[child.part.name] = child.restarts
                structlog.get_logger(__name__).warning(
                    "part_ended", part=child.part.name, deaths=child.restarts, last_line=last_line(child.log)
                )

    def _stop_all(self) -> None:
        for child in reversed(self._all):
            child.stop()
            self._tell()
