"""Facts that were taken back and come again: their revision is lifted above the one that took them back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from sources.core.parsed import Accepted, Parsed, Parser

Fact = tuple[str, str, str]
"""(source, id, type)"""


class RaisedParser:
    """Another parser's facts; one that was taken back comes in the revision from which it counts again."""

    def __init__(self, parser: Parser, revisions: Mapping[Fact, int]) -> None:
        """`revisions`: fact -> the least revision that is above the one that took it back."""
        self._parser = parser
        self._revisions = revisions

    def parse(self, lines: Iterable[bytes]) -> Iterator[Parsed]:
        """What each line holds. InputError as the other parser raises it."""
        return map(self._raised, self._parser.parse(lines))

    def _raised(self, parsed: Parsed) -> Parsed:
        if not isinstance(parsed, Accepted):
            return parsed
        event = parsed.event
        least = self._revisions.get((event.source, event.id, event.type), 0)
        if event.revision >= least:
            return parsed
        return replace(parsed, event=event.model_copy(update={"revision": least}))
