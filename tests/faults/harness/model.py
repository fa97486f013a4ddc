"""
The reference: what must have become of a log, by the plainest reading of it. No code of the engine.

    log, in order ── each message: stored, buried, a duplicate, a control record ── panes (oracle), alerts
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from schemas.controls import CONTROL_TYPES
from schemas.events import FloorEvent, QualityScored, StateChanged, subject_of
from tests.faults.harness.ledger import Place
from tests.faults.harness.log import Message
from tests.faults.harness.sendings import Sending
from tests.streams.oracle import Expected, Sent, counting, milliseconds, panes_of
from tests.streams.oracle import Place as PanePlace

SITE_THRESHOLD = 3
JUDGED_EACH_MS = 5_000
FIRES = "fires still"
NOT_YET = "not judged yet"
ENDS = ("state_left", "logged_off")
Identity = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Episode:
    """An alert that must have fired: since when (None: not told apart), and how it may have ended by now."""

    started_ms: int | None
    endings: frozenset[str]
    """Reasons; `FIRES` where it may fire still, `NOT_YET` where its first judging may not have been."""


@dataclass
class Fates:
    """What must have become of each message of `floor.events`."""

    stored: dict[Place, Message] = field(default_factory=dict)
    letters: dict[Place, tuple[str, Message]] = field(default_factory=dict)
    duplicates: set[Place] = field(default_factory=set)
    either: dict[Place, Message] = field(default_factory=dict)
    """A lower revision that came later, or one of a fact that moved between partitions: a row, or counted only."""
    controls: Counter[int] = field(default_factory=Counter)
    ends: dict[int, int] = field(default_factory=dict)
    clocks: dict[int, int] = field(default_factory=dict)
    """Partition -> the time that it has reached."""
    facts: list[tuple[int, Sent]] = field(default_factory=list)
    """(partition, fact) of everything that was taken."""
    erased: frozenset[str] = frozenset()
    """Agents who are erased."""
    places: set[Place] = field(default_factory=set)
    """Of their events that were taken: nothing else is left of these."""

    @property
    def clock_ms(self) -> int:
        """The latest time of all partitions."""
        return max(self.clocks.values(), default=0)

    def panes(self) -> dict[PanePlace, Expected]:
        """Every pane that is not empty."""
        return panes_of((sent for _, sent in self.facts), self.clock_ms)


class Reader:
    """Goes through a log once."""

    def __init__(
        self,
        log: Sequence[Message],
        intents: dict[bytes, Sending],
        *,
        event_clock: bool,
        erased: Mapping[str, int] | None = None,
    ) -> None:
        """
        `intents`: what each value is meant to be; whatever is not in it must be a control record.

        `erased`: agents of whom everything comes once and in order, with the revision that erases them.
        """
        self._erased = dict(erased or {})
        self.fates = Fates(erased=frozenset(self._erased))
        self._revisions: dict[int, int] = {}
        """Partition -> the revision of the registry that it has come to."""
        self._intents, self._event_clock = intents, event_clock
        self._known: dict[tuple[int, Identity], tuple[int, bytes]] = {}
        self._homes: dict[Identity, set[int]] = defaultdict(set)
        for message in log:
            sending = intents.get(message.value)
            if sending is not None and sending.event is not None:
                self._homes[_identity(sending.event)].add(message.partition)
        for message in log:
            self.fates.ends[message.partition] = message.offset + 1
            if not event_clock:
                self._advance(message.partition, message.broker_ms)
            self._read(message)
        self._forget_erased()

    def _forget_erased(self) -> None:
        """What was taken of them before they were erased is a place in the log, and counts for nothing."""
        fates = self.fates
        for place, message in list(fates.stored.items()):
            sending = self._intents[message.value]
            if sending.event is not None and self._is_erased(sending.event):
                del fates.stored[place]
                fates.places.add(place)
        fates.facts = [(partition, sent) for partition, sent in fates.facts if not self._is_erased(sent.event)]

    def _is_erased(self, event: FloorEvent) -> bool:
        return subject_of(event).removeprefix("agent:") in self._erased

    def _read(self, message: Message) -> None:
        sending = self._intents.get(message.value)
        if sending is None:
            self._control(message)
        elif sending.event is not None and self._is_refused(message.partition, sending.event):
            self.fates.letters[message.place] = ("erased", message)
        elif sending.event is None or sending.intent == "future":
            self.fates.letters[message.place] = (sending.reason, message)
        else:
            self._fact(message, sending.event)

    def _is_refused(self, partition: int, event: FloorEvent) -> bool:
        since = self._erased.get(subject_of(event).removeprefix("agent:"))
        return since is not None and self._revisions.get(partition, 0) >= since

    def _control(self, message: Message) -> None:
        said = json.loads(message.value)
        assert said["type"] in CONTROL_TYPES, f"nobody sent {message.value[:100]!r}"
        self.fates.controls[message.partition] += 1
        if said["type"] == "registry_changed":
            self._revisions[message.partition] = said["revision"]
        if said["type"] == "refold_asked" and said.get("moved"):
            self._told(message.partition, (*said["moved"],), said["revision"])
        if self._event_clock and said["type"] in {"ticked", "input_ended"}:
            self._advance(message.partition, round(datetime.fromisoformat(said["at"]).timestamp() * 1000))

    def _told(self, partition: int, identity: Identity, revision: int) -> None:
        """Another partition has a higher revision: what comes here below it is a lower one, whatever its bytes are."""
        before = self._known.get((partition, identity))
        if before is None or before[0] < revision:
            self._known[partition, identity] = (revision, b"")

    def _fact(self, message: Message, event: FloorEvent) -> None:
        if self._event_clock:
            self._advance(message.partition, milliseconds(event.at))
        place, identity = message.place, _identity(event)
        before = self._known.get((message.partition, identity))
        if before is not None and event.revision == before[0]:
            if message.value == before[1]:
                self.fates.duplicates.add(place)
            else:
                self.fates.letters[place] = ("conflict", message)
            return
        is_newest = before is None or event.revision > before[0]
        is_plain = is_newest and len(self._homes[identity]) == 1
        (self.fates.stored if is_plain else self.fates.either)[place] = message
        self.fates.facts.append((message.partition, Sent(message.offset, message.broker_ms, event, 0)))
        if is_newest:
            self._known[message.partition, identity] = (event.revision, message.value)

    def _advance(self, partition: int, to_ms: int) -> None:
        self.fates.clocks[partition] = max(self.fates.clocks.get(partition, 0), to_ms)


def alerts_expected(fates: Fates, *, away_ms: int, event_clock: bool) -> dict[tuple[str, str], list[Episode]]:
    """
    (rule, subject) -> the episodes that must have been told, for the rules of `rules.yaml`.

    Under the wall clock the site's minutes are not over when a run ends: its rule is left out.
    """
    expected: dict[tuple[str, str], list[Episode]] = {}
    counted = {id(sent) for sent in counting(sent for _, sent in fates.facts)}
    fatal = [(partition, sent) for partition, sent in fates.facts if id(sent) in counted and _is_fatal(sent)]
    for partition, sent in fatal:
        is_judged = event_clock or _next_judging(sent.broker_ms) <= fates.clocks[partition]
        key = ("fatal-item", subject_of(sent.event))
        if is_judged or key not in expected:
            expected[key] = [Episode(None, frozenset({FIRES} if is_judged else {FIRES, NOT_YET}))]
    if len(fatal) >= SITE_THRESHOLD and event_clock:
        expected["site-fatal", "site:main"] = [Episode(None, frozenset({FIRES}))]
    by_agent: dict[tuple[str, int], list[Sent]] = defaultdict(list)
    for partition, sent in fates.facts:
        if isinstance(sent.event, StateChanged):
            by_agent[sent.event.agent, partition].append(sent)
    for (agent, partition), changes in by_agent.items():
        episodes = list(_stays(changes, away_ms, fates.clocks[partition], event_clock=event_clock))
        if episodes:
            expected["long-away", f"agent:{agent}"] = episodes
    return expected


def _stays(changes: list[Sent], away_ms: int, last_ms: int, *, event_clock: bool) -> Iterable[Episode]:
    """
    The stays in `away` that outlast the threshold; the agents that rules watch come in order.

    A stay is seen at the first judging after its message, and no episode begins before the one before was judged over.
    """
    over_ms = 0
    for sent, after in zip(changes, [*changes[1:], None], strict=True):
        if not _is(sent, "away"):
            continue
        start_ms = max(milliseconds(sent.event.at) + away_ms, over_ms)
        fires_ms = max(start_ms, _next_judging(_clock_at(sent, event_clock=event_clock)))
        left_ms = last_ms if after is None else _clock_at(after, event_clock=event_clock)
        if fires_ms > left_ms:
            continue
        if after is None:
            yield Episode(start_ms, frozenset({FIRES}))
        else:
            over_ms = _next_judging(left_ms)
            yield Episode(start_ms, _endings(after, left_ms, last_ms, event_clock=event_clock))


def _clock_at(sent: Sent, *, event_clock: bool) -> int:
    return milliseconds(sent.event.at) if event_clock else sent.broker_ms


def _next_judging(ms: int) -> int:
    return (ms // JUDGED_EACH_MS + 1) * JUDGED_EACH_MS


def _endings(after: Sent, left_ms: int, last_ms: int, *, event_clock: bool) -> frozenset[str]:
    """What ends a stay; under the wall clock the state may be another one again when it is judged."""
    reason = "logged_off" if _is(after, "offline") else "state_left"
    endings = {reason} if event_clock else set(ENDS)
    return frozenset(endings | ({FIRES} if left_ms + JUDGED_EACH_MS >= last_ms else set()))


def _is_fatal(sent: Sent) -> bool:
    return isinstance(sent.event, QualityScored) and sent.event.fatal


def _is(sent: Sent, state: str) -> bool:
    return isinstance(sent.event, StateChanged) and sent.event.state == state


def _identity(event: FloorEvent) -> Identity:
    return event.source, event.id, event.type
