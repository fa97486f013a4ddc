"""How this process keeps its heap: how often it looks for cycles, and what it gives back to the machine."""

from __future__ import annotations

import ctypes
import gc
from contextlib import suppress

THRESHOLDS = (50_000, 50, 50)
"""Nearly everything is freed by counting: looking seldom saves a tenth of the worker's time, a sixth of all imports."""
LARGE_BYTES = 131_072
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
"""Numbers of settings of the C library (glibc, `man mallopt`)."""


def set_up_heap() -> None:
    """
    Look for cycles seldom, and give large blocks back when they are freed, for the rest of this process.

    Left alone, glibc keeps an arena for each thread, and raises the size from which a block is given back to that of
    the largest one: a worker of 1,000 agents then holds a fifth more than it uses. Another C library is left alone.
    """
    gc.set_threshold(*THRESHOLDS)
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        for setting, value in ((_ARENA_MAX, 1), (_TRIM_THRESHOLD, LARGE_BYTES), (_MMAP_THRESHOLD, LARGE_BYTES)):
            mallopt(setting, value)
