"""
What must hold after every run: I1 to I8, by SQL, out of `floor.alerts`, and against Kafka's ends.

Each check gives the first few things that are wrong, in words; nothing wrong is nothing given.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any

from records.core.chain import broken_at, is_erased
from schemas.erasure import unnamed_payload
from schemas.panes import Sums
from schemas.records import RecordEvent
from schemas.times import MINUTE_MS
from schemas.topics import CONTRIBUTIONS, EVENTS
from sinks.stored_panes import stored_panes
from tests.faults.harness.ledger import Ledger, Place
from tests.faults.harness.log import Message
from tests.faults.harness.model import FIRES, NOT_YET, Episode, Fates
from tests.streams.oracle import Expected
from tests.streams.oracle import Place as PanePlace

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

MOST = 5
"""So many examples of one fault are shown."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that does not hold."""

    check: str
    what: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a run left behind."""

    client: Client
    ledger: Ledger
    fates: Fates
    log: list[Message]
    alerts: list[Message]
    record_events: list[Message]
    expected_alerts: dict[tuple[str, str], list[Episode]] | None
    """None: the rules changed on the way, and the run checks its alerts itself."""
    contributions_end: int
    event_clock: bool
    """Under the wall clock the minutes of the groups are not over when a run ends."""


def violations(evidence: Evidence) -> list[Violation]:
    """Everything that is wrong, a few examples of each check."""
    found: list[Violation] = []
    for name, check in CHECKS.items():
        wrong = list(check(evidence))
        found += [Violation(name, what) for what in wrong[:MOST]]
        if len(wrong) > MOST:
            found.append(Violation(name, f"and {len(wrong) - MOST} more"))
    return found


def _conserved(e: Evidence) -> Iterator[str]:
    """I1: what was acknowledged is in the log; each message of the log is in exactly one place."""
    present = {message.value for message in e.log}
    for entry in e.ledger.acknowledged():
        if entry.sending.value not in present:
            yield f"acknowledged and not in the log: {entry.sending.value[:120]!r}"
    rows, letters = _rows(e.client), _letters(e.client)
    for place in e.fates.stored:
        if place not in rows:
            yield f"missing in events: {_name(place)}"
    for place, (reason, _) in e.fates.letters.items():
        if letters.get(place, ("", ""))[0] != reason:
            yield f"missing in dead letters: {_name(place)}, expected {reason}, found {letters.get(place)}"
    for place in rows.keys() & letters.keys():
        yield f"in both events and dead letters: {_name(place)}"
    places = _places(e.client)
    yield from (f"place not kept of an erased event: {_name(place)}" for place in e.fates.places - places)
    yield from (f"kept as the place of an erased event: {_name(place)}" for place in places - e.fates.places)
    yield from (f"erased and there all the same: {_name(place)}" for place in places & (rows.keys() | letters.keys()))


def _not_invented(e: Evidence) -> Iterator[str]:
    """I2: every row and every letter is a message of the log, byte for byte."""
    values = {message.place: message.value for message in e.log}
    for place, payload in _rows(e.client).items():
        if place not in e.fates.stored and place not in e.fates.either:
            yield f"in events and should not be: {_name(place)} {payload[:80]!r}"
        elif unnamed_payload(values[place], e.fates.erased) != payload:
            yield f"other bytes in events: {_name(place)} {payload[:80]!r}"
    for place, (reason, payload) in _letters(e.client).items():
        if place not in e.fates.letters:
            yield f"in dead letters and should not be: {_name(place)} {reason} {payload[:80]!r}"
        elif (b"" if _is_of_erased(values[place], e.fates) else values[place]) != payload:
            yield f"other bytes in dead letters: {_name(place)}"


def _is_of_erased(value: bytes, fates: Fates) -> bool:
    return any(agent.encode() in value for agent in fates.erased)


def _panes_equal(e: Evidence) -> Iterator[str]:
    """I3: every pane is what the naive recomputation of the log says."""
    yield from _differences(_stored_panes(e.client), e.fates.panes())


def _windows_equal(e: Evidence) -> Iterator[str]:
    """I3: every rolling window is the sum of the expected panes that it covers; groups wait for whole minutes."""
    by_group = _by_group(e.fates.panes())
    hops = (1, 2) if e.event_clock else (1,)
    rows = e.client.query(
        "SELECT subject, hop, toString(window), toUnixTimestamp64Milli(opened_at), toUnixTimestamp64Milli(closed_at),"
        " sums FROM windows FINAL WHERE window LIKE '%m'"
    ).result_rows
    for subject, hop, window, opened, closed, sums in rows:
        if hop not in hops:
            continue
        minutes = by_group.get((hop, subject), {})
        expected: Counter[str] = Counter()
        for minute, held in minutes.items():
            if opened <= minute * MINUTE_MS and minute * MINUTE_MS < closed + (hop == 1):
                expected.update(held)
        found = {column: int(value) for column, value in sums.items() if value}
        if found != {column: value for column, value in expected.items() if value}:
            yield f"{subject} {window}: {_unequal(found, dict(expected))}"


def _alerts_right(e: Evidence) -> Iterator[str]:
    """I4: the episodes are those of the reference; table and topic say the same; all copies are the same bytes."""
    copies: dict[tuple[str, int], set[bytes]] = defaultdict(set)
    for message in e.alerts:
        said = json.loads(message.value)
        if said["subject"].removeprefix("agent:") in e.fates.erased:
            continue
        copies[said["alert"], said["sequence"]].add(message.value)
    rows = e.client.query(
        "SELECT alert, sequence, state, reason, rule, subject, toUnixTimestamp64Milli(started_at)"
        " FROM alert_transitions FINAL ORDER BY alert, sequence"
    ).result_rows
    stored = {(row[0], int(row[1])) for row in rows}
    yield from (f"on floor.alerts in {len(found)} versions: {key}" for key, found in copies.items() if len(found) > 1)
    yield from (f"stored and never told on floor.alerts: {key}" for key in sorted(stored - copies.keys()))
    yield from (f"told on floor.alerts and not stored: {key}" for key in sorted(copies.keys() - stored))
    episodes: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        if e.event_clock or not row[5].startswith("site:"):
            episodes[row[0]].append(row)
    yield from _sequences(episodes)
    if e.expected_alerts is not None:
        yield from _episodes(episodes, e.expected_alerts)


def _sequences(episodes: dict[str, list[Any]]) -> Iterator[str]:
    for alert, steps in episodes.items():
        if [(int(step[1]), step[2]) for step in steps] not in ([(1, "firing")], [(1, "firing"), (2, "resolved")]):
            yield f"{steps[0][4]} of {steps[0][5]} ({alert}): steps {[(step[1], step[2], step[3]) for step in steps]}"


def _episodes(episodes: dict[str, list[Any]], expected: dict[tuple[str, str], list[Episode]]) -> Iterator[str]:
    found: dict[tuple[str, str], list[tuple[int | None, str]]] = defaultdict(list)
    for steps in episodes.values():
        first, last = steps[0], steps[-1]
        rule = str(first[4])
        started = int(first[6]) if rule == "long-away" else None
        found[rule, str(first[5])].append((started, str(last[3]) if last[2] == "resolved" else FIRES))
    for key in sorted(found.keys() | expected.keys()):
        told, wanted = sorted(found.get(key, []), key=lambda one: one[0] or 0), expected.get(key, [])
        if not told and all(NOT_YET in episode.endings for episode in wanted):
            continue
        right = len(told) == len(wanted) and all(
            started == episode.started_ms and end in episode.endings
            for (started, end), episode in zip(told, wanted, strict=True)
        )
        if not right:
            yield f"{key}: expected {wanted}, found {told}"


def _records_right(e: Evidence) -> Iterator[str]:
    """I5: chains hold; each alert that opens coaching stands in exactly one case; what is stored was published."""
    columns = "stream, sequence, id, kind, at, by, command, record, version, body, previous, hash"
    rows = e.client.query(f"SELECT {columns} FROM record_events FINAL ORDER BY stream, sequence").result_rows
    streams: dict[str, list[RecordEvent]] = defaultdict(list)
    for row in rows:
        fields = dict(zip(columns.split(", "), row, strict=True)) | {
            "at": row[4].replace(tzinfo=UTC),
            "body": json.loads(row[9]),
        }
        streams[row[0]].append(RecordEvent.model_validate(fields))
    for stream, entries in streams.items():
        if (broken := broken_at(entries)) is not None:
            yield f"the chain of {stream} breaks at {broken}"
    entries = [entry for stream in streams.values() for entry in stream]
    opened = Counter(_alert_of(entry) for entry in entries if entry.kind in {"case_opened", "evidence_added"})
    firing = e.client.query(
        "SELECT alert FROM alert_transitions FINAL WHERE state = 'firing' AND opens != 'nothing'"
    ).result_rows
    for (alert,) in firing:
        if opened[alert] != 1:
            yield f"alert {alert} stands in {opened[alert]} cases"
    yield from (f"a case of an alert that never fired: {alert}" for alert in opened if (alert,) not in firing)
    published = {json.loads(message.value)["id"] for message in e.record_events}
    yield from (
        f"never published: entry {entry.id} of {entry.stream}"
        for entry in entries
        if entry.id not in published and not is_erased(entry)
    )


def _alert_of(entry: RecordEvent) -> str:
    body: Any = entry.body
    return str(body["transition"]["alert"])


def _offsets_add_up(e: Evidence) -> Iterator[str]:
    """I8: up to Kafka's end every offset is a row, a duplicate, a letter or a control record."""
    marks = {
        (str(topic), int(number)): tuple(map(int, rest))
        for topic, number, *rest in e.client.query(
            "SELECT splitByChar(':', subject)[1], splitByChar(':', subject)[2], boundary, rows, duplicates, dead,"
            " controls FROM subjects FINAL WHERE kind = 'partition'"
        ).result_rows
    }
    for partition, end in e.fates.ends.items():
        boundary, rows, duplicates, dead, controls = marks.get((EVENTS, partition), (-1, 0, 0, 0, 0))
        if boundary + 1 != end:
            yield f"partition {partition}: stored up to {boundary}, Kafka ends at {end}"
        if rows + duplicates + dead + controls != boundary + 1:
            yield f"partition {partition}: {rows} + {duplicates} + {dead} + {controls} are not {boundary + 1}"
        letters = sum(place[0] == partition for place in e.fates.letters)
        if (dead, controls) != (letters, e.fates.controls[partition]):
            yield (
                f"partition {partition}: {dead} letters and {controls} controls counted, expected {letters} and "
                f"{e.fates.controls[partition]}"
            )
    boundary = marks.get((CONTRIBUTIONS, 0), (-1,))[0]
    if boundary + 1 != e.contributions_end:
        yield f"contributions: stored up to {boundary}, Kafka ends at {e.contributions_end}"


