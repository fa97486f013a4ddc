"""`floor.yaml`: read into a `Floor`, each fault in one line with file, line and key; and what a new one changes."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from schemas.errors import ConfigError, InputError
from schemas.kpis import KPIS
from schemas.registry import (
    DEFAULT_SITE,
    KINDS,
    Alias,
    Client,
    Floor,
    Membership,
    Person,
    Queue,
    ReasonCode,
    ServiceLevelGoal,
    Site,
    Target,
    Team,
    Validity,
)
from schemas.yaml_nodes import nodes_of

ERASED_FOR_EVER = "was erased, and this work id is refused for ever: who comes back gets a new one"
LARGEST_SHRINK = 0.1
"""A file that leaves out more than this share of the known people is more likely a mistake than a dismissal."""

_WRITTEN = tuple(kind for kind in KINDS if kind != "erased")
"""The keys of a file."""
Place = tuple[str | int, ...]
Fault = tuple[Place, str]
_PLAIN_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("int", "float", "bool", "null")}


def read_floor(file: Path, known: Floor | None = None) -> Floor:
    """
    The floor of a file; with those who were erased from the `known` one, whom it must not hold.

    ConfigError: `FILE:LINE: key: what was expected` for the first fault.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ConfigError(f"{file}: not a text in UTF-8: expected a floor file") from None
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from None
    return parse_floor(text, str(file), known)


def parse_floor(text: str, file: str, known: Floor | None = None) -> Floor:
    """The floor of a text; `file` is only named. ConfigError as `read_floor`."""
    lines: dict[Place, int] = {(): 1}
    try:
        root = nodes_of(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        said = " ".join(str(getattr(error, "problem", None) or error).split())
        raise ConfigError(f"{file}:{mark.line + 1 if mark else 1}: file: not YAML: {said}") from None
    values = _plain(root, (), lines) if root else {}
    if not isinstance(values, dict):
        raise ConfigError(f"{file}:1: file: expected the keys {', '.join(_WRITTEN)}")
    try:
        floor = Floor.model_validate(values)
    except ValidationError as error:
        raise _fault(file, lines, *_first(error)) from None
    whole = with_erased(floor, known or Floor())
    for place, expected in (*_faults(floor), *_erased(floor, whole)):
        raise _fault(file, lines, place, expected)
    return whole


def with_main(floor: Floor, known: Floor) -> Floor:
    """The floor with a site `main`: the known one where the file does not speak of it."""
    if any(site.id == DEFAULT_SITE for site in floor.sites):
        return floor
    main = next((site for site in known.sites if site.id == DEFAULT_SITE), Site(id=DEFAULT_SITE))
    return floor.model_copy(update={"sites": [main, *floor.sites]})


def with_erased(floor: Floor, known: Floor) -> Floor:
    """The floor with everybody who was erased from the known one: that is for ever."""
    named = {one.id for one in floor.erased}
    handed_on = [one for one in known.erased if one.id not in named]
    return floor.model_copy(update={"erased": [*handed_on, *floor.erased]}) if handed_on else floor


@dataclass(frozen=True, slots=True)
class Difference:
    """What a new floor adds, changes and ends, each as one line."""

    lines: tuple[str, ...]
    vanished: int
    """People known before and not in the new floor."""
    known: int
    """People known before."""

    def refuse_shrink(self) -> None:
        """InputError when more than a tenth of the known people would vanish."""
        if self.vanished > self.known * LARGEST_SHRINK:
            raise InputError(
                f"{self.vanished} of {self.known} known people are not in the file: if that is meant, --allow-shrink"
            )


def difference(before: Floor, after: Floor) -> Difference:
    """What the new floor changes; `+` adds, `~` changes with the keys, `-` ends."""
    old = {(kind, key): body for kind, key, body in before.entries()}
    new = {(kind, key): body for kind, key, body in after.entries()}
    lines = [f"+ {kind} {key}" for kind, key in new if (kind, key) not in old]
    for place in new.keys() & old.keys():
        keys = [key for key in new[place] if new[place][key] != old[place].get(key)]
        lines += [f"~ {place[0]} {place[1]}: {', '.join(keys)}"] if keys else []
    lines += [f"- {kind} {key}" for kind, key in old if (kind, key) not in new]
    vanished = {person.id for person in before.people} - {person.id for person in after.people}
    return Difference(tuple(sorted(lines, key=lambda line: line[2:])), len(vanished), len(before.people))


def _plain(node: Node, place: Place, lines: dict[Place, int]) -> Any:
    """The value of a node; instants stay text, as pydantic reads them."""
    lines.setdefault(place, node.start_mark.line + 1)
    if isinstance(node, MappingNode):
        return dict(_pairs(node, place, lines))
    if isinstance(node, SequenceNode):
        return [_plain(item, (*place, index), lines) for index, item in enumerate(node.value)]
    assert isinstance(node, ScalarNode)
    return yaml.SafeLoader("").construct_object(node) if node.tag in _PLAIN_TAGS else node.value


def _pairs(node: MappingNode, place: Place, lines: dict[Place, int]) -> Iterator[tuple[str, Any]]:
    for key, value in node.value:
        lines[(*place, key.value)] = key.start_mark.line + 1
        yield key.value, _plain(value, (*place, key.value), lines)


def _fault(file: str, lines: dict[Place, int], place: Place, expected: str) -> ConfigError:
    spot = place
    while spot not in lines:
        spot = spot[:-1]
    return ConfigError(f"{file}:{lines[spot]}: {_dotted(place)}: {expected}")


def _dotted(place: Place) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).lstrip(".") or "file"


