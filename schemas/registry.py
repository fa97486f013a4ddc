"""
Who and what is on the floor: people, teams, sites, clients, queues, reason codes and targets, with validity.

`Floor` is what `floor.yaml` says and what one revision of the registry holds, whole. `Registry` answers the questions
that the streams ask of it, at an instant.
"""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from schemas.kpi_terms import DEFAULT_SHORT_S, DEFAULT_THRESHOLD_S, Codes, Limits
from schemas.kpis import DEFAULT_VARIANT, Variant
from schemas.panes import THRESHOLDS_S
from schemas.times import seconds_to_ms, to_ms

DEFAULT_SITE = "main"
NO_TEAM = ""
FOREVER_MS = 2**62


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"unknown time zone {name!r}: expected an IANA name such as Europe/Berlin") from None
    return name


def _counted_threshold(seconds: int) -> int:
    if seconds not in THRESHOLDS_S:
        raise ValueError(f"expected one of {', '.join(map(str, THRESHOLDS_S))}, found {seconds}")
    return seconds


ZoneName = Annotated[str, AfterValidator(_known_zone)]
Id = Annotated[str, Field(min_length=1, max_length=200)]


class Entry(BaseModel):
    """Anything in the registry: strict keys, no changes after reading."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Validity(Entry):
    """From when (inclusive) to when (exclusive) something holds; open where None. Instants with offset."""

    valid_from: AwareDatetime | None = None
    valid_to: AwareDatetime | None = None

    def covers(self, at_ms: int) -> bool:
        """True when the instant lies in the validity."""
        start = to_ms(self.valid_from) if self.valid_from else -FOREVER_MS
        end = to_ms(self.valid_to) if self.valid_to else FOREVER_MS
        return start <= at_ms < end


class Site(Entry):
    """A place with its zone: the site day is its local date."""

    id: Id
    timezone: ZoneName = "UTC"
    holidays: list[date] = []


class Client(Entry):
    """Whom the floor works for."""

    id: Id
    name: str = ""


class Team(Entry):
    """A team at a site, with who leads it."""

    id: Id
    name: str = ""
    site: Id = DEFAULT_SITE
    lead: str = ""
    deputy: str = ""
    manager: str = ""


class ServiceLevelGoal(Entry):
    """A queue's contract: the variant of the formula, the threshold, the limit of a short abandon, the goal."""

    variant: Variant = DEFAULT_VARIANT
    threshold_s: Annotated[int, AfterValidator(_counted_threshold)] = DEFAULT_THRESHOLD_S
    short_s: Annotated[int, AfterValidator(_counted_threshold)] = DEFAULT_SHORT_S
    goal: Annotated[float, Field(gt=0, le=1)] = 0.8

    @property
    def limits(self) -> Limits:
        """T and S of the contract."""
        return Limits(self.threshold_s, self.short_s)


Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Hours(Entry):
    """
    Business hours that begin on some weekdays, local times `HH:MM`; `closes` may be `24:00`.

    Past midnight when `closes` is not after `opens`.
    """

    days: Annotated[list[Weekday], Field(min_length=1)]
    opens: Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")] = "00:00"
    closes: Annotated[str, Field(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$")] = "24:00"


class Task(Entry):
    """A kind of back-office work with the standard time of one unit."""

    id: Id
    standard_s: Annotated[float, Field(gt=0)]


class Queue(Entry):
    """A queue, whose client and site it serves. Without hours it is open always."""

    id: Id
    name: str = ""
    site: Id = DEFAULT_SITE
    client: str = ""
    service_level: ServiceLevelGoal = ServiceLevelGoal()
    hours: list[Hours] = []


class Alias(Validity):
    """A vendor's id of a person."""

    source: Id
    id: Id


class Membership(Validity):
    """A person in a team."""

    team: Id


class Person(Entry):
    """Somebody who works on the floor, by the roster's own opaque work id."""

    id: Id
    name: str = ""
    role: Literal["agent", "lead", "manager", "analyst", "quality", "hr"] = "agent"
    aliases: list[Alias] = []
    teams: list[Membership] = []


class ReasonCode(Entry):
    """An away reason: whether it is paid and productive, and how long it may last."""

    id: Id
    paid: bool = True
    productive: bool = False
    limit_s: int | None = None


class Target(Entry):
    """What a KPI should be; for one subject (`team:t1`, `queue:q1`) or for all."""

    kpi: Id
    value: float
    subject: str = ""


class Erased(Entry):
    """
    Somebody who was erased, and since when: their work id is refused for ever.

    The vendors' ids that were theirs are refused too, unless the roster gives them to somebody else.
    """

    id: Id
    at: AwareDatetime
    aliases: list[Alias] = []

    def vendor_ids(self) -> list[str]:
        """The ids in events and panes that were this person's, from before the roster knew them."""
        return [f"{alias.source}:{alias.id}" for alias in self.aliases]


class Floor(Entry):
    """One revision of the registry, whole."""

    sites: list[Site] = []
    clients: list[Client] = []
    teams: list[Team] = []
    queues: list[Queue] = []
    people: list[Person] = []
    reason_codes: list[ReasonCode] = []
    tasks: list[Task] = []
    targets: list[Target] = []
    erased: list[Erased] = []
    """Written by `floorpulse erase` alone, and handed on from revision to revision."""

    def entries(self) -> list[tuple[str, str, dict[str, Any]]]:
        """(kind, id, body) of everything in it: the rows of the registry."""
        rows: list[tuple[str, str, dict[str, Any]]] = []
        for kind in KINDS:
            for entry in getattr(self, kind):
                key = entry.id if not isinstance(entry, Target) else f"{entry.kpi}/{entry.subject}"
                rows.append((kind, key, entry.model_dump(mode="json")))
        return rows

    @classmethod
    def from_entries(cls, rows: list[tuple[str, dict[str, Any]]]) -> Floor:
        """The floor of (kind, body) rows."""
        by_kind: dict[str, list[dict[str, Any]]] = {kind: [] for kind in KINDS}
        for kind, body in rows:
            by_kind[kind].append(body)
        return cls.model_validate(by_kind)


KINDS = ("sites", "clients", "teams", "queues", "people", "reason_codes", "tasks", "targets", "erased")


class Registry:
    """One revision, indexed. Who is unknown belongs to no team and to the site `main`."""

    def __init__(self, floor: Floor, revision: int = 0) -> None:
        """Index a floor; a site `main` in UTC is added where the floor has none."""
        self.floor = floor
        self.revision = revision
        self.sites = {site.id: site for site in floor.sites}
        self.sites.setdefault(DEFAULT_SITE, Site(id=DEFAULT_SITE))
        used = {team.site for team in floor.teams} | {queue.site for queue in floor.queues}
        self.used_sites = frozenset(used or self.sites)
        """Sites that a team or a queue is at; all of them where none says so."""
        self.teams = {team.id: team for team in floor.teams}
        self.queues = {queue.id: queue for queue in floor.queues}
        self.people = {person.id: person for person in floor.people}
        self.reason_codes = {code.id: code for code in floor.reason_codes}
        self.codes = Codes(
            productive=frozenset(code.id for code in floor.reason_codes if code.productive),
            unpaid=frozenset(code.id for code in floor.reason_codes if not code.paid),
            standards_ms={task.id: seconds_to_ms(task.standard_s) for task in floor.tasks},
        )
        self._targets = {(target.kpi, target.subject): target.value for target in floor.targets}
        self._aliases: dict[tuple[str, str], list[tuple[Alias, str]]] = {}
        for person in floor.people:
            for alias in person.aliases:
                self._aliases.setdefault((alias.source, alias.id), []).append((alias, person.id))
        held = {f"{source}:{vendor_id}" for source, vendor_id in self._aliases}
        self.erased = frozenset(id_ for gone in floor.erased for id_ in (gone.id, *set(gone.vendor_ids()) - held))
        """Ids of people who were erased: whatever comes of them is refused."""

    def is_erased(self, agent: str) -> bool:
        """True when the id, as events and panes have it, is that of somebody who was erased."""
        return agent in self.erased

    def team_of(self, agent: str, at_ms: int) -> str:
        """The agent's team at an instant; `''` for none."""
        person = self.people.get(agent)
        if person is None:
            return NO_TEAM
        return next((m.team for m in person.teams if m.covers(at_ms)), NO_TEAM)

    def stays_until(self, agent: str, at_ms: int) -> int:
        """The next instant after `at_ms` at which a membership of the agent begins or ends, epoch ms."""
        person = self.people.get(agent)
        edges = [edge for m in person.teams for edge in (m.valid_from, m.valid_to) if edge] if person else []
        return min((at for edge in edges if (at := to_ms(edge)) > at_ms), default=FOREVER_MS)

    def site_of_team(self, team: str) -> str:
        """The site of a team; `main` for an unknown one."""
        return self.teams[team].site if team in self.teams else DEFAULT_SITE

    def site_of_agent(self, agent: str, at_ms: int) -> str:
        """The site of the agent's team at an instant."""
        return self.site_of_team(self.team_of(agent, at_ms))

    def site_of_queue(self, queue: str) -> str:
        """The site of a queue; `main` for an unknown one."""
        return self.queues[queue].site if queue in self.queues else DEFAULT_SITE

    def client_of_queue(self, queue: str) -> str:
        """The client of a queue; `''` for none."""
        return self.queues[queue].client if queue in self.queues else ""

    def zone(self, site: str) -> ZoneInfo:
        """The time zone of a site; that of `main` for an unknown one."""
        return _zone(self.sites.get(site, self.sites[DEFAULT_SITE]).timezone)

    def resolve(self, source: str, vendor_id: str, at_ms: int) -> str:
        """
        The work id of a vendor's agent id at an instant; `source:id` when nobody knows it.

        A work id that was erased is still itself: as `source:id` it would be somebody new.
        """
        for alias, person in self._aliases.get((source, vendor_id), ()):
            if alias.covers(at_ms):
                return person
        is_known = vendor_id in self.people or vendor_id in self.erased
        return vendor_id if is_known else f"{source}:{vendor_id}"

    def target(self, kpi: str, *subjects: str) -> float | None:
        """The target of a KPI for the first of the subjects that has one, else for all."""
        wanted = (*subjects, "")
        return next((self._targets[kpi, subject] for subject in wanted if (kpi, subject) in self._targets), None)


@lru_cache(maxsize=256)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