CHECKS = {
    "I1 conservation": _conserved,
    "I2 nothing invented": _not_invented,
    "I3 panes": _panes_equal,
    "I3 windows": _windows_equal,
    "I4 alerts": _alerts_right,
    "I5 records": _records_right,
    "I8 offsets": _offsets_add_up,
}
"""I6 (liveness) and I7 (it really happened) are checked by the runs themselves."""


def _rows(client: Client) -> dict[Place, bytes]:
    found = client.query("SELECT partition, offset, hex(payload) FROM events FINAL").result_rows
    return {(int(partition), int(offset)): bytes.fromhex(payload) for partition, offset, payload in found}


def _places(client: Client) -> set[Place]:
    found = client.query("SELECT partition, offset FROM erased_events FINAL").result_rows
    return {(int(partition), int(offset)) for partition, offset in found}


def _letters(client: Client) -> dict[Place, tuple[str, bytes]]:
    found = client.query(
        "SELECT partition, offset, toString(reason), hex(value) FROM dead_letters FINAL WHERE topic = 'floor.events'"
    ).result_rows
    return {(int(p), int(o)): (str(reason), bytes.fromhex(value)) for p, o, reason, value in found}


def _stored_panes(client: Client) -> dict[PanePlace, Expected]:
    read = stored_panes(client, "agent", "1", {}) + stored_panes(client, "queue", "1", {})
    found = {
        (key, minute, *cell): Expected({c: v for c, v in pane.sums.items() if v}, sorted(pane.handle_times))
        for key, minute, cell, pane in read
    }
    return {place: pane for place, pane in found.items() if pane.sums or pane.times}


