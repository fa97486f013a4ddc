"""A whole floor as its user has it: the command line, and nothing else."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.forked import Command, command

COMMAND_WITHIN_S = 400
STARTED = {"up", "down"}
"""Commands that run from the first line of their imports on, as a shell starts them; the others are forked."""


@dataclass(frozen=True)
class Answer:
    """What a command said."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class WholeFloor:
    """A floor in a data folder."""

    data: Path

    def start(self, *arguments: str) -> Command:
        """Start a command and go on."""
        return command(self.data.parent, *arguments, "--data", str(self.data))

    def run(self, *arguments: str) -> Answer:
        """Run a command to its end."""
        if arguments[0] in STARTED:
            return self._run_from_a_shell(*arguments)
        return Answer(*self.start(*arguments).wait(COMMAND_WITHIN_S))

    def _run_from_a_shell(self, *arguments: str) -> Answer:
        line = [sys.executable, "-m", "floorpulse.cli.main", *arguments, "--data", str(self.data)]
        ended = subprocess.run(
            line, capture_output=True, text=True, cwd=self.data.parent, timeout=COMMAND_WITHIN_S, check=False
        )
        return Answer(ended.returncode, ended.stdout, ended.stderr)

    def ask(self, *arguments: str) -> Any:
        """What a command prints as JSON."""
        answer = self.run(*arguments, "--format", "json")
        assert answer.code == 0, answer.err
        return json.loads(answer.out)

    def part(self, name: str) -> dict[str, Any]:
        """A part out of run.json."""
        run = json.loads((self.data / "run.json").read_text())
        found: dict[str, Any] = next(part for part in run["parts"] if part["name"] == name)
        return found

    def kill(self, name: str) -> int:
        """kill -9 a part; returns its pid."""
        pid = int(self.part(name)["pid"])
        os.kill(pid, signal.SIGKILL)
        return pid

    def web(self) -> str:
        """The address of the board."""
        return f"http://127.0.0.1:{self.part('web')['ports']['http']}"
