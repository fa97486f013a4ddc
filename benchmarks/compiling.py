"""floorpulse with its engine in machine code, as an image has it: what everything but `engine` and `cost` measures."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

from platformdirs import user_cache_path

from schemas.errors import Unavailable

ROOT = Path(__file__).parents[1]
PACKAGES = ("schemas", "sources", "streams", "sinks", "alerting", "records", "floorpulse")
OPTIMISED = "3"
COMPILED_WITHIN_S = 1_800
READY = ".ready"


@cache
def compiled() -> Path:
    """The folder of our packages with the compiled modules, made once for each state of the code."""
    folder = user_cache_path("floorpulse") / "benchmarks" / f"compiled-{_mark()}"
    if (folder / READY).exists():
        return folder
    compile_into(folder, OPTIMISED)
    (folder / READY).touch()
    return folder


def compile_into(folder: Path, level: str) -> None:
    """Put our packages with compiled modules into a folder; `level`: of the C compiler, 0 to 3."""
    done = subprocess.run(
        [sys.executable, "setup.py", "-q", "build", "--build-base", folder / "base", "--build-lib", folder],
        cwd=ROOT,
        env={**os.environ, "FLOORPULSE_COMPILED": level},
        capture_output=True,
        text=True,
        timeout=COMPILED_WITHIN_S,
        check=False,
    )
    if done.returncode != 0:
        raise Unavailable(f"the engine could not be compiled: {done.stderr.strip()[-300:]}")


def python_path(*, is_compiled: bool = True) -> str:
    """What PYTHONPATH must be for a process of ours; with `python -P`, as the checkout must not come first."""
    return os.pathsep.join([*([str(compiled())] if is_compiled else []), str(ROOT)])


def _mark() -> str:
    """Other code or another Python is compiled anew."""
    digest = hashlib.sha256(".".join(map(str, sys.version_info[:2])).encode())
    digest.update((ROOT / "setup.py").read_bytes())
    for package in PACKAGES:
        for file in sorted(path for path in (ROOT / package).rglob("*") if path.is_file() and path.suffix != ".pyc"):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:12]
