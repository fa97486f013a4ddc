"""Ports: the usual one when it is free, another one when it is not."""

from __future__ import annotations

import socket
import sys
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from floorpulse.embedded.parts import product_parts
from floorpulse.embedded.ports import PortClaims, is_free, page_address
from floorpulse.embedded.run_file import RunFile
from floorpulse.settings import Settings
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


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "http://127.0.0.1:8321/"),
        ("0.0.0.0", "http://127.0.0.1:8321/"),
        ("192.168.1.5", "http://192.168.1.5:8321/"),
        ("::", "http://[::1]:8321/"),
        ("fd00::5", "http://[fd00::5]:8321/"),
    ],
)
def test_a_page_is_opened_where_the_web_listens(host: str, address: str) -> None:
    """Loopback is the answer where it listens everywhere, and only there."""
    floor = RunFile(supervisor=1, parts=[], settings={"web_host": host, "web_port": 8321})

    assert page_address(host, 8321) == floor.board() == address


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have one loopback address")
def test_a_part_is_asked_where_it_listens() -> None:
    """One that listens on an address of the network alone becomes ready as any other."""
    with ThreadingHTTPServer(("127.0.0.2", 0), SimpleHTTPRequestHandler) as server:
        threading.Thread(target=server.serve_forever).start()
        port = server.server_address[1]
        hosts = dict.fromkeys(("web_host", "gateway_host", "metrics_host"), "127.0.0.2")
        ports = dict.fromkeys(("web_port", "gateway_port", "metrics_port", "delivery_metrics_port"), port)

        ready = [part.ready() for part in product_parts(Settings().model_copy(update=hosts | ports))]
        server.shutdown()

    assert ready == [True] * 4
