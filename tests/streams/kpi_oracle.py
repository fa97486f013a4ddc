"""
Every KPI of the catalogue straight from what happened: fractions over plain lists of events, no sums kept anywhere.

The formulas are written from reference/kpis.md and the words of the catalogue; nothing of `schemas.kpis`,
`schemas.panes`, `streams.core` or `sinks` is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TypeVar

from schemas.events import (
    ContactAbandoned,
    ContactAccepted,
    ContactAnswered,
    ContactFlowedOut,
    ContactHandled,
    ContactOffered,
    ContactRejected,
    FloorEvent,
    QualityScored,
    StateChanged,
    SurveyAnswered,
    TaskTimed,
    TicketChanged,
    TicketWorked,
)
from schemas.registry import Floor

FOUR_HOURS_MS = 4 * 3_600_000
HOUR_MS = 3_600_000
SHORT_TALK_MS = 10_000
WORKING = ("ready", "ringing", "on_contact", "hold", "wrap")
BUSY = ("on_contact", "hold", "wrap")
VARIANTS = ("1", "2", "3", "4", "5", "g", "gf", "gs", "gfs", "ga", "gfa")

Figure = tuple[Fraction | None, int | None]
"""(value, n); n is None for a plain sum."""
Of = TypeVar("Of")


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of planned time in which nothing changed."""

    ms: int
    productive: bool
    zone: str
    """`e` near the ends of the shift, `g` near a change of activity inside it, else empty."""
    state: str
    """What the agent did, `offline` where nobody knows."""
    reason: str


@dataclass(slots=True)
class Slice:
    """What happened to one group in one stretch of time."""

    events: list[FloorEvent] = field(default_factory=list)
    states: list[tuple[str, str, int]] = field(default_factory=list)
    """(state, reason, ms)."""
    engaged_ms: int = 0
    planned: list[Stretch] = field(default_factory=list)

    def of(self, kind: type[Of]) -> list[Of]:
        """The events of a type."""
        return [event for event in self.events if isinstance(event, kind)]

    def in_states(self, *states: str) -> int:
        """Time in some states, ms."""
        return sum(ms for state, _, ms in self.states if state in states)

    def away_for(self, counts: Callable[[str], bool]) -> int:
        """Time away for the reasons that count, ms."""
        return sum(ms for state, reason, ms in self.states if state == "away" and counts(reason))


@dataclass(frozen=True, slots=True)
class Terms:
    """What a contract and the registry say."""

    floor: Floor
    threshold_s: int = 20
    short_s: int = 5

    def is_productive(self, reason: str) -> bool:
        """A reason that nobody registered is not productive."""
        return any(code.id == reason and code.productive for code in self.floor.reason_codes)

    def is_unpaid(self, reason: str) -> bool:
        """A reason that nobody registered is paid."""
        return any(code.id == reason and not code.paid for code in self.floor.reason_codes)

    def standard_ms(self, task: str) -> int | None:
        """The standard time of a unit, where there is one."""
        return next((round(known.standard_s * 1000) for known in self.floor.tasks if known.id == task), None)


def figures(what: Slice, terms: Terms) -> dict[str, Figure]:
    """KPI id -> (value, n) of a slice; the service level also in each form, as `service_level_5`."""
    return {
        **_waiting(what, terms),
        **_service_levels(what, terms),
        **_tickets(what),
        **_handling(what),
        **_presence(what, terms),
        **_pace(what),
        **_ringing(what),
        **_judged(what),
        **_back_office(what, terms),
        **_plan(what, terms),
    }


def _total(amount: Fraction | int) -> Figure:
    return Fraction(amount), None


def _share(top: Fraction | int, n: int, times: Fraction | int = 1) -> Figure:
    return (Fraction(top) * times / n if n > 0 else None), n


_PER_S = Fraction(1, 1000)


def ms_of(seconds: float) -> int:
    """Whole milliseconds."""
    return round(seconds * 1000)


def _waits(events: Iterable[ContactAnswered | ContactAbandoned]) -> list[int]:
    return [ms_of(event.waited_s) for event in events]


def _up_to(waits: list[int], limit_s: int) -> int:
    return sum(wait <= limit_s * 1000 for wait in waits)


