"""Logs tell what happens; nothing happens because of them."""

from __future__ import annotations

import subprocess
import sys

import pytest

TELLS = """
import structlog
from floorpulse.logs import set_up_logs
set_up_logs("json")
for name in ("flush_retried", "query_failed"):
    structlog.get_logger().warning(name, reason="x" * 10_000)
print("goes on")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is Linux")
def test_a_full_disk_ends_nobody_who_logs() -> None:
    """A line that finds no room is lost; the flush or the poll that tells of a failure goes on."""
    with open("/dev/full", "w") as full:
        ended = subprocess.run(
            [sys.executable, "-c", TELLS], stdout=subprocess.PIPE, stderr=full, text=True, timeout=30, check=False
        )

    assert ended.stdout == "goes on\n"
