"""The architecture as a failing test: layers, imports that do nothing, sizes, names."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

OURS = ("schemas", "sources", "streams", "sinks", "alerting", "records", "floorpulse")
LONGEST_FILE = 400
LONGEST_FUNCTION = 50
LOG_METHODS = {"debug", "info", "warning", "error", "exception", "critical"}

IMPORT_ALL = """
import importlib, os, pkgutil, socket, sys

def no_socket(*args, **kwargs):
    raise AssertionError(f"a connection at import: {args}")

def no_writing(event, args):
    if event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+"):
        raise AssertionError(f"a file opened for writing at import: {args[0]}")
    if event in {"os.mkdir", "os.remove", "os.rename"}:
        raise AssertionError(f"{event} at import: {args}")

names = []
for package in sys.argv[1:]:
    names.append(package)
    found = importlib.util.find_spec(package)
    names += [module.name for module in pkgutil.walk_packages(found.submodule_search_locations, package + ".")]
socket.socket.connect = no_socket
sys.addaudithook(no_writing)
for name in names:
    importlib.import_module(name)
print(len(names))
"""


def test_the_layers_hold(root: Path) -> None:
    """The contracts of pyproject.toml: one way of the data, pure cores, Faust in the worker only."""
    lint = Path(sys.executable).with_name("lint-imports")

    done = subprocess.run([lint, "--no-cache"], cwd=root, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout[-3000:]


def test_nothing_acts_at_import(root: Path) -> None:
    """Importing every module opens no connection and writes, makes or removes no file."""
    done = subprocess.run(
        [sys.executable, "-B", "-c", IMPORT_ALL, *OURS], cwd=root, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr[-3000:]
    assert int(done.stdout) > 100


@pytest.mark.parametrize("name", OURS)
def test_a_top_level_name_is_ours_alone(name: str) -> None:
    """No other installed distribution owns one of our top-level names."""
    assert set(packages_distributions()[name]) == {"floorpulse"}


def test_docker_is_no_package(root: Path) -> None:
    """With an `__init__.py` the folder would hide the package `docker`."""
    assert (root / "docker").is_dir()
    assert list((root / "docker").rglob("__init__.py")) == []


def test_no_file_is_longer_than_400_lines(root: Path, modules: dict[Path, ast.Module]) -> None:
    """One subject a file."""
    lengths = {str(file): len((root / file).read_text(encoding="utf-8").splitlines()) for file in modules}

    assert {file: lines for file, lines in lengths.items() if lines > LONGEST_FILE} == {}


def test_no_function_is_longer_than_50_lines(modules: dict[Path, ast.Module]) -> None:
    """From its `def` to its last line."""
    long = {
        f"{file}:{node.lineno} {node.name}": lines
        for file, tree in modules.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or 0) - node.lineno + 1) > LONGEST_FUNCTION
    }

    assert long == {}


def test_every_module_says_what_it_holds(modules: dict[Path, ast.Module]) -> None:
    """A docstring at the top; an empty `__init__.py` has nothing to say."""
    silent = [str(file) for file, tree in modules.items() if tree.body and not ast.get_docstring(tree)]

    assert silent == []


def test_a_logged_event_has_a_meaning_in_the_list(modules: dict[Path, ast.Module]) -> None:
    """Every event name in a call of a logger stands in `schemas.telemetry`."""
    from schemas.telemetry import LOG_EVENTS

    unknown = {
        f"{file}:{call.lineno}": call.args[0].value
        for file, tree in modules.items()
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and _is_log(call) and isinstance(call.args[0], ast.Constant)
        if call.args[0].value not in LOG_EVENTS
    }

    assert unknown == {}


def test_no_listed_log_event_is_unused(modules: dict[Path, ast.Module]) -> None:
    """A name that nothing logs is a promise to whoever watches the logs that is not kept."""
    from schemas.telemetry import LOG_EVENTS

    said = {
        node.value
        for file, tree in modules.items()
        if file.name != "telemetry.py"
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }

    assert LOG_EVENTS - said == set()


def _is_log(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr in LOG_METHODS and bool(call.args)
