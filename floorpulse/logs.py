"""structlog for every process: console for people, JSON otherwise; always on stderr."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from typing import Any, Literal, TextIO, cast

import structlog

_TELL_BY_RAISING = ("clickhouse_connect", "urllib3.connectionpool")
"""Libraries that warn of what they raise as well: it is told once, by whoever asked."""


class Lossy:
    """A stream that loses lines while its disk is full: what they tell of must not end for them."""

    def __init__(self, stream: TextIO) -> None:
        """Write to a stream."""
        self._stream = stream

    def write(self, text: str) -> None:
        """Write, or not."""
        with suppress(OSError):
            self._stream.write(text)

    def flush(self) -> None:
        """Flush, or not."""
        with suppress(OSError):
            self._stream.flush()


def set_up_logs(form: Literal["auto", "console", "json"], *, for_command: bool = False) -> None:
    """
    Configure structlog and the logging of libraries (warnings and worse); `auto`: console on a terminal.

    `for_command`: a command that ends soon, and then says itself in one line that Kafka does not answer; of a process
    that stays Kafka's client tells each time that it tries again.
    """
    people = form == "console" or (form == "auto" and sys.stderr.isatty())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: Any = structlog.dev.ConsoleRenderer() if people else structlog.processors.JSONRenderer()
    # A fault as plain text: the console by itself shows all locals with it, secrets and people among them.
    rendering = [structlog.processors.format_exc_info, renderer]
    structlog.configure(
        processors=[*shared, *rendering],
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, Lossy(sys.stderr))),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name in _TELL_BY_RAISING:
        logging.getLogger(name).setLevel(logging.ERROR)
    logging.getLogger("kafka").setLevel(logging.CRITICAL if for_command else logging.NOTSET)
