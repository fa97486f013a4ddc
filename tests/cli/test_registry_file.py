"""`floor.yaml`: what is read, what is refused and where, what changes."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from floorpulse.registry_file import difference, parse_floor, read_floor, with_main
from schemas.errors import ConfigError, InputError
from schemas.registry import Floor, Person, Site, Team

GOOD = """\
sites:
  - {id: mnl, timezone: Asia/Manila, holidays: [2026-12-25]}
teams:
  - {id: t1, site: mnl, lead: l1}
queues:
  - id: sales
    service_level: {variant: 1, threshold_s: 30, goal: 0.8}
people:
  - id: a1
    aliases: [{source: acd, id: "77"}]
    teams:
      - {team: t1, valid_from: 2026-01-01T00:00:00+08:00}
targets:
  - {kpi: aht_s, value: 240}
"""


def fault(text: str) -> str:
    """The one line that refuses a text."""
    with pytest.raises(ConfigError) as refused:
        parse_floor(text, "floor.yaml")
    return str(refused.value)


def test_a_floor_is_read() -> None:
    """Every kind of entry comes out typed, instants with their offset."""
    floor = parse_floor(GOOD, "floor.yaml")

    assert floor.people[0].teams[0].valid_from == datetime(2025, 12, 31, 16, tzinfo=UTC)
    assert floor.queues[0].service_level.threshold_s == 30
    assert floor.sites[0].holidays[0].isoformat() == "2026-12-25"


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        ("timezone: Asia/Manila", "timezone: Asia/Manilla", "floor.yaml:2: sites[0].timezone: unknown time zone"),
        (
            "timezone: Asia/Manila",
            "timezon: UTC",
            "floor.yaml:2: sites[0].timezon: unknown key: did you mean timezone?",
        ),
        ("site: mnl", "site: mn", "floor.yaml:4: teams[0].site: no site 'mn': did you mean mnl?"),
        ("threshold_s: 30", "threshold_s: 31", "floor.yaml:7: queues[0].service_level.threshold_s: expected one of 5,"),
        ('id: "77"', "id: 77", "floor.yaml:10: people[0].aliases[0].id: expected a valid string: put it in quotes"),
        ("team: t1,", "team: t9,", "floor.yaml:12: people[0].teams[0].team: no team 't9'"),
        ("T00:00:00+08:00", "", "floor.yaml:12: people[0].teams[0].valid_from: input should have timezone info"),
        ("kpi: aht_s", "kpi: aht", "floor.yaml:14: targets[0].kpi: no KPI 'aht'"),
        ("people:", "people", "floor.yaml:"),
    ],
)
def test_a_fault_is_one_line_with_its_place(before: str, after: str, line: str) -> None:
    """File, line and key are named, and what was expected there."""
    said = fault(GOOD.replace(before, after))

    assert said.startswith(line)
    assert "\n" not in said


def test_an_id_given_twice_is_refused() -> None:
    """Two entries of a kind with one id are a mistake."""
    assert fault("teams:\n- {id: t1}\n- {id: t1}\n") == "floor.yaml:3: teams[1].id: 't1' is given twice"


def test_a_key_given_twice_is_refused() -> None:
    """YAML readers take the later one, and the people of the first list would be gone without a word."""
    text = "people:\n- {id: a1}\nteams: [{id: t1}]\npeople:\n- {id: a2}\n"

    assert fault(text) == "floor.yaml:4: file: not YAML: people is given twice"
    assert fault("people: []\n? [sites]\n: []\n") == "floor.yaml:2: file: not YAML: a key that is no word"


def test_memberships_that_overlap_are_refused() -> None:
    """Nobody is in two teams at one instant."""
    text = "teams: [{id: t1}]\npeople:\n- id: a1\n  teams:\n  - {team: t1}\n  - {team: t1}\n"

    assert fault(text).startswith("floor.yaml:6: people[0].teams[1]: overlaps another one")


def test_an_alias_of_two_people_is_refused() -> None:
    """An id of a vendor is at any instant one person's."""
    text = "people:\n- {id: a1, aliases: [{source: acd, id: x}]}\n- {id: a2, aliases: [{source: acd, id: x}]}\n"

    assert fault(text).startswith("floor.yaml:3: people[1].aliases[0].id: acd:x is somebody's already")


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    """A missing file and a binary one are each one line that names the file."""
    binary = tmp_path / "floor.yaml"
    binary.write_bytes(b"\xff\xfe\x00")

    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        read_floor(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="not a text in UTF-8"):
        read_floor(binary)


def test_the_site_main_stays() -> None:
    """A file that does not speak of `main` keeps the one that is known, zone included."""
    known = Floor(sites=[Site(id="main", timezone="Asia/Jerusalem")])

    assert with_main(Floor(), known).sites == known.sites


def test_a_difference_names_what_is_added_changed_and_ended() -> None:
    """One line for each entry, with the keys that changed."""
    before = Floor(teams=[Team(id="t1"), Team(id="t2")])
    after = Floor(teams=[Team(id="t1", lead="l1", name="Ones"), Team(id="t3")])

    lines = difference(before, after).lines

    assert lines == ("~ teams t1: name, lead", "- teams t2", "+ teams t3")


@pytest.mark.parametrize(("left", "refused"), [(9, False), (8, True), (0, True)])
def test_a_file_without_many_of_the_known_people_is_refused(left: int, refused: bool) -> None:
    """Of ten people one may vanish; more must be said to be meant."""
    before = Floor(people=[Person(id=f"a{number}") for number in range(10)])
    change = difference(before, Floor(people=before.people[:left]))

    if refused:
        with pytest.raises(InputError, match=f"{10 - left} of 10 known people"):
            change.refuse_shrink()
    else:
        change.refuse_shrink()
