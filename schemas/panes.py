"""
What is counted: the columns of a minute pane.

A pane is the sums of one subject in one minute: integer counts and integer milliseconds, never a ratio. In memory it
is a sparse mapping of column to sum (`Sums`); ClickHouse holds each column by its name, and the counted waits as
arrays over `THRESHOLDS_S`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Sums = Mapping[str, int]
"""Column -> sum; a column that is absent is 0."""

THRESHOLDS_S = (5, 10, 15, 20, 25, 30, 45, 60, 90, 120, 180, 240, 300, 600)
"""Waits are counted exactly up to each of these seconds; service levels can be asked at these."""

_THRESHOLDS_MS = tuple(seconds * 1000 for seconds in THRESHOLDS_S)
WAIT_BUCKETS = len(THRESHOLDS_S) + 1
"""One bucket up to each threshold and one beyond the last."""

SHORT_CALL_MS = 10_000
"""A contact with talk up to this is a short call (floor_numbers: share of services of at most 10 s)."""

LONGEST_PART_MS = 4 * 3_600_000
"""Talk, hold or wrap beyond this is a record that got stuck: the rest is cut off and counted as `capped_ms`."""

Owner = Literal["agent", "queue", "both"]


@dataclass(frozen=True, slots=True)
class Column:
    """One sum of a pane."""

    name: str
    owner: Owner
    """Which panes hold it; `both`: the queue's pane holds what no agent is known for."""
    meaning: str


COLUMNS: tuple[Column, ...] = (
    Column("handled", "both", "Contacts finished, wrap included, in the minute in which wrap ended."),
    Column("talk_ms", "both", "Talk time of the handled contacts, ms."),
    Column("hold_ms", "both", "Hold time of the handled contacts, ms."),
    Column("wrap_ms", "both", "Wrap (after-contact work) of the handled contacts, ms."),
    Column("held", "both", "Handled contacts that had a hold."),
    Column("short_calls", "both", "Handled contacts with at most 10 s of talk."),
    Column("transferred", "both", "Handled contacts that were transferred out."),
    Column("without_wrap", "both", "Handled contacts without any wrap."),
    Column("capped", "both", "Contacts whose talk, hold or wrap was cut to the longest that is believed, 4 h."),
    Column("capped_ms", "both", "What was cut off, ms: it counts nowhere else."),
    Column("clamped", "both", "Facts with a negative gap of up to 2 s between two clocks, set to 0."),
    Column("accepted", "agent", "Contacts that the agent took when offered."),
    Column("rejected", "agent", "Contacts offered to the agent and not taken."),
    Column("rang_ms", "agent", "Ringing of accepted and rejected contacts, ms."),
    Column("engaged_ms", "agent", "Union of the times with at least one contact in hand, ms."),
    Column("ready_ms", "agent", "Time in state ready, ms."),
    Column("ringing_ms", "agent", "Time in state ringing, ms."),
    Column("on_contact_ms", "agent", "Time in state on_contact, ms."),
    Column("on_hold_ms", "agent", "Time in state hold, ms."),
    Column("in_wrap_ms", "agent", "Time in state wrap, ms."),
    Column("away_ms", "agent", "Time in state away, ms."),
    Column("aways", "agent", "Entries into state away."),
    Column("logouts", "agent", "Entries into state offline."),
    Column("scored", "agent", "Quality evaluations."),
    Column("score_hundredths", "agent", "Sum of quality scores in hundredths of a per cent point."),
    Column("fatal", "agent", "Evaluations with a fatal item."),
    Column("csat_answered", "agent", "Surveys with a satisfaction answer."),
    Column("csat_satisfied", "agent", "Satisfaction answers of 4 or 5."),
    Column("csat_points", "agent", "Sum of satisfaction answers (1 to 5)."),
    Column("nps_answered", "agent", "Surveys with a recommendation answer."),
    Column("nps_promoters", "agent", "Recommendation answers of 9 or 10."),
    Column("nps_detractors", "agent", "Recommendation answers of 0 to 6."),
    Column("resolved_answered", "agent", "Surveys that say whether the matter was resolved."),
    Column("resolved", "agent", "Surveys that say the matter was resolved."),
    Column("tasks", "agent", "Back-office tasks."),
    Column("task_ms", "agent", "Time of back-office tasks, ms."),
    Column("task_units", "agent", "Units of back-office tasks."),
    Column("tickets_worked", "agent", "Steps on tickets."),
    Column("tickets_solved_by", "agent", "Tickets solved by the agent."),
    Column("offered", "queue", "Contacts that entered the queue."),
    Column("answered", "queue", "Contacts that left the queue for an agent."),
    Column("abandoned", "queue", "Contacts whose customer gave up waiting."),
    Column("flowed_out", "queue", "Contacts that left the queue otherwise."),
    Column("answered_wait_ms", "queue", "Wait of the answered contacts, ms."),
    Column("abandoned_wait_ms", "queue", "Wait of the abandoned contacts, ms."),
    Column("flowed_out_wait_ms", "queue", "Wait of the contacts that flowed out, ms."),
    Column("tickets_created", "queue", "Tickets created."),
    Column("tickets_solved", "queue", "Tickets solved."),
    Column("tickets_reopened", "queue", "Tickets reopened."),
    Column("tickets_breached", "queue", "Tickets that missed their deadline."),
)

