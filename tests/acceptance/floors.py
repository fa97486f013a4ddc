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

COMMAND_WITHIN_S = 400


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

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command and go on."""
        command = [sys.executable, "-m", "floorpulse.cli.main", *arguments, "--data", str(self.data)]
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=self.data.parent
        )

    def run(self, *arguments: str) -> Answer:
        """Run a command to its end."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=COMMAND_WITHIN_S)
        return Answer(process.returncode, out, err)

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
