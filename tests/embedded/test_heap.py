"""What a process of floorpulse held for a moment, it gives back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
from pathlib import Path
from threading import Thread
from floorpulse.heap import set_up_heap

set_up_heap()
kept = []

def flush():
    large = bytes(8_000_000)
    del large  # glibc by itself would take this for the size from which a block is given back
    rows = []
    for _ in range(400):
        rows.append(b"r" * 200_000)
        kept.append(b"k" * 600)

threads = [Thread(target=flush) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS")).split()[1])
"""
LEFT_KB = 40_000


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux says what a process holds")
def test_what_threads_let_go_goes_back_to_the_machine() -> None:
    """Four threads hold 80 MB each, in turn with little that stays: only that is left (about 100 MB are otherwise)."""
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)

    assert int(done.stdout) < LEFT_KB
