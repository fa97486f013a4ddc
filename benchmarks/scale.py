"""How large a measurement is, and whom it tells what it does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

EVENTS = 500_000


@dataclass(frozen=True, slots=True)
class Scale:
    """What the command line says."""

    events: int = EVENTS
    agents: int = 1_000
    rounds: int = 2
    seconds: float = 30.0
    """The longest that one process is measured."""
    only: tuple[str, ...] = ()
    """Parts of the names of rows; empty: all rows."""
    say: Callable[[str], None] = print

    @property
    def share(self) -> float:
        """The size of everything that has a size of its own, as a share of the full one."""
        return min(self.events / EVENTS, 1.0)

    def wants(self, row: str) -> bool:
        """Whether a row is to be measured."""
        return not self.only or any(part.lower() in row.lower() for part in self.only)
