"""A real broker and a real store that a run may stop, kill, freeze and start again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from pydantic import SecretStr

from floorpulse.embedded import gate, kafka
from floorpulse.embedded.jars import installed_libs
from floorpulse.embedded.parts import answers_http, listens
from floorpulse.embedded.ports import PortClaims
from floorpulse.settings import TOKEN_FILE
from tests.faults.harness.waiting import wait_for

STARTED_WITHIN_S = 120.0


class Server:
    """One process with the same command and folder over all its lives."""

    def __init__(self, command: list[str], log: Path, answers: Callable[[], bool]) -> None:
        """Not started."""
        self._command, self._log, self._answers = command, log, answers
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *, wait: bool = True) -> None:
        """Start it, and wait until it answers."""
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                self._command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )
        if wait:
            self.wait()

    def wait(self) -> None:
        """Wait until it answers."""
        process = self._process
        assert process is not None
        wait_for(lambda: process.poll() is not None or self._answers(), STARTED_WITHIN_S, str(self._log))
        assert process.poll() is None, self._log.read_text()[-2000:]

    def stop(self) -> None:
        """SIGTERM, and wait for its end."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL, and wait for its end."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """SIGSTOP: it holds its connections and does not answer."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)

    def is_running(self) -> bool:
        """True while its process lives."""
        return self._process is not None and self._process.poll() is None

    def _end(self, number: int) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(number)
        self._process.send_signal(signal.SIGCONT)
        self._process.wait(60)


class Broker(Server):
    """A Kafka of one node."""

    def __init__(self, folder: Path, ports: PortClaims) -> None:
        """Formatted, not started."""
        node = kafka.Broker(folder, ports.claim(29_192), ports.claim(29_193))
        libs = installed_libs()
        kafka.write_files(node)
        kafka.format_storage(node, libs)
        self.bootstrap = node.bootstrap
        super().__init__(
            kafka.command_line(node, libs),
            folder / "kafka.log",
            lambda: listens(node.port) and kafka.answers(node.bootstrap),
        )


class Store(Server):
    """An embedded ClickHouse."""

    def __init__(self, folder: Path, ports: PortClaims) -> None:
        """Not started."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = ports.claim(28_223)
        command = [sys.executable, "-m", "floorpulse.embedded.store", "--data", str(folder), "--port", str(self.port)]
        super().__init__(command, folder.parent / f"{folder.name}.log", lambda: answers_http(self.port, "/ping"))

    @property
    def password(self) -> SecretStr:
        """The token of its folder."""
        return SecretStr(gate.token_of(self.folder / TOKEN_FILE))
