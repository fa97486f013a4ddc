"""The rules that a floor starts with."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable

STARTER_FILE = "starter.yaml"


def starter_pack() -> Traversable:
    """The file of the starter pack, a rule file like any other; it comes with the package."""
    return files("alerting").joinpath(STARTER_FILE)


def starter_text() -> str:
    """The text of the starter pack."""
    return starter_pack().read_text(encoding="utf-8")
