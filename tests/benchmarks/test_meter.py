"""The meter leaves out the warm-up, stops before the end, and ends the process."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from benchmarks.meter import Metered, Order, read_result

ORDER = Order(
    work="count",
    bootstrap="",
    topic="",
    folder="",
    group="",
    partitions=1,
    skip=200,
    until=600,
    warm_up_s=30.0,
    limit_s=30.0,
)
COUNTING = """
import time
from benchmarks.meter import Meter, Order
count = 0
Meter(Order.of_arguments(), lambda: count, more=lambda: {"seen": count}).start()
while True:
    time.sleep(0.001)
    count += 1
"""


def _run(order: Order) -> dict[str, object]:
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", COUNTING, order.text()], cwd=root, capture_output=True, text=True, check=True, timeout=90
    )
    return read_result(done.stdout)


def test_only_what_lies_between_warm_up_and_stop_counts() -> None:
    """A process that counts for ever is ended after 600, with about 400 measured."""
    metered = Metered(**_run(ORDER))  # type: ignore[arg-type]

    assert metered.skipped >= ORDER.skip
    assert 0 < metered.records <= metered.extra["seen"] - ORDER.skip
    assert metered.extra["seen"] >= ORDER.until
    assert metered.rate == metered.records / metered.wall_s


def test_a_slow_process_is_measured_for_so_long() -> None:
    """It stops by the clock where the records would take for ever."""
    metered = Metered(**_run(replace(ORDER, skip=10**9, until=10**9, warm_up_s=0.2, limit_s=0.3)))  # type: ignore[arg-type]

    assert metered.skipped > 0
    assert 0.3 <= metered.wall_s < 20


def test_a_process_that_says_nothing_is_a_fault() -> None:
    """Whatever else it printed."""
    assert "fault" in read_result("Traceback\n")