def _first(error: ValidationError) -> Fault:
    """The fault to name: a misspelt key before the missing key that it leaves."""
    found = error.errors(include_url=False)
    first = next((one for one in found if one["type"] == "extra_forbidden"), found[0])
    place: Place = first["loc"]
    if first["type"] == "extra_forbidden":
        close = difflib.get_close_matches(str(place[-1]), _KEYS, 1)
        return place, f"unknown key{f': did you mean {close[0]}?' if close else ''}"
    if first["type"] == "missing":
        return place, "missing"
    said = first["msg"].removeprefix("Value error, ").replace("Input should be", "expected")
    hint = ": put it in quotes" if first["type"] == "string_type" else ""
    return place, said[0].lower() + said[1:] + hint


_KEYS = sorted(
    {*_WRITTEN}.union(*(model.model_fields for model in (Site, Client, Team, Queue, ServiceLevelGoal, Alias)))
    | {*Membership.model_fields}.union(*(model.model_fields for model in (Person, ReasonCode, Target)))
)


def _faults(floor: Floor) -> Iterator[Fault]:
    """What the models cannot see: ids given twice, ids that nobody has, spells that end before they begin, overlaps."""
    yield from _twice(floor)
    sites = {DEFAULT_SITE, *(site.id for site in floor.sites)}
    teams = {team.id for team in floor.teams}
    clients = {"", *(client.id for client in floor.clients)}
    for index, team in enumerate(floor.teams):
        yield from _unknown(("teams", index, "site"), team.site, sites, "site")
    for index, queue in enumerate(floor.queues):
        yield from _unknown(("queues", index, "site"), queue.site, sites, "site")
        yield from _unknown(("queues", index, "client"), queue.client, clients, "client")
    for index, target in enumerate(floor.targets):
        yield from _unknown(("targets", index, "kpi"), target.kpi, set(KPIS), "KPI")
    for index, person in enumerate(floor.people):
        yield from _of_person(("people", index), person, teams)
    yield from _aliases(floor)


def _erased(given: Floor, whole: Floor) -> Iterator[Fault]:
    """Who was erased and stands in the file all the same."""
    gone = {one.id for one in whole.erased}
    if given.erased:
        yield ("erased",), "unknown key: only `floorpulse erase` writes it"
    for index, person in enumerate(given.people):
        if person.id in gone:
            yield ("people", index, "id"), f"{person.id!r} {ERASED_FOR_EVER}"
    for index, team in enumerate(given.teams):
        for role in ("lead", "deputy", "manager"):
            if getattr(team, role) in gone:
                yield ("teams", index, role), f"{getattr(team, role)!r} {ERASED_FOR_EVER}"


def _twice(floor: Floor) -> Iterator[Fault]:
    for kind in _WRITTEN:
        seen: set[str] = set()
        for index, entry in enumerate(getattr(floor, kind)):
            key = f"{entry.kpi}/{entry.subject}" if isinstance(entry, Target) else entry.id
            if key in seen:
                yield (kind, index, "kpi" if isinstance(entry, Target) else "id"), f"{key!r} is given twice"
            seen.add(key)


def _unknown(place: Place, given: str, known: set[str], what: str) -> Iterator[Fault]:
    if given not in known:
        close = difflib.get_close_matches(given, sorted(known), 1)
        yield place, f"no {what} {given!r}{f': did you mean {close[0]}?' if close and close[0] else ''}"


def _of_person(place: Place, person: Person, teams: set[str]) -> Iterator[Fault]:
    for index, membership in enumerate(person.teams):
        yield from _unknown((*place, "teams", index, "team"), membership.team, teams, "team")
    yield from _spells((*place, "teams"), person.teams)
    for index, alias in enumerate(person.aliases):
        yield from _order((*place, "aliases", index), alias)


def _spells(place: Place, spells: Iterable[Validity]) -> Iterator[Fault]:
    """Spells of which at most one may hold at any instant."""
    seen: list[Validity] = []
    for index, spell in enumerate(spells):
        yield from _order((*place, index), spell)
        if any(_overlap(spell, other) for other in seen):
            yield (*place, index), "overlaps another one: expected at most one at a time"
        seen.append(spell)


def _order(place: Place, spell: Validity) -> Iterator[Fault]:
    if spell.valid_from and spell.valid_to and spell.valid_to <= spell.valid_from:
        yield (*place, "valid_to"), "expected an instant after valid_from"


def _overlap(one: Validity, other: Validity) -> bool:
    return not (
        (one.valid_to and other.valid_from and one.valid_to <= other.valid_from)
        or (other.valid_to and one.valid_from and other.valid_to <= one.valid_from)
    )


def _aliases(floor: Floor) -> Iterator[Fault]:
    """An id of a vendor is at any instant at most one person's."""
    seen: dict[tuple[str, str], list[Validity]] = {}
    for index, person in enumerate(floor.people):
        for number, alias in enumerate(person.aliases):
            others = seen.setdefault((alias.source, alias.id), [])
            if any(_overlap(alias, other) for other in others):
                yield ("people", index, "aliases", number, "id"), f"{alias.source}:{alias.id} is somebody's already"
            others.append(alias)
