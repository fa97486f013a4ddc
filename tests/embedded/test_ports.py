"""Ports: the usual one when it is free, another one when it is not."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from floorpulse.embedded.ports import PortClaims, is_free
from schemas.errors import ConfigError


def test_a_taken_port_is_passed_over(tmp_path: Path) -> None:
    """Where something listens already, the next free port is used."""
    with socket.create_server(("127.0.0.1", 0)) as taken, PortClaims(tmp_path) as claims:
        port = taken.getsockname()[1]

        assert claims.claim(port) > port


def test_two_floors_never_claim_the_same_port(tmp_path: Path) -> None:
    """A port is another floor's from its claim on, even before anything listens there."""
    with PortClaims(tmp_path) as one, PortClaims(tmp_path) as other:
        assert one.claim(27_000) != other.claim(27_000)


def test_a_claim_ends_with_its_holder(tmp_path: Path) -> None:
    """A floor that has ended leaves its usual ports to the next one."""
    with PortClaims(tmp_path) as one:
        port = one.claim(27_100)

    with PortClaims(tmp_path) as other:
        assert other.claim(27_100) == port


def test_zero_means_any_port(tmp_path: Path) -> None:
    """Who does not care gets a free one."""
    with PortClaims(tmp_path) as claims:
        assert is_free(claims.claim(0))


def test_a_foreign_address_is_named(tmp_path: Path) -> None:
    """A host that is not this machine is a mistake in the settings."""
    with PortClaims(tmp_path) as claims, pytest.raises(ConfigError, match=r"203\.0\.113\.1"):
        claims.claim(27_200, "203.0.113.1")
