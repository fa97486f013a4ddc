"""The generated pages of `docs/reference`: which there are, writing them, and finding the ones that are out of date."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from floorpulse.docs.commands import cli_page
from floorpulse.docs.figures import kpis_page, metrics_page, settings_page
from floorpulse.docs.language import events_page, telemetry_page, topics_page
from floorpulse.docs.tables import schema_page

PAGES: dict[str, Callable[[], str]] = {
    "kpis.md": kpis_page,
    "settings.md": settings_page,
    "cli.md": cli_page,
    "schema.md": schema_page,
    "metrics.md": metrics_page,
    "events.md": events_page,
    "topics.md": topics_page,
    "dead_letters_and_log_events.md": telemetry_page,
}


def stale_pages(folder: Path) -> list[str]:
    """The names of the pages whose file is missing or says something else."""
    return [name for name, make in PAGES.items() if _text(folder / name) != make()]


def write_pages(folder: Path) -> list[str]:
    """Write the pages that are out of date; returns their names."""
    folder.mkdir(parents=True, exist_ok=True)
    stale = stale_pages(folder)
    for name in stale:
        (folder / name).write_text(PAGES[name](), encoding="utf-8")
    return stale


def _text(file: Path) -> str | None:
    return file.read_text(encoding="utf-8") if file.exists() else None
