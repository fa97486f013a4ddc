"""
Every cell of the February month, counted from the file by itself: nothing of floorpulse is imported here.

    python recompute_february.py FILE --by agent --step 30m        # CSV on stdout

The rules are those of floor_numbers.md §4.2 with the clock of the file: PHANTOM rows and hang-ups before the queue do
not count; a contact is offered when its wait begins, answered when it has waited, abandoned when it leaves the queue,
handled when its service ends. A time more than 6 h before the entry of the call is one of the next day.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

By = Literal["agent", "queue", "site"]
STEPS = {"30m": timedelta(minutes=30), "1d": timedelta(days=1)}
NEXT_DAY = timedelta(hours=6)
THRESHOLD_S = 20
SHORT_S = 10


class Fact(NamedTuple):
    """One thing that happened, at a local time; durations in whole seconds, as the file has them."""

    what: Literal["offered", "answered", "abandoned", "handled"]
    at: datetime
    queue: str
    agent: str
    seconds: int = 0
    since: datetime | None = None
    """Of the handled: when the service began."""


@dataclass
class Cell:
    """What one agent or queue did in one stretch of time."""

    offered: int = 0
    waits: list[int] = field(default_factory=list)
    """Of the answered, s."""
    given_up: list[int] = field(default_factory=list)
    """Waits of the abandoned, s."""
    talks: list[int] = field(default_factory=list)
    """Of the handled, s."""
    engaged_s: float = 0
    """Time with at least one contact in hand."""

    def add(self, fact: Fact) -> None:
        """Count a fact."""
        if fact.what == "offered":
            self.offered += 1
        else:
            {"answered": self.waits, "abandoned": self.given_up, "handled": self.talks}[fact.what].append(fact.seconds)

    def figures(self) -> dict[str, float]:
        """Counts, and sums of time in s."""
        return {
            "offered": self.offered,
            "answered": len(self.waits),
            "abandoned": len(self.given_up),
            "handled": len(self.talks),
            "answered_wait_s": sum(self.waits),
            "abandoned_wait_s": sum(self.given_up),
            "talk_s": sum(self.talks),
            "answered_in_time": sum(wait <= THRESHOLD_S for wait in self.waits),
            "abandoned_in_time": sum(wait <= THRESHOLD_S for wait in self.given_up),
            "short": sum(talk <= SHORT_S for talk in self.talks),
            "engaged_s": self.engaged_s,
        }


def facts(file: Path) -> Iterator[Fact]:
    """What the rows of the file say happened."""
    with file.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines, delimiter="\t"):
            yield from _of_row(row)


def _of_row(row: dict[str, str]) -> Iterator[Fact]:
    if row["outcome"] == "PHANTOM" or (row["outcome"] == "HANG" and row["q_start"] == "0:00:00"):
        return
    entry = _moment(row, "vru_entry", None)
    ivr_end, begins, leaves, served_from, served_to = (
        _moment(row, name, entry) for name in ("vru_exit", "q_start", "q_exit", "ser_start", "ser_exit")
    )
    queue, waited = row["type"], int(row["q_time"])
    offered_at = begins or ivr_end or entry
    left_at = leaves or ivr_end or entry
    assert offered_at is not None
    assert left_at is not None
    yield Fact("offered", offered_at, queue, "")
    if row["outcome"] == "HANG":
        yield Fact("abandoned", left_at, queue, "", waited)
        return
    agent = "" if row["server"] == "NO_SERVER" else row["server"]
    yield Fact("answered", offered_at + timedelta(seconds=waited), queue, agent, waited)
    talk_s = int(row["ser_time"]) if served_to else 0
    yield Fact("handled", served_to or left_at, queue, agent, talk_s, served_from or served_to or left_at)


def _moment(row: dict[str, str], name: str, entry: datetime | None) -> datetime | None:
    """A local time of the row's day, or of the day after where it would lie long before the entry."""
    if row[name] == "0:00:00" and entry is not None:
        return None
    hours, minutes, seconds = (int(part) for part in row[name].split(":"))
    at = _midnight(row["date"]) + timedelta(hours=hours, minutes=minutes, seconds=seconds)
    return at + timedelta(days=1) if entry is not None and entry - at > NEXT_DAY else at


@cache
def _midnight(date: str) -> datetime:
    return datetime.strptime(date, "%y%m%d")  # noqa: DTZ007  the file's clock has no zone


def cells(file: Path, by: By, step: timedelta) -> dict[tuple[str, datetime], Cell]:
    """(agent, queue or `main`, local start) -> what happened there. By agent only what an agent is known for counts."""
    found: dict[tuple[str, datetime], Cell] = defaultdict(Cell)
    in_hand: dict[str, list[tuple[datetime, datetime]]] = defaultdict(list)
    for fact in facts(file):
        if by != "agent":
            found[fact.queue if by == "queue" else "main", _start(fact.at, step)].add(fact)
        elif fact.what == "handled" and fact.agent:
            found[fact.agent, _start(fact.at, step)].add(fact)
            in_hand[fact.agent].append((fact.since or fact.at, fact.at))
    for agent, times in in_hand.items():
        for begins, ends in _union(times):
            start = _start(begins, step)
            while start < ends:
                found[agent, start].engaged_s += (min(ends, start + step) - max(begins, start)).total_seconds()
                start += step
    return dict(found)


def _start(at: datetime, step: timedelta) -> datetime:
    """The local start of the stretch that holds a time."""
    midnight = at.replace(hour=0, minute=0, second=0)
    return midnight + (at - midnight) // step * step


def _union(times: list[tuple[datetime, datetime]]) -> Iterator[tuple[datetime, datetime]]:
    """Stretches that are covered by at least one of some times."""
    covered = min(begins for begins, _ in times)
    for begins, ends in sorted(times):
        if ends > max(begins, covered):
            yield max(begins, covered), ends
            covered = ends


def main() -> None:
    """Print the cells as CSV."""
    parser = argparse.ArgumentParser(description="Cells of the February month, counted from the file.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--by", choices=["agent", "queue", "site"], default="site")
    parser.add_argument("--step", choices=list(STEPS), default="1d")
    asked = parser.parse_args()
    out = csv.writer(sys.stdout)
    out.writerow([asked.by, "from", *Cell().figures()])
    for (group, start), cell in sorted(cells(asked.file, asked.by, STEPS[asked.step]).items()):
        out.writerow([group, start.isoformat(), *cell.figures().values()])


if __name__ == "__main__":
    main()