def _differences(found: dict[PanePlace, Expected], expected: dict[PanePlace, Expected]) -> Iterator[str]:
    nothing = Expected({}, [])
    for place in sorted(found.keys() | expected.keys()):
        has, should = found.get(place, nothing), expected.get(place, nothing)
        if has != should:
            yield f"{place}: {_unequal(has.sums, should.sums)} times {has.times} expected {should.times}"


def _unequal(found: Sums, expected: Sums) -> str:
    columns = sorted(c for c in found.keys() | expected.keys() if found.get(c, 0) != expected.get(c, 0))
    return ", ".join(f"{c} is {found.get(c, 0)}, expected {expected.get(c, 0)}" for c in columns)


def _by_group(panes: dict[PanePlace, Expected]) -> dict[tuple[int, str], dict[int, Counter[str]]]:
    """Sums by (hop, subject) and minute: the subject itself, its queue with its agents, and the only site."""
    found: dict[tuple[int, str], dict[int, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for (subject, minute, queue, _), pane in panes.items():
        groups = [(1, subject), (2, "site:main")]
        if queue:
            groups.append((2, f"queue:{queue}"))
        for group in groups:
            found[group][minute].update(pane.sums)
    return found


def _name(place: Place) -> str:
    return f"{EVENTS}:{place[0]} offset {place[1]}"
