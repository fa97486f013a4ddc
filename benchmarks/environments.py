"""A virtual environment for each peer: made once in the user's cache folder, through the ordinary pip."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_cache_path

REQUIREMENTS = Path(__file__).with_name("requirements")
READY = ".ready"
INSTALLED_WITHIN_S = 1_800


@dataclass(frozen=True, slots=True)
class Environment:
    """An interpreter that can run a peer, or why there is none."""

    name: str
    python: Path
    fault: str = ""


def environment(name: str) -> Environment:
    """The environment of `requirements/NAME.txt`; one that cannot be installed carries the reason."""
    file = REQUIREMENTS / f"{name}.txt"
    folder = user_cache_path("floorpulse") / "benchmarks" / f"{name}-{_mark(file)}"
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    if (folder / READY).exists():
        return Environment(name, python)
    venv.create(folder, clear=True, with_pip=True)
    try:
        done = subprocess.run(
            [python, "-m", "pip", "install", "--quiet", "--no-deps", "-r", file],
            capture_output=True,
            text=True,
            timeout=INSTALLED_WITHIN_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Environment(name, python, f"pip did not end within {INSTALLED_WITHIN_S} s")
    if done.returncode != 0:
        return Environment(name, python, f"pip could not install it: {_last_line(done.stderr)}")
    (folder / READY).touch()
    return Environment(name, python)


def pins(name: str) -> dict[str, str]:
    """Distribution -> version of a peer's environment."""
    lines = (REQUIREMENTS / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.partition("==") for line in lines if line and not line.startswith("#"))
    return {distribution: version for distribution, _, version in pairs}


def _mark(file: Path) -> str:
    """Other pins or another Python make another environment."""
    text = file.read_bytes() + ".".join(map(str, sys.version_info[:2])).encode()
    return hashlib.sha256(text).hexdigest()[:12]


def _last_line(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
