"""Ports for one floor: the usual one when it is free, else the next free one, claimed against other floors."""

from __future__ import annotations

import errno
import fcntl
import socket
from pathlib import Path
from types import TracebackType
from typing import IO

from platformdirs import user_cache_path

from schemas.errors import ConfigError

LOOPBACK = "127.0.0.1"
STEP = 10
TRIES = 100


class PortClaims:
    """
    The ports that this process has claimed, until it is closed or the process ends.

    A claim is a locked file of the user, so that two floors that start at once never take the same port before
    their parts listen on it.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or user_cache_path("floorpulse") / "ports"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._held: list[IO[str]] = []

    def __enter__(self) -> PortClaims:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for handle in self._held:
            handle.close()

    def claim(self, usual: int, host: str = LOOPBACK) -> int:
        """The usual port, or the first free one in steps of 10 above it; ConfigError when there is none."""
        for port in range(usual or 20_000, 65_536, STEP)[:TRIES]:
            if self._claimed(port, host):
                return port
        raise ConfigError(f"no free port at {usual} or above it on {host}")

    def _claimed(self, port: int, host: str) -> bool:
        handle = (self._folder / str(port)).open("w")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            handle.close()
            return False
        if not is_free(port, host):
            handle.close()
            return False
        self._held.append(handle)
        return True


def reached_at(host: str) -> str:
    """Under which address this machine reaches what listens on one: its own where that is every address."""
    return {"0.0.0.0": LOOPBACK, "::": "::1"}.get(host, host)


def page_address(host: str, port: int) -> str:
    """Under which address a browser of this machine opens what listens there."""
    reached = reached_at(host)
    return f"http://{f'[{reached}]' if ':' in reached else reached}:{port}/"


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether one could listen on the port now. ConfigError: the host is no address of this machine."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno in {errno.EADDRINUSE, errno.EACCES}:
                return False
            raise ConfigError(f"{host}: not an address of this machine: {error.strerror}") from None
    return True
