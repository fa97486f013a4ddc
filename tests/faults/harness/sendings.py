"""What goes into the log of a fault run: facts made from (seed, number), and what happens to facts on their way."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Any, Literal

from schemas.events import (
    ContactAbandoned,
    ContactAccepted,
    ContactAnswered,
    ContactHandled,
    ContactOffered,
    FloorEvent,
    QualityScored,
    StateChanged,
    SurveyAnswered,
    TaskTimed,
    encode,
    subject_of,
)
from schemas.times import HOUR_MS, MINUTE_MS, from_ms
from tests.faults.harness.poison import POISON

DAWN = 1_740_988_800_000
"""2025-03-03 08:00 UTC: a working day that is over wherever the tests run."""
STEP_MS = 4_000
MOST_REVISIONS = 6
WATCHED = tuple(f"w{number:02}" for number in range(6))
"""Agents that rules may fire for: everything of them comes once or as an exact copy, and in order."""
OTHERS = tuple(f"n{number:02}" for number in range(10))
"""Agents that no rule fires for: their facts come late, are revised, moved to others and taken back."""
QUEUES = ("sales", "help")
LATE_MS = [0] * 12 + [20_000, 5 * MINUTE_MS, 12 * MINUTE_MS, 40 * MINUTE_MS, 3 * HOUR_MS]

Intent = Literal["fact", "revised", "poison", "future"]


@dataclass(frozen=True, slots=True)
class Sending:
    """One message and what it is meant to be; `reason` is that of its dead letter, where it makes one."""

    key: bytes
    value: bytes
    intent: Intent
    event: FloorEvent | None = None
    reason: str = ""


def now_ms() -> int:
    """The wall clock, epoch ms."""
    return round(time.time() * 1000)


class Simulated:
    """A clock of its own: each look is some seconds later."""

    def __init__(self, start_ms: int = DAWN, step_ms: int = STEP_MS) -> None:
        """Begins at an instant."""
        self.now_ms = start_ms
        self._step_ms = step_ms

    def __call__(self) -> int:
        """Go on one step; epoch ms."""
        self.now_ms += self._step_ms
        return self.now_ms


class Feed:
    """Messages without end; the same seed makes the same ones under the same clock."""

    def __init__(
        self, seed: int, clock: Callable[[], int], *, away_ms: int, poison: float = 0.02, is_plain: bool = False
    ) -> None:
        """
        `away_ms`: how long a watched agent stays away at least, when it goes; `poison`: share of what is none.

        `is_plain`: everything comes once and on time, so that nothing must be looked up in the store.
        """
        self._seed = seed
        self._clock = clock
        self._away_ms = away_ms
        self._poison = poison
        self._is_plain = is_plain
        self._number = 0
        self._past: list[Sending] = []
        self._away_since: dict[str, int] = {}
        self._revisions: dict[str, set[int]] = defaultdict(set)
        self.fatal: set[str] = set()

    def take(self, count: int) -> list[Sending]:
        """The next messages."""
        return [self._next() for _ in range(count)]

    def past(self) -> list[Sending]:
        """Everything that was made so far, in order."""
        return list(self._past)

    def fatal_item(self, agent: str) -> Sending:
        """A fatal evaluation of an agent, now: an alert and a case of coaching follow."""
        self._number += 1
        self.fatal.add(agent)
        event = QualityScored(**self._head(), agent=agent, contact=f"c{self._number}", score=0, fatal=True)
        return self._made(event)

    def state(self, agent: str, state: Any, at_ms: int | None = None) -> Sending:
        """A state of an agent, now or then."""
        self._number += 1
        return self._made(StateChanged(**self._head(at_ms), agent=agent, state=state))

    def given_to(self, agent: str) -> Sending:
        """A contact that a queue gave to an agent, now: an event of the queue that names somebody."""
        self._number += 1
        contact = f"c{self._number}"
        event = ContactAnswered(**self._head(), contact=contact, queue="sales", agent=agent, waited_s=19.9)
        return self._made(event)

    def _next(self) -> Sending:
        self._number += 1
        chance = Random(f"{self._seed}:{self._number}")
        lot = chance.random()
        if lot < self._poison:
            kind = POISON[chance.randrange(len(POISON))]
            made = Sending(b"agent:n00", kind.value(self._number), "poison", reason=kind.reason)
        elif lot < 0.10 and self._past and not self._is_plain:
            made = self._again(chance)
        elif lot < 0.15 and self._past and not self._is_plain:
            made = self._revised(chance)
        elif lot < 0.50:
            made = _sending(self._watched(chance))
        else:
            made = _sending(self._other(chance))
        self._past.append(made)
        return made

    def _again(self, chance: Random) -> Sending:
        """The very same message, or (seldom) another content under the same identity."""
        old = chance.choice(self._past)
        if old.event is None or old.intent != "fact" or chance.random() < 0.8:
            return old
        return _sending(_other_content(old.event))

    def _revised(self, chance: Random) -> Sending:
        """A higher revision of a fact of the others: moved in time, to another agent, or taken back."""
        old = chance.choice(self._past[-200:])
        event = old.event
        if old.intent != "fact" or not isinstance(event, ContactHandled) or event.agent not in OTHERS:
            return _sending(self._other(chance))
        left = sorted(set(range(1, MOST_REVISIONS)) - self._revisions[event.id])
        if not left:
            return old
        change: dict[str, Any] = {"revision": chance.choice(left), "void": chance.random() < 0.2}
        self._revisions[event.id].add(change["revision"])
        if chance.random() < 0.4:
            change["agent"] = chance.choice(OTHERS)
        if chance.random() < 0.5:
            change["at"] = from_ms(_ms(event) - chance.randint(0, 20) * MINUTE_MS)
        return _sending(event.model_copy(update=change), "revised")

    def _watched(self, chance: Random) -> FloorEvent:
        agent = chance.choice(WATCHED)
        since = self._away_since.get(agent)
        head = self._head()
        now = _ms_of(head)
        if since is not None and now - since > self._away_ms:
            del self._away_since[agent]
            return StateChanged(**head, agent=agent, state=chance.choice(["ready", "ready", "offline"]))
        if since is None and chance.random() < 0.15:
            self._away_since[agent] = now
            return StateChanged(**head, agent=agent, state="away", reason="lunch")
        if chance.random() < 0.04:
            self.fatal.add(agent)
            return QualityScored(**head, agent=agent, contact=f"c{self._number}", score=0, fatal=True)
        return _handled(head, chance, agent, self._number)

    def _other(self, chance: Random) -> FloorEvent:
        late_ms = 0 if self._is_plain else chance.choice(LATE_MS)
        head = self._head()
        head["at"] = from_ms(_ms_of(head) - late_ms)
        contact: dict[str, Any] = {"contact": f"c{self._number}", "queue": chance.choice(QUEUES)}
        agent, waited_s = chance.choice(OTHERS), chance.choice([3.0, 19.9, 20.0, 75.5])
        makers: list[Callable[[], FloorEvent]] = [
            lambda: _handled(head, chance, agent, self._number),
            lambda: _handled(head, chance, agent, self._number),
            lambda: StateChanged(**head, agent=agent, state=chance.choice(["ready", "on_contact", "wrap", "offline"])),
            lambda: ContactOffered(**head, **contact),
            lambda: ContactAnswered(**head, **contact, agent=agent, waited_s=waited_s),
            lambda: ContactAbandoned(**head, **contact, waited_s=waited_s),
            lambda: ContactAccepted(**head, contact=contact["contact"], agent=agent, rang_s=2.5),
            lambda: QualityScored(**head, agent=agent, score=chance.choice([66.67, 90.0])),
            lambda: SurveyAnswered(**head, agent=agent, contact=contact["contact"], csat=chance.randint(1, 5)),
            lambda: TaskTimed(**head, agent=agent, task="letters", seconds=12.5, units=2),
        ]
        return chance.choice(makers)()

    def _head(self, at_ms: int | None = None) -> dict[str, Any]:
        at = from_ms(self._clock() if at_ms is None else at_ms)
        return {"source": "acd", "id": f"{self._seed}-{self._number}", "at": at}

    def _made(self, event: FloorEvent) -> Sending:
        made = _sending(event)
        self._past.append(made)
        return made


def _handled(head: dict[str, Any], chance: Random, agent: str, number: int) -> ContactHandled:
    lasted = chance.choice([20_000, 90_500, 400_000])
    return ContactHandled(
        **head,
        contact=f"c{number}",
        agent=agent,
        queue=chance.choice([*QUEUES, None]),
        channel=chance.choice(["voice", "voice", "chat"]),
        started_at=from_ms(_ms_of(head) - lasted),
        talk_s=lasted / 1000 - 5,
        wrap_s=5.0,
        transferred=chance.random() < 0.1,
    )


def _other_content(event: FloorEvent) -> FloorEvent:
    if isinstance(event, ContactHandled):
        return event.model_copy(update={"talk_s": event.talk_s + 1})
    return event


def _sending(event: FloorEvent, intent: Intent = "fact") -> Sending:
    return Sending(subject_of(event).encode(), encode(event), intent, event)


def future(seed: int, at_ms: int) -> Sending:
    """A fact of a clock that runs ahead."""
    event = StateChanged(source="acd", id=f"{seed}-ahead-{at_ms}", at=from_ms(at_ms), agent="n01", state="ready")
    made = _sending(event, "future")
    return Sending(made.key, made.value, "future", event, "future")


def _ms(event: FloorEvent) -> int:
    return round(event.at.timestamp() * 1000)


def _ms_of(head: dict[str, Any]) -> int:
    at: datetime = head["at"]
    return round(at.timestamp() * 1000)
