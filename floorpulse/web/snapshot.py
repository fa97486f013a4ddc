"""The floor board out of rows: tiles, what needs a person, teams, queues. Pure: rows and an instant in, views out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from zoneinfo import ZoneInfo

from floorpulse.web.alert_views import AlertView
from floorpulse.web.figures import Figure, of_parts, of_sums, total
from floorpulse.web.formats import STATE_WORDS
from floorpulse.web.queries import MinuteRow, SubjectRow, WindowRow
from floorpulse.web.sparkline import bars, line
from floorpulse.web.trends import STEPS, bar_values, by_subject, steps_of, trend, waiting_trend
from schemas.kpis import KPIS, Kpi, parts, service_level
from schemas.panes import Sums
from schemas.registry import Queue, Registry
from schemas.times import MINUTE_MS, day_end, day_of

_STATE_ORDER = ("away", "wrap", "hold", "on_contact", "ringing", "ready", "", "offline")


@dataclass(frozen=True, slots=True)
class FloorRows:
    """What the board is made of."""

    clock_ms: int
    registry: Registry
    subjects: Sequence[SubjectRow] = ()
    windows: Sequence[WindowRow] = ()
    alerts: Sequence[AlertView] = ()
    queue_minutes: Sequence[MinuteRow] = ()
    floor_minutes: Sequence[MinuteRow] = ()
    agent_bars: Sequence[MinuteRow] = ()


@dataclass(frozen=True, slots=True)
class Tile:
    """One KPI of the floor."""

    id: str
    name: str
    figure: Figure
    over: str
    spark: str
    since_ms: int = 0
    """Since when the oldest contact waits; 0: nobody waits."""


@dataclass(frozen=True, slots=True)
class AgentView:
    """One row of a team."""

    id: str
    name: str
    state: str
    words: str
    reason: str
    since_ms: int
    status: str
    handled: Figure
    aht: Figure
    wrap: Figure
    bars: str
    alert: str
    """An alert that fires for the agent; `''` for none."""


@dataclass(frozen=True, slots=True)
class TeamHead:
    """The line above a team's agents."""

    id: str
    name: str
    lead: str
    agents: int
    signed_off: int
    in_states: str
    aht: Figure
    quality: Figure
    needs: int


@dataclass(frozen=True, slots=True)
class Team:
    """A team with its agents, the most urgent first."""

    head: TeamHead
    agents: tuple[AgentView, ...]


@dataclass(frozen=True, slots=True)
class QueueView:
    """One row of the queues."""

    id: str
    name: str
    waiting: int
    oldest_ms: int
    service_level: Figure
    words: str
    """The variant of the service level in words, with its threshold."""
    abandoned: Figure
    offered: Figure
    status: str


@dataclass(frozen=True, slots=True)
class Board:
    """The whole floor board."""

    tiles: tuple[Tile, ...]
    needs: tuple[AlertView, ...]
    teams: tuple[Team, ...]
    queues: tuple[QueueView, ...]


def build_board(rows: FloorRows) -> Board:
    """The board at the floor's time."""
    floor = _Floor(rows)
    needs = tuple(alert for alert in rows.alerts if alert.needs_a_person)
    return Board(tiles=_tiles(floor), needs=needs, teams=_teams(floor), queues=_queues(floor))


def is_current(window: WindowRow, clock_ms: int, zone: ZoneInfo) -> bool:
    """False once a window has wholly passed: rolling ones by their length, those of a day at its end."""
    if window.window in {"day", "shift"}:
        return clock_ms < _end_of_day(window.opened_ms, zone)
    return clock_ms < window.closed_ms + int(window.window[:-1]) * MINUTE_MS


@lru_cache(maxsize=1024)
def _end_of_day(ms: int, zone: ZoneInfo) -> int:
    return day_end(day_of(ms, zone), zone)


class _Floor:
    """The rows, indexed for one building of the board."""

    def __init__(self, rows: FloorRows) -> None:
        self.rows = rows
        self.registry = rows.registry
        self.agents = [row for row in rows.subjects if row.kind == "agent"]
        self.queues = sorted((row for row in rows.subjects if row.kind == "queue"), key=lambda row: row.id)
        zones = {subject: self.zone_of(subject) for subject in {row.subject for row in rows.windows}}
        self._windows = {
            (row.subject, row.window): row.sums
            for row in rows.windows
            if is_current(row, rows.clock_ms, zones[row.subject])
        }
        self.firing: dict[str, AlertView] = {}
        for alert in reversed(rows.alerts):  # the most urgent one of a subject wins
            if alert.needs_a_person:
                self.firing[alert.subject] = alert
        self.bars = by_subject(rows.agent_bars)

    def sums(self, subject: str, window: str) -> Sums:
        return self._windows.get((subject, window), {})

    def queue(self, id_: str) -> Queue:
        return self.registry.queues.get(id_) or Queue(id=id_)

    def zone_of(self, subject: str) -> ZoneInfo:
        kind, _, id_ = subject.partition(":")
        if kind == "queue":
            return self.registry.zone(self.registry.site_of_queue(id_))
        return self.registry.zone(self.registry.site_of_agent(id_, self.rows.clock_ms))


