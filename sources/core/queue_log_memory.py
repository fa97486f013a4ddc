"""What the reader of a `queue_log` remembers between two lines: it can be saved and loaded."""

from __future__ import annotations

from typing import NamedTuple

from pydantic import BaseModel

LONGEST_GAP_S = 12 * 3600
"""Between two files of one log; after a longer gap nobody knows what is still open."""
LONGEST_TALK_S = 12 * 3600
"""A call that is older has ended, and the log did not say so."""


class Agent(NamedTuple):
    """Whom a line names."""

    name: str
    """As the line has it: ids of facts are made of it."""
    key: str
    """The name under which they are remembered."""


class Talk(BaseModel):
    """A call in the hands of an agent, since a second."""

    agent: str
    queue: str
    since: int
    waited: int

    def lasts(self, second: int) -> bool:
        """Whether it may last still."""
        return second - self.since < LONGEST_TALK_S


class Memory(BaseModel):
    """What is open between two lines; agents by the first name that the log gave them."""

    names: dict[str, str] = {}
    """
    The roster's id -> the first name. An agent may have two: Asterisk writes who logs in by the interface, and who
    talks by the member's name.
    """

    waiting: dict[str, int] = {}
    """`call|queue` -> second it entered."""
    talking: dict[str, Talk] = {}
    """call -> who talks; an agent has one call at a time."""
    wrapping: dict[str, int] = {}
    """agent -> second at which the wrap ends."""
    paused: dict[str, str] = {}
    """agent -> reason."""
    queues: dict[str, list[str]] = {}
    """agent -> queues logged in to."""
    leaving: set[str] = set()
    """Agents who logged out while a call lasts: they are offline when it ends."""
    states: dict[str, tuple[str, str]] = {}
    """agent -> (state, reason) last said."""
    said: dict[str, tuple[int, list[str]]] = {}
    """agent -> second of the state last said, and the ids of all that were said in it."""
    second: int = 0
    """That of the last line; 0 before the first."""

    def goes_on(self, second: int) -> bool:
        """Whether a file that begins then follows on the last line."""
        return 0 <= second - self.second < LONGEST_GAP_S
