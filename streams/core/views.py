"""What a judge sees of a subject at an instant, and the open state that readers see."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from functools import cached_property
from typing import Protocol
from zoneinfo import ZoneInfo

from schemas.alerts import Look, RecentContact, Window
from schemas.kpi_terms import Codes
from schemas.panes import Sums
from schemas.registry import FOREVER_MS, Registry
from schemas.times import MINUTE_MS, day_end, day_of, day_start, minute_from, minute_of
from streams.core.lasting import in_plan, in_state, with_spans
from streams.core.planned import PAID
from streams.core.spans import NEVER, Span
from streams.core.subject import Subject


class Judged(Protocol):
    """What a view needs of a subject or a group."""

    key: str
    days: dict[str, dict[str, int]]

    def window(self, minutes: int, look: Look | None = None) -> Sums:
        """Totals of a rolling window: at least those that are looked at."""


class SubjectAt:
    """An agent or queue at an instant (`schemas.alerts.SubjectView`)."""

    def __init__(
        self, subject: Subject, registry: Registry, now: int, closed: date | None = None, *, today: str = ""
    ) -> None:
        """`closed`: the site day that rules over days are judged for; `today`: the site day now, where it is known."""
        self._today = today
        self._subject = subject
        self.subject = subject.key
        self._registry = registry
        self._now = now
        self._closed = closed

    @cached_property
    def team(self) -> str:
        """The agent's team at this instant, `''` for none."""
        return self._registry.team_of(self._subject.id, self._now) if self._subject.kind == "agent" else ""

    @cached_property
    def site(self) -> str:
        """The subject's site."""
        return site_of(self.subject, self._registry, self._now)

    @property
    def codes(self) -> Codes:
        """What the registry says of reason codes and tasks."""
        return self._registry.codes

    @cached_property
    def _zone(self) -> ZoneInfo:
        return self._registry.zone(self.site)

    @cached_property
    def _day(self) -> date:
        if self._today:
            return date.fromisoformat(self._today)
        return self._closed or day_of(self._now - 1, self._zone)

    def sums(self, window: Window, look: Look | None = None) -> Sums:
        """Totals of a window, with what the state that lasts gives up to the last whole minute."""
        settled = self._settled(window, look)
        if self._subject.kind != "agent" or window.kind == "now":
            return settled
        spans = self._in_state
        if look is not None:
            spans = [span for span in spans if look.reads(span.column)]
        if self._subject.time.plans and (look is None or look.reads(PAID)):
            spans = [*spans, *self._in_plan]
        return with_spans(settled, spans, self._minutes_of(window)) if spans else settled

    @cached_property
    def _in_state(self) -> list[Span]:
        return in_state(self._subject.time, self._now)

    @cached_property
    def _in_plan(self) -> list[Span]:
        return in_plan(self._subject, self._now, self._in_state)

    def _settled(self, window: Window, look: Look | None) -> Sums:
        """What the subject holds of a window: it changes with the subject."""
        subject = self._subject
        if window.kind == "shift":
            return subject.shift_sums
        if window.kind == "rolling":
            return subject.window(window.minutes, look)
        if window.kind == "day" and self._today:
            return subject.days.get(self._today, {})
        return span_sums(subject, window, self._day)

    def bounds(self, window: Window) -> tuple[int, int]:
        """[from, to) of a window."""
        if window.kind == "shift" and self._subject.shift_start >= 0:
            return self._subject.shift_start, self._now
        return span_bounds(window, self._now, self._day, self._zone)

    def _minutes_of(self, window: Window) -> tuple[int, int]:
        """From the first minute that counts in a window to the end of its last one: a shift has no last one yet."""
        start, _ = self.bounds(window)
        if window.kind == "rolling":
            return start, start + window.minutes * MINUTE_MS
        if window.kind == "shift":
            return minute_from(start) * MINUTE_MS, NEVER
        return start, day_end(self._day, self._zone)

    def state(self) -> tuple[str, str | None, int] | None:
        """The agent's state, reason and since when."""
        change = self._subject.time.timeline.now()
        return (change.state, change.reason or None, change.at) if change else None

    def state_since(self) -> int | None:
        """Since when the agent is in the state, whatever the reasons were."""
        return self._subject.time.timeline.since()

    def waiting(self) -> Sequence[tuple[int, str]]:
        """(since, contact), oldest first."""
        return sorted((at, contact) for contact, at in self._subject.waiting.items())

    def contacts(self, window: Window) -> Iterable[RecentContact]:
        """Remembered contacts of a window, oldest first."""
        start, end = self.bounds(window)
        remembered = dict.fromkeys((*self._subject.recent, *self._subject.notable))
        found = [contact for contact in remembered if start <= contact.at_ms < end]
        return sorted(found, key=lambda contact: (contact.at_ms, contact.contact))


