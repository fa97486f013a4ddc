"""Logs tell what happens; nothing happens because of them."""

from __future__ import annotations

import json
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


def test_a_command_leaves_it_to_its_last_line_that_kafka_is_away() -> None:
    """Each try of Kafka's client has a line where a process stays, and none before the one of a command."""
    code = """
import logging
from floorpulse.logs import set_up_logs
for for_command in (True, False):
    set_up_logs("json", for_command=for_command)
    logging.getLogger("kafka.conn").error("tried %s", for_command)
"""

    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)

    assert [json.loads(line)["event"] for line in ended.stderr.splitlines()] == ["tried False"]


@pytest.mark.parametrize("form", ["json", "console"])
def test_what_a_library_raised_is_told_as_text(form: str) -> None:
    """The line says where it happened, and not what the variables held: they may be people."""
    code = """
import logging, sys
from floorpulse.logs import set_up_logs
set_up_logs(sys.argv[1])
person = "Ada Agent"
try:
    raise ValueError("torn")
except ValueError:
    logging.getLogger("faust").exception("crashed")
"""

    ended = subprocess.run([sys.executable, "-c", code, form], capture_output=True, text=True, timeout=30, check=True)

    told = json.loads(ended.stderr)["exception"] if form == "json" else ended.stderr
    assert "Traceback" in told
    assert "ValueError: torn" in told
    assert "Ada Agent" not in told
