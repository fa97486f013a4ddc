"""What lies in the tree, and what goes into the wheel."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

OURS = ("schemas", "sources", "streams", "sinks", "alerting", "records", "floorpulse")
TEXT = {".py", ".md", ".yaml", ".yml", ".toml", ".txt", ".sql", ".json", ".html", ".css", ".js", ".xml", ""}
HOSTS = [
    "pypi" + ".org",
    "python" + "hosted.org",
    "registry.npm" + "js.org",
    "repo1" + ".maven",
    "repo.maven" + ".apache",
]
PLACES = ["/wo" + "rk/", "/ro" + "ot/", "/ho" + "me/runner"]


@pytest.fixture(scope="module")
def texts(root: Path, files: list[Path]) -> dict[Path, str]:
    """Every text of the tree that we wrote ourselves."""
    ours = [
        file for file in files if file.suffix in TEXT and "vendor" not in file.parts and file.name != "test_tree.py"
    ]
    return {file.relative_to(root): file.read_text(encoding="utf-8") for file in ours}


@pytest.mark.parametrize("words", [HOSTS, PLACES], ids=["registry hosts", "machine paths"])
def test_no_host_of_a_registry_and_no_path_of_a_machine(texts: dict[Path, str], words: list[str]) -> None:
    """Tools know their defaults; a project lies anywhere."""
    found = [f"{file}: {word}" for file, text in texts.items() for word in words if word in text]

    assert found == []


def test_nothing_is_left_to_do_in_the_tree(texts: dict[Path, str]) -> None:
    """What is not done is an issue, not a comment."""
    mark = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")

    assert [str(file) for file, text in texts.items() if mark.search(text)] == []


def test_the_licence_is_apache(root: Path) -> None:
    """The whole text, as pyproject.toml says."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    text = (root / "LICENSE").read_text(encoding="utf-8")

    assert project["license"] == "Apache-2.0"
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_the_changelog_begins_with_the_version(root: Path) -> None:
    """Keep a Changelog: its newest section is that of pyproject.toml."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    sections = re.findall(r"^## \[([^\]]+)\]", (root / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)

    assert sections[0] == project["version"]


def test_the_wheel_holds_every_package(root: Path) -> None:
    """Every folder with modules has an `__init__.py` and a top-level name that setuptools looks for."""
    config = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    folders = {file.parent for name in OURS for file in (root / name).rglob("*.py")}

    assert set(config["packages"]["find"]["include"]) == {f"{name}*" for name in OURS}
    assert {str(folder) for folder in folders if not (folder / "__init__.py").exists()} == set()


def test_the_wheel_holds_every_file_that_is_no_module(root: Path, files: list[Path]) -> None:
    """SQL, rules, jars, templates and static files are package data."""
    patterns = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"][
        "package-data"
    ]
    held = {
        file
        for package, globs in patterns.items()
        for name in (OURS if package == "*" else (package,))
        for glob in globs
        for file in (root / name).glob(glob)
    }
    data = {file for file in files if file.relative_to(root).parts[0] in OURS and file.suffix not in {".py", ".pyc"}}

    assert {str(file.relative_to(root)) for file in data - held} == set()
