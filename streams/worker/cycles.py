"""
When the worker looks for objects that only hold each other: between two flushes, by the thresholds of the process.

A flush makes hundreds of thousands of objects and lets go of all of them soon after. Python counts them as news, and
would go through them again and again while they live: on a floor of 10,000 agents 30 to 100 ms each time, several times
a second, and half a second now and then, in which no record is folded and no alert goes out.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def found_between_flushes() -> Iterator[None]:
    """Inside, nobody looks but `look`."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def look() -> None:
    """Look through what is new, or through more, where so much came since the last time."""
    for generation in (2, 1, 0):
        if gc.get_count()[generation] > gc.get_threshold()[generation]:
            gc.collect(generation)
            return