def span_sums(subject: Judged, window: Window, day: date) -> Sums:
    """Totals of a day or a span of days that ends with `day`; empty for `now`."""
    if window.kind == "now":
        return {}
    if window.kind != "days":
        return subject.days.get(day.isoformat(), {})
    totals: dict[str, int] = {}
    for back in range(window.days):
        for column, value in subject.days.get((day - timedelta(days=back)).isoformat(), {}).items():
            totals[column] = totals.get(column, 0) + value
    return totals


def span_bounds(window: Window, now: int, day: date, zone: ZoneInfo) -> tuple[int, int]:
    """[from, to) of a window that is judged at `now`."""
    if window.kind == "rolling":
        return (minute_of(now - 1) - window.minutes + 1) * MINUTE_MS, now
    if window.kind == "days":
        return day_start(day - timedelta(days=window.days - 1), zone), day_end(day, zone)
    if window.kind == "now":
        return now, now
    return day_start(day, zone), now


def stay_of(key: str, registry: Registry, at_ms: int) -> tuple[str, int]:
    """The site of an agent or queue at an instant, and until when it certainly stays there, epoch ms."""
    kind, _, name = key.partition(":")
    if kind == "agent":
        return registry.site_of_agent(name, at_ms), registry.stays_until(name, at_ms)
    return registry.site_of_queue(name), FOREVER_MS


def site_of(key: str, registry: Registry, at_ms: int) -> str:
    """The site of a subject or group at an instant."""
    kind, _, name = key.partition(":")
    if kind == "agent":
        return registry.site_of_agent(name, at_ms)
    if kind == "queue":
        return registry.site_of_queue(name)
    if kind == "team":
        return registry.site_of_team(name)
    return name if kind == "site" else "main"


class GroupLike(Judged, Protocol):
    """What a view needs of a group."""

    kind: str
    id: str


class GroupAt:
    """A team, site, client, or queue with its agents, at a whole minute (`schemas.alerts.SubjectView`)."""

    def __init__(self, group: GroupLike, registry: Registry, now: int, closed: date | None = None) -> None:
        """`closed`: the site day that rules over days are judged for."""
        self._group = group
        self.subject = group.key
        self.codes = registry.codes
        self._now = now
        self.team = group.id if group.kind == "team" else ""
        self.site = site_of(group.key, registry, now)
        self._zone = registry.zone(self.site)
        self._day = closed or day_of(now - 1, self._zone)

    def sums(self, window: Window, look: Look | None = None) -> Sums:
        """Totals of a window; a group's shift is its site day."""
        if window.kind == "rolling":
            return self._group.window(window.minutes, look)
        return span_sums(self._group, window, self._day)

    def bounds(self, window: Window) -> tuple[int, int]:
        """[from, to) of a window."""
        return span_bounds(window, self._now, self._day, self._zone)

    def state(self) -> None:
        """A group has no state."""

    def state_since(self) -> None:
        """Nor since when."""

    def waiting(self) -> Sequence[tuple[int, str]]:
        """Contacts wait in queues, which the first hop judges."""
        return ()

    def contacts(self, window: Window) -> Iterable[RecentContact]:
        """The contacts of a group are found by its window in `events`."""
        return ()
