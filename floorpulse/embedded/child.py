"""One supervised process: start, readiness, restart with back-off, stop."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from concurrent.futures import Executor, Future
from contextlib import suppress
from pathlib import Path

from floorpulse.embedded import launch
from floorpulse.embedded.parts import Part
from floorpulse.embedded.run_file import PartState, PartStatus

FIRST_DELAY_S = 0.2
LONGEST_DELAY_S = 10.0
STEADY_S = 30.0
ASK_EVERY_S = 0.2
LARGEST_LOG = 20 * 1024 * 1024
LOOK_EVERY_S = 60.0
"""How often the size of a log is looked at: a floor may run for months."""


class Backoff:
    """How long to wait before a restart: 0.2 s, then twice as long each time up to 10 s, anew after 30 s of life."""

    def __init__(self) -> None:
        self._next_s = FIRST_DELAY_S

    def after_life_of(self, lived_s: float) -> float:
        """The wait in seconds before the next start of a process that lived that long."""
        if lived_s >= STEADY_S:
            self._next_s = FIRST_DELAY_S
        delay, self._next_s = self._next_s, min(self._next_s * 2, LONGEST_DELAY_S)
        return delay


class Child:
    """The life of one part. Times are seconds of a monotonic clock, given at each call."""

    def __init__(self, part: Part, logs: Path, asks: Executor) -> None:
        self.part = part
        self.log = logs / f"{part.name}.log"
        self.restarts = 0
        self.state = PartState.WAITING
        self._asks = asks
        self._process: subprocess.Popen[bytes] | None = None
        self._backoff = Backoff()
        self._started = self._due = self._ask_at = self._look_at = 0.0
        self._answer: Future[bool] | None = None

    def status(self) -> PartStatus:
        """What the run file says of it."""
        return PartStatus(
            name=self.part.name,
            pid=self._process.pid if self._process else None,
            ports=self.part.ports,
            restarts=self.restarts,
            state=self.state,
        )

    def tick(self, now: float) -> None:
        """Notice a death, start when it is due, ask for readiness, keep the log small."""
        if self._process is not None and self._process.poll() is not None:
            self._died(now)
        if self._process is None and now >= self._due:
            self._start(now)
        elif self._process is not None and self.state is not PartState.READY:
            self._ask(now)
        elif now >= self._look_at:
            self._look_at = now + LOOK_EVERY_S
            self._turn_log()

    def stop(self) -> None:
        """End the process: SIGTERM, and after the part's time to stop SIGKILL."""
        if self._process is None:
            return
        self._signal(signal.SIGTERM)
        try:
            self._process.wait(self.part.stop_s)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self._process.wait()
        self._process, self.state = None, PartState.WAITING

    def _start(self, now: float) -> None:
        self._turn_log()
        self._started = now
        try:
            self._process = self._launched()
        except OSError:  # no room, no memory, too many processes: there may be some soon
            self._died(now)
            return
        self.state, self._answer = PartState.STARTING, None
        self._ask_at = now + self.part.settle_s

    def _launched(self) -> subprocess.Popen[bytes]:
        launcher = [sys.executable, "-I", "-S", str(Path(launch.__file__)), str(os.getpid())]
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [*launcher, *self.part.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the supervisor, which stops the parts in their order
            )

    def _turn_log(self) -> None:
        """Keep a log that is too large as the one before; the part goes on writing to the same file, at its end."""
        with suppress(OSError):  # no room for it now: a log is no reason to end a floor
            if self.log.exists() and self.log.stat().st_size > LARGEST_LOG:
                shutil.copyfile(self.log, self.log.with_suffix(".log.1"))
                os.truncate(self.log, 0)

    def _died(self, now: float) -> None:
        self._process, self.state = None, PartState.RESTARTING
        self.restarts += 1
        self._due = now + self._backoff.after_life_of(now - self._started)

    def _ask(self, now: float) -> None:
        if self._answer is not None and self._answer.done():
            if self._answer.result():
                self.state = PartState.READY
            self._answer, self._ask_at = None, now + ASK_EVERY_S
        elif self._answer is None and now >= self._ask_at:
            self._answer = self._asks.submit(self.part.ready)

    def _signal(self, number: int) -> None:
        assert self._process is not None
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)


def last_line(log: Path) -> str:
    """The last line of a log that is not empty; empty when there is none."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - 4096))
        lines = file.read().decode("utf-8", "replace").strip().splitlines()
    return lines[-1].strip() if lines else ""
