"""One measured process after the other."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.compiling import python_path
from benchmarks.meter import READY, Order, read_result
from benchmarks.servers import as_environment
from floorpulse.settings import Settings
from schemas.errors import Unavailable

OURS = Path(sys.executable)
ENDED_WITHIN_S = 900.0


def measured(
    python: Path, module: str, order: Order, within_s: float = ENDED_WITHIN_S, *, is_compiled: bool = True
) -> dict[str, Any]:
    """What the process of `benchmarks.runs.MODULE` says of an order; with a `fault` when it failed."""
    return result_of(started(python, module, order, is_compiled=is_compiled), order, within_s)


def ready(process: subprocess.Popen[str], order: Order) -> None:
    """Wait until a process says that it is at work; Unavailable: it ended before."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip() == READY:
            return
    raise Unavailable(f"the process ended at its start: {_last_line(order)}")


def result_of(process: subprocess.Popen[str], order: Order, within_s: float = ENDED_WITHIN_S) -> dict[str, Any]:
    """What a process says at its end, once its stdin is closed; with a `fault` when it failed."""
    try:
        output, _ = process.communicate(timeout=within_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return {"fault": f"not ended within {within_s:.0f} s"}
    said = read_result(output)
    return said if "fault" not in said else {"fault": f"{said['fault']}: {_last_line(order)}"}


def started(python: Path, module: str, order: Order, *, is_compiled: bool = True) -> subprocess.Popen[str]:
    """
    Start such a process; what it says on stderr goes into its folder.

    `is_compiled`: for one of ours, whether its engine is; a peer has nothing of ours but the plain models.
    """
    folder = Path(order.folder)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "stderr.log").open("wb") as errors:
        return subprocess.Popen(
            [python, "-m", f"benchmarks.runs.{module}", order.text()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": python_path(is_compiled=is_compiled and python == OURS)},
        )


def worker_command(settings: Settings, name: str) -> tuple[list[str], dict[str, str]]:
    """The command `floorpulse worker` with the compiled engine, and its environment."""
    command = [str(OURS), "-Pm", "floorpulse.cli.main", "worker", "--name", name, "--data", str(settings.data)]
    return command, {**as_environment(settings), "FLOORPULSE_LOG_FORMAT": "json", "PYTHONPATH": python_path()}


def _last_line(order: Order) -> str:
    lines = (Path(order.folder) / "stderr.log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1][:300] if lines else "it said nothing"
