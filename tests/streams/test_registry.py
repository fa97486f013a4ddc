"""Who is where, and which codes count as what, by the registry."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.registry import Floor, Registry
from schemas.times import to_ms

MOVED = datetime(2026, 3, 2, 9, tzinfo=UTC)


def registry(**floor: Any) -> Registry:
    return Registry(Floor.model_validate(floor))


@pytest.mark.parametrize(("after_ms", "team", "who"), [(-1, "t1", "a1"), (0, "t2", "a2")])
def test_what_ends_at_an_instant_has_ended_then(after_ms: int, team: str, who: str) -> None:
    """A membership, or the alias of a desk that two people use one after the other."""
    before, after = {"valid_to": MOVED}, {"valid_from": MOVED}
    people = [
        {"id": "a1", "teams": [{"team": "t1"} | before, {"team": "t2"} | after]},
        {"id": "a2", "aliases": [{"source": "acd", "id": "7"} | after]},
    ]
    people[0]["aliases"] = [{"source": "acd", "id": "7"} | before]

    found, at_ms = registry(people=people), to_ms(MOVED) + after_ms

    assert (found.team_of("a1", at_ms), found.resolve("acd", "7", at_ms)) == (team, who)


@pytest.mark.parametrize(
    ("floor", "used"),
    [
        ({}, {"main", "mnl", "ceb"}),
        ({"teams": [{"id": "t", "site": "mnl"}]}, {"mnl"}),
        ({"teams": [{"id": "t", "site": "mnl"}], "queues": [{"id": "q", "site": "ceb"}]}, {"mnl", "ceb"}),
    ],
    ids=["nothing", "a team", "a team and a queue"],
)
def test_a_site_is_used_by_a_team_or_a_queue(floor: dict[str, Any], used: set[str]) -> None:
    """Time under the event clock runs to the end of their days; where nothing says who is where, of all of them."""
    assert registry(sites=[{"id": "mnl"}, {"id": "ceb"}], **floor).used_sites == used


def test_a_reason_counts_as_its_code_says() -> None:
    """A code is paid and not productive unless it says otherwise."""
    codes = registry(
        reason_codes=[{"id": "break"}, {"id": "lunch", "paid": False}, {"id": "training", "productive": True}]
    ).codes

    assert (codes.productive, codes.unpaid) == (frozenset({"training"}), frozenset({"lunch"}))
