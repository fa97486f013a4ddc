"""README and docs say what is so: generated pages are current, links resolve, examples run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from clickhouse_connect.driver.client import Client

from alerting.fields import RuleFields
from alerting.load import load_rules
from floorpulse.cli.query import reading_statement
from floorpulse.delivery.config import load_receivers
from floorpulse.docs.commands import commands
from floorpulse.docs.pages import PAGES, stale_pages, write_pages
from floorpulse.registry_file import parse_floor
from floorpulse.settings import load_settings
from sources.core.mapping import read_mapping
from sources.core.own import read_event

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
BLOCK = re.compile(r"^```(\w+)(?: (\w+))?\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"floorpulse(?: [a-z][a-z-]*)+")


@pytest.fixture(scope="module")
def documents(root: Path) -> dict[Path, str]:
    """Every Markdown file of the project."""
    found = [*root.glob("*.md"), *(root / "docs").rglob("*.md")]
    return {file: file.read_text(encoding="utf-8") for file in found}


@pytest.fixture(scope="module")
def schema(shared_schema: Client) -> Client:
    """A client on a database with the whole schema and no rows."""
    return shared_schema


def blocks(documents: dict[Path, str], language: str, kind: str = "") -> list[str]:
    """The fenced blocks of a language; `kind` is a word behind it, such as `rules`."""
    found = [match for text in documents.values() for match in BLOCK.findall(text)]
    return [body for name, word, body in found if name == language and word == kind]


def test_generated_pages_are_current(root: Path) -> None:
    """`floorpulse docs generate` would change nothing, and nothing else lies in its folder."""
    assert stale_pages(root / "docs/reference") == []
    assert {file.name for file in (root / "docs/reference").iterdir()} == set(PAGES)


def test_a_stale_page_is_found_and_written(tmp_path: Path) -> None:
    """A page that is missing, and one that was edited."""
    assert write_pages(tmp_path) == list(PAGES)
    (tmp_path / "cli.md").write_text("edited", encoding="utf-8")

    assert stale_pages(tmp_path) == ["cli.md"]


def test_every_relative_link_resolves(documents: dict[Path, str]) -> None:
    """Files that are there, and headings that are there."""
    broken = [
        f"{file.name}: {link}"
        for file, text in documents.items()
        for link in LINK.findall(text)
        if not link.startswith(("http://", "https://", "mailto:")) and not _resolves(file, link)
    ]

    assert broken == []


def _resolves(file: Path, link: str) -> bool:
    path, _, heading = link.partition("#")
    target = (file.parent / path) if path else file
    if not target.exists():
        return False
    heads = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE) if heading else []
    return not heading or heading in {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def test_the_map_of_the_readme_is_the_tree(root: Path, documents: dict[Path, str]) -> None:
    """Every folder of the project stands in the map, and nothing else."""
    (folders,) = blocks(documents, "text", "map")
    named = {line.split()[0].rstrip("/") for line in folders.splitlines() if line and not line.startswith(" ")}
    there = {path.name for path in root.iterdir() if not path.name.startswith(".") and any(path.glob("*"))}
    left_by_tools = {name for name in there if name.endswith((".egg-info", "-data"))} | {"build", "dist"}

    assert named == there - left_by_tools


def test_the_map_names_only_folders_that_are_there(root: Path, documents: dict[Path, str]) -> None:
    """The folders below, too."""
    (folders,) = blocks(documents, "text", "map")
    parent, missing = "", []
    for line in folders.splitlines():
        name = line.split()[0]
        parent = parent if line.startswith(" ") else name
        path = root / (f"{parent}{name}" if line.startswith(" ") else name)
        missing += [] if path.is_dir() else [str(path)]

    assert missing == []


def test_every_command_in_the_documents_exists(documents: dict[Path, str]) -> None:
    """In code blocks and inline."""
    import typer

    from floorpulse.cli.main import make_app

    known = {words for words, _ in commands(typer.main.get_command(make_app()), "floorpulse")}
    known |= {"floorpulse docs generate"}
    shell = "\n".join(blocks(documents, "sh"))
    inline = "\n".join(re.findall(r"`(floorpulse [^`]+)`", "\n".join(documents.values())))

    found = COMMAND.findall(f"{shell}\n{inline}")
    assert {"floorpulse worker", "floorpulse status"} <= set(found)
    for said in found:
        words = said.split()
        assert any(" ".join(words[:count]) in known for count in (2, 3)) or _is_group(said, known), said


def _is_group(said: str, known: set[str]) -> bool:
    return any(words.startswith(f"{said} ") for words in known)


def test_every_query_in_the_documents_runs(documents: dict[Path, str], schema: Client) -> None:
    """Against the real schema, as `floorpulse query` takes them."""
    queries = blocks(documents, "sql")

    assert len(queries) >= 6
    for query in queries:
        assert schema.raw_query(reading_statement(query), fmt="JSONCompact")


def test_every_rule_in_the_documents_is_good(documents: dict[Path, str]) -> None:
    """As `floorpulse rules check` takes them."""
    files = blocks(documents, "yaml", "rules")

    assert files
    for text in files:
        assert load_rules(text, "docs").rules


def test_every_floor_and_mapping_in_the_documents_is_good(documents: dict[Path, str]) -> None:
    """As `registry apply` and `ingest csv` take them."""
    floors, mappings = blocks(documents, "yaml", "floor"), blocks(documents, "yaml", "mapping")

    assert floors
    assert mappings
    assert all(parse_floor(text, "docs").people for text in floors)
    assert all(read_mapping(text, "docs").events for text in mappings)


def test_receivers_and_settings_in_the_documents_are_good(
    root: Path, documents: dict[Path, str], tmp_path: Path
) -> None:
    """As delivery and every command read them; the example beside the compose file too."""
    for number, text in enumerate(blocks(documents, "yaml", "receivers")):
        file = tmp_path / f"receivers-{number}.yaml"
        file.write_text(text, encoding="utf-8")
        assert load_receivers(file).receivers
    assert load_receivers(root / "docker/floor/receivers.example.yaml").receivers
    for text in blocks(documents, "yaml", "settings"):
        (tmp_path / "floorpulse.yaml").write_text(text, encoding="utf-8")
        assert load_settings(tmp_path, file=tmp_path / "floorpulse.yaml").model_fields_set >= set(yaml.safe_load(text))


def test_every_event_in_the_documents_is_good(documents: dict[Path, str]) -> None:
    """As the gateway takes it."""
    lines = [line for body in blocks(documents, "json", "events") for line in body.splitlines()]

    assert lines
    assert [read_event(line.encode()).source for line in lines]


def test_the_page_on_rules_names_every_key(root: Path) -> None:
    """No key of a rule is left to be guessed."""
    text = (root / "docs/rules.md").read_text(encoding="utf-8")
    keys = {field.alias or name for name, field in RuleFields.model_fields.items()}

    assert {key for key in keys if f"| `{key}` |" not in text} == set()


def test_the_picture_of_the_board_is_one(root: Path, documents: dict[Path, str]) -> None:
    """The README shows it, and it is a PNG."""
    assert "docs/board.png" in documents[root / "README.md"]
    assert (root / "docs/board.png").read_bytes().startswith(b"\x89PNG")
