"""How a worker ends that has crashed: soon, so that its partitions go to others, even when stopping in order hangs."""

from __future__ import annotations

import subprocess
import sys

import faust

from floorpulse.worker import EXIT_FAILED
from streams.worker.app import FloorApp

HANGS = """
from threading import Event
from floorpulse import worker
worker.CRASH_WITHIN_S = 0.05
worker._end_soon()
Event().wait(30)
"""


def test_a_crashed_worker_that_hangs_ends_with_70() -> None:
    """The end in order has its time; after that the process ends without."""
    ended = subprocess.run([sys.executable, "-c", HANGS], timeout=25, check=False)

    assert ended.returncode == EXIT_FAILED


def test_a_crash_anywhere_in_the_app_is_told() -> None:
    """An error in an agent or a task crashes the app, which says so at once."""
    told: list[str] = []
    app = FloorApp("test", broker="kafka://127.0.0.1:1", web_enabled=False)
    app.when_crashed = lambda: told.append("crashed")
    assert isinstance(app, faust.App)

    app._crash(KeyError("a bug"))

    assert told == ["crashed"]
    assert isinstance(app.crash_reason, KeyError)
