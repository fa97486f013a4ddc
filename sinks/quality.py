"""Trouble with clocks and data: what is looked for, by which rule, how often it was found, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from schemas.times import from_ms

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client


@dataclass(frozen=True, slots=True)
class Check:
    """One kind of trouble."""

    id: str
    name: str
    rule: str
    advice: str
    unit: Literal["count", "s"] = "count"


CHECKS: tuple[Check, ...] = (
    Check(
        "clamped",
        "Negative gaps, set to 0",
        "A time before the one it must follow, by up to 2 s, as two clocks tell them. The gap counts as 0.",
        "Set the clocks of the source by the same time server.",
    ),
    Check(
        "future",
        "Events from the future",
        "More than 2 min ahead of the broker's clock: not counted.",
        "Set the clock of the source, then send the events again.",
    ),
    Check(
        "too_late",
        "Too late",
        "Older than the raw events that are kept: its minute cannot be folded again, so it is not counted.",
        "Keep raw events longer, or send corrections sooner.",
    ),
    Check(
        "invalid",
        "Unreadable messages",
        "A message that is no event: not counted.",
        "Read the detail in dead_letters, mend the source, send them again.",
    ),
    Check(
        "oversize",
        "Messages too large",
        "Larger than an event may be, 32 KiB: not counted.",
        "Send facts, not documents.",
    ),
    Check(
        "rejected_row",
        "Rows refused",
        "A row of a file, or an event of a request, that a reader could make no event of: not counted.",
        "Read the detail in dead_letters; mend the file or its mapping, and send it again.",
    ),
    Check(
        "conflict",
        "Conflicts",
        "The same fact in the same revision with other content: the first one counts.",
        "A changed fact needs a higher revision: mend the source.",
    ),
    Check(
        "counted_twice",
        "Counted for two",
        "One revision of a fact for two agents or queues: whose it is cannot be known, so it counts for both.",
        "A fact that moves needs a higher revision: send it once more with one.",
    ),
    Check(
        "erased",
        "Of people who were erased",
        "A source still sends events of somebody who was erased: they are refused, and not kept.",
        "Take the person out of the source.",
    ),
    Check(
        "duplicates",
        "Duplicates",
        "A fact that came again: counted once. Since the floor began, by partition.",
        "Nothing: sending again is safe.",
    ),
    Check(
        "capped",
        "Outliers, capped",
        "Talk, hold or wrap beyond 4 h is a record that got stuck: what is beyond counts nowhere.",
        "Look at the contact in the source; a higher revision corrects it.",
    ),
    Check(
        "open_waits",
        "Waits without an end",
        "Nobody answered, gave up or left within 12 h: the wait ends by itself and counts only as offered.",
        "The source loses departures: look for the contact there.",
    ),
    Check(
        "open_contacts",
        "Contacts without an end",
        "Taken by an agent and not finished within 12 h: no longer in hand, and never counted as handled.",
        "The source loses the ends of contacts: look for the contact there.",
    ),
    Check(
        "open_states",
        "States without an end",
        "No other state within 12 h: it ends by itself then, so at most 12 h of it count.",
        "The source loses logouts: send offline at the end of a shift.",
    ),
    Check(
        "unmapped",
        "Agents nobody knows",
        "Ids that no person of the registry has, as work id or as alias: they belong to no team.",
        "Add the alias to the person in the floor file and apply it: what was counted joins them.",
    ),
    Check(
        "without_agent",
        "Contacts without an agent",
        "Handled by nobody known: they count for queue and site, and for no agent.",
        "Have the source name who handled them.",
    ),
    Check(
        "unknown_reasons",
        "Unknown reason codes",
        "A reason that the registry does not name counts as paid and not productive.",
        "Add it to reason_codes of the floor file.",
    ),
    Check(
        "gaps",
        "Gaps in the log",
        "Offsets that were gone before they were read, and that a person accepted: lost.",
        "Send that time again from the source.",
    ),
    Check(
        "unbalanced",
        "Offsets not accounted for",
        "Every offset is an event, a duplicate, a dead letter, a control record or in a gap.",
        "Run floorpulse reconcile, and report what it says.",
    ),
    Check(
        "silence",
        "Longest silence",
        "The longest time from one minute with events to the next, by source.",
        "Compare with the opening hours; a feed that is silent while the floor works is down.",
        "s",
    ),
)

_OF_TIME = (
    "clamped", "letters", "twice", "capped", "open_waits", "open_contacts", "open_states", "unmapped", "without_agent",
    "reasons", "silence",
)  # fmt: skip
"""Views `quality_...` that take a range; `quality_partitions` counts since the floor began."""


@dataclass(frozen=True, slots=True)
class Finding:
    """How often one kind of trouble was found in one place; `n` 0 and no `part` where there is none."""

    check: Check
    part: str
    """Source, queue, state, reason or partition."""
    n: int
    """Times, or seconds of silence."""
    example: str

    @property
    def shown(self) -> str:
        """The count as people read it: silence as h:mm:ss."""
        if self.check.unit == "count":
            return f"{self.n:,}"
        hours, rest = divmod(self.n, 3600)
        return f"{hours}:{rest // 60:02}:{rest % 60:02}"


def read_quality(client: Client, from_ms_: int, to_ms_: int) -> list[Finding]:
    """Every check with its findings in [from, to), the most frequent first; by partition since the floor began."""
    rows = list(client.query("SELECT trouble, part, n, example FROM quality_partitions").result_rows)
    first, last = _instant(from_ms_), _instant(to_ms_)
    for view in _OF_TIME:
        sql = f"SELECT trouble, part, n, example FROM quality_{view}(from = '{first}', to = '{last}')"
        rows += client.query(sql).result_rows
    return [finding for check in CHECKS for finding in _findings(check, rows)]


def all_time(client: Client) -> tuple[int, int]:
    """[from, to) that holds every stored event, epoch ms; up to the floor's clock."""
    row = client.query(
        "SELECT (SELECT min(at) FROM events), (SELECT max(at) FROM events),"
        " (SELECT max(clock) FROM subjects WHERE kind = 'partition')"
    ).result_rows[0]
    first, newest, clock = (_ms(instant) for instant in row)
    return first, max(newest, clock) + 1


def _findings(check: Check, rows: Sequence[Sequence[object]]) -> list[Finding]:
    found = [
        Finding(check, str(part), int(str(n)), str(example))
        for trouble, part, n, example in rows
        if trouble == check.id
    ]
    return sorted(found, key=lambda finding: (-abs(finding.n), finding.part)) or [Finding(check, "", 0, "")]


def _instant(ms: int) -> str:
    return f"{from_ms(ms):%Y-%m-%d %H:%M:%S}.{ms % 1000:03}"


def _ms(instant: datetime) -> int:
    return int(instant.replace(tzinfo=UTC).timestamp() * 1000)
