"""What the tests of the project as a whole share: its root, its files, its code as trees."""

from __future__ import annotations

import ast
import os
from pathlib import Path

import pytest

OURS = ("schemas", "sources", "streams", "sinks", "alerting", "records", "floorpulse")
LEFT_OUT = {".git", ".venv", "__pycache__", "build", "dist", "node_modules", "floorpulse-worker-data"}


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder of the project."""
    return Path(__file__).parents[2]


@pytest.fixture(scope="session")
def files(root: Path) -> list[Path]:
    """Every file of the tree, without what tools leave behind."""
    found: list[Path] = []
    for folder, below, names in os.walk(root):
        below[:] = [name for name in below if name not in LEFT_OUT and not name.endswith((".egg-info", "_cache"))]
        below[:] = [name for name in below if name == ".ci" or not name.startswith(".")]
        found += [Path(folder, name) for name in names]
    return found


@pytest.fixture(scope="session")
def modules(root: Path) -> dict[Path, ast.Module]:
    """Every module of our packages, parsed."""
    return {
        file.relative_to(root): ast.parse(file.read_text(encoding="utf-8"))
        for package in OURS
        for file in sorted((root / package).rglob("*.py"))
    }