def _tiles(floor: _Floor) -> tuple[Tile, ...]:
    agents = [f"agent:{row.id}" for row in floor.agents]
    hour = total(floor.sums(subject, "60m") for subject in agents)
    day = total(floor.sums(subject, "day") for subject in agents)
    own = total(floor.sums(f"queue:{row.id}", "60m") for row in floor.queues)
    half_hour = total(floor.sums(f"queue:{row.id}", "30m") for row in floor.queues)
    registry = floor.registry
    worked = steps_of(floor.rows.floor_minutes, floor.rows.clock_ms)
    queued = steps_of(floor.rows.queue_minutes, floor.rows.clock_ms)

    def tile(kpi: Kpi, sums: Sums, over: str, spark: str) -> Tile:
        return Tile(kpi.id, kpi.name, of_sums(kpi, sums, registry.target(kpi.id), over), over, spark)

    return (
        _service_level_tile(floor),
        _waiting_tile(floor),
        tile(KPIS["aht_s"], total((hour, own)), "last 60 min", trend(KPIS["aht_s"], worked)),
        tile(KPIS["abandon_rate"], half_hour, "last 30 min", trend(KPIS["abandon_rate"], queued)),
        tile(KPIS["occupancy"], hour, "last 60 min", trend(KPIS["occupancy"], worked)),
        tile(KPIS["quality"], day, "today", trend(KPIS["quality"], worked)),
    )


def _service_level_tile(floor: _Floor) -> Tile:
    """Each queue counts by its own contract; the sums are added, and the goals weighted by n."""
    top = bottom = 0
    goals = 0.0
    for row in floor.queues:
        goal = floor.queue(row.id).service_level
        reached, n = parts(service_level(goal.variant), floor.sums(f"queue:{row.id}", "30m"), goal.limits)
        top, bottom, goals = top + reached, bottom + n, goals + goal.goal * n
    target = floor.registry.target("service_level")
    if target is None and bottom:
        target = goals / bottom
    figure = of_parts(KPIS["service_level"], top, bottom, target, "last 30 min, each queue by its own contract")
    return Tile("service_level", "Service level", figure, "last 30 min", line(_service_level_trend(floor)))


def _service_level_trend(floor: _Floor) -> list[float | None]:
    tops, bottoms = [0] * STEPS, [0] * STEPS
    for queue, minutes in by_subject(floor.rows.queue_minutes).items():
        goal = floor.queue(queue).service_level
        for index, sums in enumerate(steps_of(minutes, floor.rows.clock_ms)):
            top, bottom = parts(service_level(goal.variant), sums, goal.limits)
            tops[index] += top
            bottoms[index] += bottom
    return [top / bottom if bottom else None for top, bottom in zip(tops, bottoms, strict=True)]


def _waiting_tile(floor: _Floor) -> Tile:
    waiting = sum(row.waiting for row in floor.queues)
    oldest = [row.oldest_wait_ms for row in floor.queues if row.waiting]
    history = waiting_trend(waiting, steps_of(floor.rows.queue_minutes, floor.rows.clock_ms))
    spark = line([float(value) for value in history])
    figure = Figure("waiting", str(waiting), note="now, all queues")
    return Tile("waiting", "Waiting now", figure, "now", spark, min(oldest, default=0))


def _teams(floor: _Floor) -> tuple[Team, ...]:
    members: dict[str, list[SubjectRow]] = {}
    for row in floor.agents:
        members.setdefault(row.team, []).append(row)
    teams = (_team(floor, id_, rows) for id_, rows in members.items())
    seen = [team for team in teams if team.agents or team.head.signed_off or team.head.needs]
    return tuple(sorted(seen, key=lambda team: (-team.head.needs, team.head.id == "", team.head.id)))


