"""Waiting for conditions."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_PAUSE = threading.Event()


class TimeIsUp(AssertionError):
    """A condition did not come true in time."""


def wait_for(condition: Callable[[], object], within_s: float, what: str = "", *, every_s: float = 0.03) -> float:
    """
    Wait until a condition holds; returns the seconds it took. TimeIsUp names `what`.

    `every_s`: how long it is not looked; a condition that asks servers takes their time from what is waited for.
    """
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > within_s:
            raise TimeIsUp(f"not within {within_s:.0f} s: {what}")
        pause(every_s)
    return time.monotonic() - began


def pause(seconds: float) -> None:
    """Let time pass."""
    _PAUSE.wait(seconds)
