"""A proxy in front of ClickHouse that can be away, silent, refuse inserts, or lose the answer of one that was done."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import parse_qs, urlsplit

Mode = Literal["pass", "away", "silent", "cut", "refuse"]
TOO_MANY_PARTS = (
    252,
    "Too many parts (300). Merges are slower than inserts. (TOO_MANY_PARTS)",
)
MEMORY_LIMIT = (241, "Memory limit (total) exceeded: would use 9.31 GiB. (MEMORY_LIMIT_EXCEEDED)")
DISK_FULL = (243, "Cannot reserve 1.00 MiB, not enough space. (NOT_ENOUGH_SPACE)")
_HOP_HEADERS = {"connection", "transfer-encoding", "content-length", "keep-alive"}


class Proxy:
    """Listens on loopback and speaks for the store behind it."""

    def __init__(self, upstream: int) -> None:
        """`upstream`: port of the store."""
        self.mode: Mode = "pass"
        self.left = 0
        """How many more inserts are cut or refused before it passes again; 0: until it is told otherwise."""
        self.error = TOO_MANY_PARTS
        self.hit = 0
        """How many requests were not answered as the store did."""
        self._upstream = upstream
        self._lock = threading.Lock()
        self._released = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def turn(self, mode: Mode, *, times: int = 0, error: tuple[int, str] = TOO_MANY_PARTS) -> None:
        """Behave like this from now on."""
        with self._lock:
            self.mode, self.left, self.error = mode, times, error
        self._released.set()
        self._released = threading.Event()

    def close(self) -> None:
        """Stop."""
        self._released.set()
        self._server.shutdown()
        self._server.server_close()

    def mode_for(self, *, is_insert: bool) -> Mode:
        """How the next request is treated."""
        with self._lock:
            mode = self.mode
            if mode == "pass" or (mode in {"cut", "refuse"} and not is_insert):
                return "pass"
            self.hit += 1
            if self.left:
                self.left -= 1
                if not self.left:
                    self.mode = "pass"
            return mode

    def wait_released(self) -> None:
        """Hold a request until the mode changes."""
        self._released.wait(600)

    def forward(self, method: str, path: str, headers: dict[str, str], body: bytes) -> http.client.HTTPResponse:
        """The store's answer, read whole."""
        connection = http.client.HTTPConnection("127.0.0.1", self._upstream, timeout=120)
        connection.request(method, path, body=body or None, headers=headers)
        return connection.getresponse()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(_Handler):
            owner = proxy

        return Handler


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: Proxy

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: object) -> None:
        """Not worth a line."""

    def _serve(self) -> None:
        body = self._body()
        mode = self.owner.mode_for(is_insert=_is_insert(self.path, body))
        if mode == "away":
            return self._hang_up()
        if mode == "silent":
            self.owner.wait_released()
            return self._hang_up()
        if mode == "refuse":
            return self._refuse(*self.owner.error)
        return self._forward(body, cut=mode == "cut")

    def _forward(self, body: bytes, *, cut: bool) -> None:
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_HEADERS}
        try:
            answer = self.owner.forward(self.command, self.path, headers, body)
            data = answer.read()
        except (OSError, http.client.HTTPException):
            return self._hang_up()
        if cut:
            return self._hang_up()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in _HOP_HEADERS:
                self.send_header(name, value)
        self._end(data)
        return None

    def _refuse(self, code: int, text: str) -> None:
        self.send_response(500)
        self.send_header("X-ClickHouse-Exception-Code", str(code))
        self._end(f"Code: {code}. DB::Exception: {text}\n".encode())

    def _end(self, data: bytes) -> None:
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        with suppress(OSError):
            self.wfile.write(data)

    def _hang_up(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return b"".join(self._chunks())
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline().split(b";")[0], 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()


def _is_insert(path: str, body: bytes) -> bool:
    said = parse_qs(urlsplit(path).query).get("query", [""])[0].encode() or body[:20]
    return said.lstrip()[:6].upper() == b"INSERT"


@contextmanager
def proxy_before(port: int) -> Iterator[Proxy]:
    """A proxy before a store, closed at the end."""
    proxy = Proxy(port)
    try:
        yield proxy
    finally:
        proxy.close()
