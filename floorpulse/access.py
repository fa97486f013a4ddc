"""Looks at the records of people: each is noted, on a page or on the command line."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING

from pydantic_core import from_json

from schemas.times import from_ms

if TYPE_CHECKING:
    from collections.abc import Iterable

    from clickhouse_connect.driver.client import Client

    from schemas.registry import Registry
    from sinks.letters import StoredLetter

AGENT = "agent:"


def note_look(client: Client, viewer: str, subject: str, page: str, detail: str, at_ms: int) -> None:
    """Keep that somebody looks at the record of a person, before it is shown."""
    row = [from_ms(at_ms), viewer, subject, page, detail]
    client.insert("access_log", [row], column_names=["at", "viewer", "subject", "page", "detail"])


def note_looks(
    client: Client, viewer: str, letters: Iterable[StoredLetter], registry: Registry, place: str, at_ms: int
) -> None:
    """Keep that somebody looks at dead letters, for each agent that they tell of."""
    for subject in sorted({subject_of(letter, registry) for letter in letters} - {""}):
        note_look(client, viewer, subject, "dead_letter", place, at_ms)


def login_name() -> str:
    """The name of who runs this program; `unknown` where the system has none for them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def subject_of(letter: StoredLetter, registry: Registry) -> str:
    """The agent that a letter tells of, by its key or by the event in it; `''` where it names none."""
    if letter.key.startswith(AGENT):
        return letter.key
    try:
        event = from_json(letter.value)
    except ValueError:
        return ""
    agent, source = (event.get(field) if isinstance(event, dict) else None for field in ("agent", "source"))
    if not isinstance(agent, str) or not agent:
        return ""
    return AGENT + registry.resolve(source if isinstance(source, str) else letter.source, agent, letter.at_ms)