def _team(floor: _Floor, id_: str, rows: Sequence[SubjectRow]) -> Team:
    on_shift: list[SubjectRow] = []
    away: list[SubjectRow] = []
    for row in rows:
        (on_shift if _is_here(floor, row) else away).append(row)
    agents = sorted((_agent(floor, row) for row in on_shift), key=_agent_urgency)
    hour = total(floor.sums(f"agent:{row.id}", "60m") for row in rows)
    day = total(floor.sums(f"agent:{row.id}", "day") for row in rows)
    team = floor.registry.teams.get(id_)
    subject = f"team:{id_}"
    head = TeamHead(
        id=id_,
        name=_team_name(id_, team.name if team else ""),
        lead=team.lead if team else "",
        agents=len(on_shift),
        signed_off=sum(_signed_off_today(floor, row) for row in away),
        in_states=_in_states(on_shift),
        aht=of_sums(KPIS["aht_s"], hour, floor.registry.target("aht_s", subject), "last 60 min"),
        quality=of_sums(KPIS["quality"], day, floor.registry.target("quality", subject), "today"),
        needs=sum(1 for agent in agents if agent.status in {"act", "watch"}) + (subject in floor.firing),
    )
    return Team(head, tuple(agents))


def _team_name(id_: str, name: str) -> str:
    if not id_:
        return "No team"
    called = name or id_
    return called if called.casefold().startswith("team") else f"Team {called}"


def _is_here(floor: _Floor, row: SubjectRow) -> bool:
    if row.state in {"offline", ""}:
        return bool(floor.sums(f"agent:{row.id}", "30m").get("handled")) or f"agent:{row.id}" in floor.firing
    return True


def _signed_off_today(floor: _Floor, row: SubjectRow) -> bool:
    """Who did so on another day of the site may have left for good: nobody says so."""
    zone = floor.zone_of(f"agent:{row.id}")
    return row.state == "offline" and floor.rows.clock_ms < _end_of_day(row.since_ms, zone)


def _agent(floor: _Floor, row: SubjectRow) -> AgentView:
    subject = f"agent:{row.id}"
    day = floor.sums(subject, "day")
    targets = (subject, f"team:{row.team}")
    person = floor.registry.people.get(row.id)
    alert = floor.firing.get(subject)

    def judged(kpi: str) -> Figure:
        return of_sums(KPIS[kpi], day, floor.registry.target(kpi, *targets), "today")

    return AgentView(
        id=row.id,
        name=person.name if person else "",
        state=row.state,
        words=STATE_WORDS.get(row.state, row.state),
        reason=row.reason,
        since_ms=row.since_ms if row.state else 0,
        status=alert.severity if alert else _over_limit(floor, row),
        handled=judged("handled"),
        aht=judged("aht_s"),
        wrap=judged("avg_wrap_s"),
        bars=bars(bar_values(floor.bars.get(row.id, ()), floor.rows.clock_ms)),
        alert=alert.id if alert else "",
    )


def _over_limit(floor: _Floor, row: SubjectRow) -> str:
    code = floor.registry.reason_codes.get(row.reason)
    if row.state != "away" or code is None or code.limit_s is None:
        return ""
    return "watch" if floor.rows.clock_ms - row.since_ms > code.limit_s * 1000 else ""


def _agent_urgency(agent: AgentView) -> tuple[int, int, str]:
    needs = ("act", "watch", "").index(agent.status)
    return needs, _STATE_ORDER.index(agent.state) if agent.state in _STATE_ORDER else len(_STATE_ORDER), agent.id


def _in_states(rows: Sequence[SubjectRow]) -> str:
    counts: dict[str, int] = {}
    for row in rows:
        counts[row.state] = counts.get(row.state, 0) + 1
    order = ("on_contact", "hold", "ringing", "ready", "wrap", "away")
    return ", ".join(f"{counts[state]} {STATE_WORDS[state]}" for state in order if state in counts)


def _queues(floor: _Floor) -> tuple[QueueView, ...]:
    views = [_queue(floor, row) for row in floor.queues]
    return tuple(sorted(views, key=lambda queue: (("act", "watch", "good", "").index(queue.status), queue.id)))


def _queue(floor: _Floor, row: SubjectRow) -> QueueView:
    subject = f"queue:{row.id}"
    queue = floor.queue(row.id)
    goal = queue.service_level
    kpi = service_level(goal.variant)
    sums = floor.sums(subject, "30m")
    top, bottom = parts(kpi, sums, goal.limits)
    level = of_parts(kpi, top, bottom, floor.registry.target("service_level", subject) or goal.goal, "last 30 min")
    target = floor.registry.target("abandon_rate", subject)
    return QueueView(
        id=row.id,
        name=queue.name or row.id,
        waiting=row.waiting,
        oldest_ms=row.oldest_wait_ms if row.waiting else 0,
        service_level=level,
        words=f"Variant {goal.variant}, T = {goal.threshold_s} s, S = {goal.short_s} s. {kpi.words}",
        abandoned=of_sums(KPIS["abandon_rate"], sums, target, "last 30 min"),
        offered=of_sums(KPIS["offered"], sums, None, "last 30 min"),
        status=floor.firing[subject].severity if subject in floor.firing else level.status,
    )
