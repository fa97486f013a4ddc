"""
Kafka's classes, read and linked once for each user: a broker that starts with them takes half of the CPU.

Java writes them down at the end of a broker that ran for that. It checks itself that they are those of the jars and of
its own version, and starts without them where they are not.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from pathlib import Path

from floorpulse.embedded import kafka
from floorpulse.embedded.parts import listens
from floorpulse.embedded.ports import PortClaims
from schemas.errors import ConfigError, Unavailable

READY_WITHIN_S = 120.0
ENDED_WITHIN_S = 120.0
ASK_EVERY_S = 0.2
PORTS = (28_092, 28_093)


def keep_classes(libs: Path) -> None:
    """
    Have the classes of the jars kept for this user.

    Runs a broker in a folder of its own for some seconds. Unavailable: it did not start; ConfigError: no classes came
    of it. A broker starts without them, too.
    """
    kept = kafka.class_file(libs)
    with tempfile.TemporaryDirectory(dir=libs.parent, prefix="classes-") as folder, PortClaims() as ports:
        broker = kafka.Broker(Path(folder) / "kafka", *(ports.claim(port) for port in PORTS))
        kafka.write_files(broker)
        kafka.format_storage(broker, libs)
        made = Path(folder) / kept.name
        _run(broker, [*kafka.java(broker, libs, [f"-XX:AOTCacheOutput={made}"]), *kafka.server(broker)])
        if not made.exists():
            raise ConfigError(f"Java wrote no classes of {libs}")
        made.replace(kept)


def _run(broker: kafka.Broker, command: list[str]) -> None:
    """Run a broker until it answers, and end it in order: then Java writes the classes."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + READY_WITHIN_S
        while not (listens(broker.port) and kafka.answers(broker.bootstrap)):
            if process.poll() is not None or time.monotonic() > deadline:
                raise Unavailable("Kafka did not start to have its classes kept")
            time.sleep(ASK_EVERY_S)
        process.terminate()
        process.wait(ENDED_WITHIN_S)
    except subprocess.TimeoutExpired:
        raise Unavailable(f"Java did not end within {ENDED_WITHIN_S:.0f} s") from None
    finally:
        process.kill()
        process.wait()
