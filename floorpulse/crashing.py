"""Crash points of the fault tests: a process told so by its environment dies between two steps, as by kill -9."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from threading import Lock

from schemas.errors import ConfigError

VARIABLE = "FLOORPULSE_CRASH_AT"
"""`name:n`: die at the n-th pass of the point `name`. No setting: it stands in no file and in no reference page."""
EXIT_KILLED = 137


def crash_step() -> Callable[[str], None]:
    """What a worker tells each point between two steps; does nothing unless the environment names one of them."""
    wanted = os.environ.get(VARIABLE)  # noqa: TID251 - only the fault tests set it
    if not wanted:
        return lambda _name: None
    point, _, count = wanted.partition(":")
    if not count.isdigit():
        raise ConfigError(f"{VARIABLE}: expected name:n, got {wanted!r}")
    passed, lock = Counter[str](), Lock()

    def step(name: str) -> None:
        with lock:
            passed[name] += 1
            if name == point and passed[name] == int(count):
                os._exit(EXIT_KILLED)

    return step
