"""The engine in machine code, as an image has it, does what the engine in Python does."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from benchmarks.compiling import compile_into

pytestmark = pytest.mark.timeout(900)
"""A C compiler takes from one minute to five, by how busy the machine is."""
SCRIPT = """
import hashlib, json, sys
import alerting.judge, streams.core.partition as partition
from benchmarks.engine import EPOCH, judge_of, registry_of
from benchmarks.events import log_of
from streams.core.partition import PartitionEngine
from streams.worker.decoding import to_item

AGENTS, EACH = 20, 250
registry = registry_of(AGENTS)
engine = PartitionEngine(0, EPOCH, registry, judge_of(registry), event_clock=True)
digest, told, rows = hashlib.sha256(), 0, 0
for done, record in enumerate(log_of(AGENTS, 6_000, partitions=1).records[0]):
    engine.apply(to_item(record))
    if done % EACH:
        continue
    outbox, frozen = engine.take_outbox(), engine.freeze()
    engine.acknowledged(frozen.checkpoint.boundary)
    told += len(outbox.transitions)
    rows += frozen.rows
    panes = [(key, minute, cell, sorted(pane.sums.items()), pane.handle_times, pane.version)
             for key, minute, cell, pane in frozen.panes]
    said = [t.model_dump_json() for t, _ in outbox.transitions]
    windows = [(*window[:-1], sorted(window.sums.items())) for window in frozen.windows]
    sent = [(c.partition, c.mark, c.version, c.sums) for c in outbox.contributions]
    bodies = [(row.subject, row.state, row.since_ms, row.body) for row in frozen.subjects]
    for part in (frozen.events, panes, said, windows, sent, bodies, frozen.checkpoint.body):
        digest.update(json.dumps(part, sort_keys=True, default=str).encode())
files = [partition.__file__, alerting.judge.__file__]
print(json.dumps({"files": files, "digest": digest.hexdigest(), "told": told, "rows": rows}))
"""


def outcome(*folders: Path) -> dict[str, object]:
    """What a floor of twenty agents leaves behind, with the packages of the first folder that has them."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", SCRIPT],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, folders)), "PYTHONHASHSEED": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said: dict[str, object] = json.loads(done.stdout)
    return said


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages with the compiled modules; optimised little, as that is quick."""
    compiler = str(sysconfig.get_config_var("CC")).split()[0]
    if not shutil.which(compiler) or not (Path(sysconfig.get_path("include")) / "Python.h").exists():
        pytest.skip(f"no C compiler ({compiler}) with the headers of Python")
    folder = tmp_path_factory.mktemp("compiled")
    compile_into(folder, "0")
    return folder


def test_compiled_it_does_the_same(root: Path, compiled: Path) -> None:
    """The same rows, windows, alerts, contributions and small states, to the last digit; and it is compiled."""
    slow, fast = outcome(root), outcome(compiled, root)

    assert all(str(file).endswith(".py") for file in slow.pop("files"))  # type: ignore[attr-defined]
    assert not any(str(file).endswith(".py") for file in fast.pop("files"))  # type: ignore[attr-defined]
    assert slow == fast
    assert slow["told"]