AGENT_COLUMNS: tuple[str, ...] = tuple(c.name for c in COLUMNS if c.owner in {"agent", "both"})
QUEUE_COLUMNS: tuple[str, ...] = tuple(c.name for c in COLUMNS if c.owner in {"queue", "both"})

STATE_COLUMN: dict[str, str] = {
    "ready": "ready_ms",
    "ringing": "ringing_ms",
    "on_contact": "on_contact_ms",
    "hold": "on_hold_ms",
    "wrap": "in_wrap_ms",
    "away": "away_ms",
}
"""The column of each state; `offline` is not counted."""

ANSWERED_WITHIN: tuple[str, ...] = tuple(f"answered_waits:{i}" for i in range(WAIT_BUCKETS))
ABANDONED_WITHIN: tuple[str, ...] = tuple(f"abandoned_waits:{i}" for i in range(WAIT_BUCKETS))
"""Sparse names of the wait buckets; in ClickHouse the arrays `answered_waits` and `abandoned_waits`."""

WORK_COLUMNS: tuple[str, ...] = ("ready_ms", "ringing_ms", "on_contact_ms", "on_hold_ms", "in_wrap_ms")
"""Time logged in and not away."""

AWAY_PREFIX = "away:"
"""`away:lunch` holds the away time of one reason; in ClickHouse the map `away_by_reason`."""
PLAN_PREFIX = "plan:"
"""`plan:W` holds planned time by class, `plan:W/work` what was done in it: see `schemas.kpi_terms`."""
TASK_PREFIX = "task:"
TASK_TIME_PREFIX = "taskms:"
"""`task:keying` holds units and `taskms:keying` the time of one kind of back-office task."""

MAPS: dict[str, tuple[str, str]] = {
    "away_by_reason": (AWAY_PREFIX, "Time away by reason code, ms."),
    "by_plan": (
        PLAN_PREFIX,
        "Planned time, and what the agent did in it, ms: W productive, B not, P paid; with g within 2 min of a change"
        " of activity, with e within 2 min of the ends of the shift; W/work and B/away/REASON are what was done.",
    ),
    "units_by_task": (TASK_PREFIX, "Units of back-office tasks by task."),
    "ms_by_task": (TASK_TIME_PREFIX, "Time of back-office tasks by task, ms."),
}
"""Column of agents' panes in ClickHouse -> (prefix of its keys in memory, meaning)."""


def wait_bucket(wait_ms: int) -> int:
    """Index of the wait bucket: the first threshold that the wait does not exceed."""
    return bisect_left(_THRESHOLDS_MS, wait_ms)


def within(sums: Sums, buckets: tuple[str, ...], threshold_s: int) -> int:
    """Count of waits up to a threshold of `THRESHOLDS_S`; ValueError for any other threshold."""
    last = THRESHOLDS_S.index(threshold_s)
    return sum(sums.get(name, 0) for name in buckets[: last + 1])
