"""
What `pyproject.toml` cannot say of the build: the modules that may be compiled.

`FLOORPULSE_COMPILED=3` has mypyc make machine code of the engine and of the judging of rules, out of the same Python;
the number is the level at which the C compiler optimises. Without it they stay Python. Both do the same.
"""

import os
from pathlib import Path

from setuptools import setup

ROOT = Path(__file__).parent
JUDGING = ("evidence", "judge", "notices", "plan", "sitting", "states")


def compiled_modules() -> list[str]:
    """Paths of the modules that every event passes through."""
    engine = sorted(path for path in (ROOT / "streams/core").glob("*.py") if path.name != "__init__.py")
    judging = [ROOT / f"alerting/{name}.py" for name in JUDGING]
    language = [ROOT / "schemas/panes.py", ROOT / "schemas/times.py"]
    return [str(path.relative_to(ROOT)) for path in (*engine, *judging, *language)]


def extensions() -> list[object]:
    """One extension for each of them, and one that they share; none unless it is asked for."""
    level = os.environ.get("FLOORPULSE_COMPILED", "")
    if not level:
        return []
    from mypyc.build import mypycify

    return list(mypycify(compiled_modules(), opt_level=level, debug_level="0", group_name="floorpulse"))


setup(ext_modules=extensions())
