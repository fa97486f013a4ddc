"""`/metrics`, `/healthz` and `/readyz` of a process that serves nothing else."""

from __future__ import annotations

from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from schemas.errors import ConfigError


def serve_metrics(address: tuple[str, int], registry: CollectorRegistry, not_ready: Callable[[], str]) -> None:
    """
    Serve in a thread that ends with the process; `not_ready` says why it is not, or nothing.

    ConfigError: the address is taken, or none of this machine.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, kind, body = 200, "text/plain", b"ok\n"
            if self.path == "/metrics":
                kind, body = CONTENT_TYPE_LATEST, generate_latest(registry)
            elif self.path == "/readyz" and (why := not_ready()):
                status, body = 503, f"{why}\n".encode()
            elif self.path not in {"/healthz", "/readyz"}:
                status, body = 404, b"not found\n"
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Requests of a scraper are not worth a line."""

    try:
        server = ThreadingHTTPServer(address, Handler)
    except OSError as error:
        host, port = address
        raise ConfigError(f"{host}:{port}: no place for /metrics: {error.strerror}") from None
    Thread(target=server.serve_forever, name="metrics", daemon=True).start()