def _waiting(what: Slice, terms: Terms) -> dict[str, Figure]:
    offered, flowed = len(what.of(ContactOffered)), len(what.of(ContactFlowedOut))
    answered, abandoned = _waits(what.of(ContactAnswered)), _waits(what.of(ContactAbandoned))
    early = _up_to(abandoned, terms.short_s)
    return {
        "offered": _total(offered),
        "answered": _total(len(answered)),
        "abandoned": _total(len(abandoned)),
        "flowed_out": _total(flowed),
        "abandon_rate": _share(len(abandoned), offered),
        "abandon_rate_beyond_short": _share(len(abandoned) - early, offered - early),
        "flow_out_rate": _share(flowed, offered),
        "asa_s": _share(sum(answered), len(answered), _PER_S),
        "avg_abandon_wait_s": _share(sum(abandoned), len(abandoned), _PER_S),
    }


def _service_levels(what: Slice, terms: Terms) -> dict[str, Figure]:
    answered, abandoned = _waits(what.of(ContactAnswered)), _waits(what.of(ContactAbandoned))
    flowed = len(what.of(ContactFlowedOut))
    good, gave_up_early = _up_to(answered, terms.threshold_s), _up_to(abandoned, terms.threshold_s)
    gave_up_short = _up_to(abandoned, terms.short_s)
    both = len(answered) + len(abandoned)
    forms = {
        "1": _share(good + gave_up_early, both),
        "2": _share(good, len(answered)),
        "3": _share(good, both),
        "4": _share(good, both - gave_up_early),
        "5": _share(good + gave_up_short, both),
        "g": _share(good, both),
        "gf": _share(good, both + flowed),
        "gs": _share(good, both - gave_up_short),
        "gfs": _share(good, both - gave_up_short + flowed),
        "ga": _share(good, len(answered)),
        "gfa": _share(good, len(answered) + flowed),
    }
    return {"service_level": forms["3"], **{f"service_level_{name}": figure for name, figure in forms.items()}}


def _tickets(what: Slice) -> dict[str, Figure]:
    steps = [event.change for event in what.of(TicketChanged)]
    worked = what.of(TicketWorked)
    return {
        "tickets_created": _total(steps.count("created")),
        "tickets_solved": _total(steps.count("solved")),
        "tickets_reopened": _total(steps.count("reopened")),
        "tickets_breached": _total(steps.count("breached")),
        "reopen_rate": _share(steps.count("reopened"), steps.count("solved")),
        "tickets_worked": _total(len(worked)),
        "tickets_solved_by": _total(sum(event.change == "solved" for event in worked)),
    }


def handle_parts(event: ContactHandled) -> tuple[int, int, int]:
    """Talk, hold and wrap, ms, each believed up to four hours."""
    talk, hold, wrap = (min(ms_of(part), FOUR_HOURS_MS) for part in (event.talk_s, event.hold_s, event.wrap_s))
    return talk, hold, wrap


def _handling(what: Slice) -> dict[str, Figure]:
    contacts = what.of(ContactHandled)
    parts = [handle_parts(contact) for contact in contacts]
    n, held = len(parts), sum(hold > 0 for _, hold, _ in parts)
    longest = [max(ms_of(c.talk_s), ms_of(c.hold_s), ms_of(c.wrap_s)) for c in contacts]
    return {
        "handled": _total(n),
        "aht_s": _share(sum(map(sum, parts)), n, _PER_S),
        "avg_talk_s": _share(sum(talk for talk, _, _ in parts), n, _PER_S),
        "avg_hold_s": _share(sum(hold for _, hold, _ in parts), held, _PER_S),
        "avg_wrap_s": _share(sum(wrap for _, _, wrap in parts), n, _PER_S),
        "hold_share": _share(held, n),
        "short_call_share": _share(sum(talk <= SHORT_TALK_MS for talk, _, _ in parts), n),
        "without_wrap_share": _share(sum(wrap == 0 for _, _, wrap in parts), n),
        "transfer_rate": _share(sum(contact.transferred for contact in contacts), n),
        "capped": _total(sum(part > FOUR_HOURS_MS for part in longest)),
        "clamped": _total(sum(event.clamped_s > 0 for event in what.events)),
    }


def _presence(what: Slice, terms: Terms) -> dict[str, Figure]:
    busy, working, away = what.in_states(*BUSY), what.in_states(*WORKING), what.in_states("away")
    productive, unpaid = what.away_for(terms.is_productive), what.away_for(terms.is_unpaid)
    paid = working + away - unpaid
    entered = [event.state for event in what.of(StateChanged)]
    return {
        "occupancy": _share(busy, working),
        "utilization": _share(busy + productive, paid),
        "shrinkage": _share(away - unpaid, paid),
        "login_s": _total((working + away) * _PER_S),
        "ready_s": _total(what.in_states("ready") * _PER_S),
        "away_s": _total(away * _PER_S),
        "engaged_s": _total(what.engaged_ms * _PER_S),
        "aways": _total(entered.count("away")),
        "logouts": _total(entered.count("offline")),
    }


