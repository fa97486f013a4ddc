"""Processes of the product, forked from one that has imported everything: imports take longer than most commands."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from floorpulse.cli.main import NOUNS

PRELOAD = [
    "pytest",  # of the script that runs the tests: what is forked imports it again
    "faust",
    "faust.app.router",
    "faust.assignor.partition_assignor",
    "faust.fixups.django",
    "faust.tables.objects",
    "faust.tables.sets",
    "faust.topics",
    "faust.worker",
    "aiokafka",
    "encodings.idna",
    "kafka",
    "numpy",
    "rich.console",
    "rich.table",
    "uvicorn",
    "clickhouse_connect",
    "clickhouse_connect.driver.httpclient",
    "floorpulse.backup",
    "floorpulse.cli.main",
    *(f"floorpulse.cli.{noun}" for noun in NOUNS),
    "floorpulse.delivery.process",
    "floorpulse.drain",
    "floorpulse.publish",
    "floorpulse.worker",
    "records.store.clickhouse",
    "records.store.ledger",
    "sinks.storage",
    "sources.readers.files",
    "sources.readers.gateway",
    "sources.readers.producing",
    "streams.core.partition",
    "streams.worker.app",
    "streams.worker.recording",
    "tests.faults.harness.planted",
    "tests.warmed",
]


def forked(name: str, run: Callable[..., None], *arguments: Any) -> BaseProcess:
    """Start a process that calls a function, as if everything had been imported in it."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    process = context.Process(target=run, args=arguments, name=name, daemon=True)
    process.start()
    return process


def write_to(out: Path, err: Path) -> None:
    """In the child: its output goes to files."""
    for number, file in ((1, out), (2, err)):
        output = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(output, number)
        os.close(output)
    sys.stdout, sys.stderr = os.fdopen(1, "w", buffering=1), os.fdopen(2, "w", buffering=1)


@dataclass(frozen=True, slots=True)
class Command:
    """`floorpulse ARGUMENTS`, a process of its own."""

    process: BaseProcess
    out: Path
    err: Path

    def wait(self, within_s: float) -> tuple[int, str, str]:
        """Wait for its end; the exit code and what it said."""
        self.process.join(within_s)
        code = self.process.exitcode
        if code is None:
            self.process.kill()
            raise TimeoutError(f"{self.process.name}: not within {within_s:.0f} s: {self.err.read_text()[-2_000:]}")
        said = [file.read_text() if file.exists() else "" for file in (self.out, self.err)]
        for file in (self.out, self.err):
            file.unlink(missing_ok=True)
        return code, said[0], said[1]


def command(folder: Path, *arguments: str) -> Command:
    """Start `floorpulse ARGUMENTS` in a folder, with the environment of this process."""
    handle, name = tempfile.mkstemp(prefix="command-")
    os.close(handle)
    out, err = Path(name), Path(f"{name}.err")
    title = " ".join(("floorpulse", *arguments))
    return Command(forked(title, _command, folder, arguments, dict(os.environ), out, err), out, err)


def _command(folder: Path, arguments: Sequence[str], environment: Mapping[str, str], out: Path, err: Path) -> None:
    from floorpulse.cli.main import run

    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    write_to(out, err)
    sys.argv = ["floorpulse", *arguments]
    try:
        run()
    finally:
        atexit._run_exitfuncs()  # a process of multiprocessing ends without
