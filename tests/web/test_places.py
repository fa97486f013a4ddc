"""Names and zones of the pages, on a floor with more than one site."""

from __future__ import annotations

import pytest

from floorpulse.web.places import site_of_floor, zone_of
from schemas.registry import Floor, Registry

SITES = [{"id": "main", "timezone": "UTC"}, {"id": "manila", "timezone": "Asia/Manila"}]
REGISTRY = Registry(
    Floor.model_validate(
        {
            "sites": SITES,
            "teams": [{"id": "aster", "site": "manila"}, {"id": "briar"}],
            "people": [{"id": "a0412", "teams": [{"team": "aster"}]}],
            "queues": [{"id": "billing", "site": "manila"}, {"id": "sales"}],
        }
    )
)


@pytest.mark.parametrize(
    ("subject", "zone"),
    [
        ("agent:a0412", "Asia/Manila"), ("agent:a0388", "UTC"), ("team:aster", "Asia/Manila"), ("team:briar", "UTC"),
        ("queue:billing", "Asia/Manila"), ("queue:sales", "UTC"), ("site:manila", "Asia/Manila"), ("client:c1", "UTC"),
    ],
)  # fmt: skip
def test_times_of_a_subject_are_in_the_zone_of_its_site(subject: str, zone: str) -> None:
    """Agents and teams by their team's site, queues by their own; who belongs nowhere is of `main`."""
    assert zone_of(subject, REGISTRY, 0).key == zone


@pytest.mark.parametrize(
    ("sites", "name", "zone"),
    [([], "main", "UTC"), (SITES[:1], "main", "UTC"), (SITES[1:], "manila", "Asia/Manila"),
     (SITES, "manila", "Asia/Manila")],
)  # fmt: skip
def test_a_floor_has_name_and_zone_of_one_site(sites: list[dict[str, str]], name: str, zone: str) -> None:
    """`main` is there always: it names the floor only where there is no other."""
    registry = Registry(Floor.model_validate({"sites": sites}))

    assert (site_of_floor(registry), zone_of("", registry, 0).key) == (name, zone)