def _pace(what: Slice) -> dict[str, Figure]:
    contacts = what.of(ContactHandled)
    handle_ms = sum(sum(handle_parts(contact)) for contact in contacts)
    working = what.in_states(*WORKING)
    return {
        "contacts_per_hour": _share(len(contacts), working + what.in_states("away"), HOUR_MS),
        "contacts_per_ready_hour": _share(len(contacts), working, HOUR_MS),
        "concurrency": _share(handle_ms, what.engaged_ms),
        "concurrent_aht_s": _share(what.engaged_ms, len(contacts), _PER_S),
    }


def _ringing(what: Slice) -> dict[str, Figure]:
    taken, missed = what.of(ContactAccepted), what.of(ContactRejected)
    rang = [ms_of(event.rang_s) for event in taken] + [ms_of(event.rang_s) for event in missed]
    n = len(rang)
    return {
        "answer_rate": _share(len(taken), n),
        "non_response": _share(len(missed), n),
        "avg_ring_s": _share(sum(rang), n, _PER_S),
    }


def _judged(what: Slice) -> dict[str, Figure]:
    scored, surveys = what.of(QualityScored), what.of(SurveyAnswered)
    csat = [survey.csat for survey in surveys if survey.csat is not None]
    nps = [survey.nps for survey in surveys if survey.nps is not None]
    told = [survey.resolved for survey in surveys if survey.resolved is not None]
    return {
        "quality": _share(sum(map(_hundredths, scored)), len(scored), Fraction(1, 100)),
        "fatal": _total(sum(map(_failed, scored))),
        "csat": _share(sum(answer >= 4 for answer in csat), len(csat)),
        "nps": _share(sum(answer >= 9 for answer in nps) - sum(answer <= 6 for answer in nps), len(nps), 100),
        "resolved_rate": _share(sum(told), len(told)),
    }


def _failed(event: QualityScored) -> bool:
    return event.fatal or any(item.fatal for item in event.items)


def _hundredths(event: QualityScored) -> int:
    """The score in hundredths of a per cent point: 0 after a fatal item, items that did not apply left out."""
    if _failed(event):
        return 0
    if event.score is not None:
        return round(event.score * 100)
    applied = [(Fraction(i.weight), Fraction(i.points), Fraction(i.most)) for i in event.items if i.points is not None]
    reached = sum((weight * points for weight, points, _ in applied), Fraction(0))
    return round(10_000 * reached / sum(weight * most for weight, _, most in applied))


def _back_office(what: Slice, terms: Terms) -> dict[str, Figure]:
    tasks = what.of(TaskTimed)
    timed = [(task, standard) for task in tasks if (standard := terms.standard_ms(task.task)) is not None]
    standard_ms = sum(task.units * standard for task, standard in timed)
    return {
        "tasks": _total(len(tasks)),
        "avg_task_s": _share(sum(ms_of(t.seconds) for t in tasks), sum(t.units for t in tasks), _PER_S),
        "task_efficiency": _share(standard_ms, sum(ms_of(task.seconds) for task, _ in timed)),
    }


def _plan(what: Slice, terms: Terms) -> dict[str, Figure]:
    planned = sum(stretch.ms for stretch in what.planned)
    in_category = sum(stretch.ms for stretch in what.planned if _is_adherent(stretch, terms))
    graced = sum(stretch.ms for stretch in what.planned if _is_graced(stretch, terms))
    worked = what.in_states(*WORKING) + what.away_for(terms.is_productive)
    return {
        "adherence": _share(in_category, planned),
        "adherence_graced": _share(graced, planned),
        "conformance": _share(worked, sum(stretch.ms for stretch in what.planned if stretch.productive)),
    }


def _is_adherent(stretch: Stretch, terms: Terms) -> bool:
    """Productive or not, as planned; who is logged out is in no category."""
    if stretch.state == "offline":
        return False
    return stretch.productive == (stretch.state != "away" or terms.is_productive(stretch.reason))


def _is_graced(stretch: Stretch, terms: Terms) -> bool:
    """Near a change of activity whoever is logged in is right; near the ends of a shift also who is logged out."""
    if stretch.zone == "g" and stretch.state != "offline":
        return True
    if stretch.zone == "e" and stretch.state == "offline":
        return True
    return _is_adherent(stretch, terms)
