"""Markdown as the generated pages need it: a page with its head line, tables, code."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

GENERATED = "<!-- Made by `floorpulse docs generate`: do not edit. -->"


def page(title: str, lead: str, parts: Iterable[str]) -> str:
    """A whole page: title, one paragraph, then parts with an empty line between them."""
    return "\n\n".join([GENERATED, f"# {title}", lead, *parts]) + "\n"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; a bar or a line break inside a cell is escaped."""
    lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    lines += ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def code(text: str) -> str:
    """Inline code; empty for an empty text."""
    return f"`{text}`" if text else ""


def codes(words: Iterable[str]) -> str:
    """Each word as inline code, with commas."""
    return ", ".join(map(code, words))


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
