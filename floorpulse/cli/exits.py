"""How a command ends: errors as one clear line on stderr and an exit code."""

from __future__ import annotations

import errno
import functools
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

import typer

from schemas.errors import FloorpulseError, StopWorker

BAD_INPUT = 2
STOPPED = 70
INTERRUPTED = 130

# Client errors that mean "nobody answers", by name: the clients themselves are imported by few commands only.
_SILENT = {
    ("clickhouse_connect", "OperationalError"): "ClickHouse does not answer: is the floor up?",
    ("kafka", "KafkaConnectionError"): "Kafka does not answer: is the floor up?",
    ("kafka", "KafkaTimeoutError"): "Kafka does not answer in time: is the floor up?",
}

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

P = ParamSpec("P")
R = TypeVar("R")


def guarded(command: Callable[P, R]) -> Callable[P, R]:
    """A command whose expected errors end it with one line on stderr; bugs keep their traceback."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        with one_line_errors():
            result = command(*args, **kwargs)
            sys.stdout.flush()  # what finds no room is to be told here, and not by an interpreter that ends
            return result

    return run


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Bad input, unusable settings, refusals, silence and a full disk: exit 2; StopWorker: 70; Ctrl-C: 130."""
    try:
        yield
    except StopWorker as error:
        raise _exit(str(error), STOPPED) from None
    except FloorpulseError as error:
        raise _exit(str(error), BAD_INPUT) from None
    except KeyboardInterrupt:
        raise _exit("interrupted", INTERRUPTED) from None
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        raise _exit(f"{error.filename or 'output'}: cannot be written: {error.strerror}", BAD_INPUT) from None
    except Exception as error:
        silence = _SILENT.get((type(error).__module__.partition(".")[0], type(error).__name__))
        if silence is None:
            raise
        raise _exit(silence, BAD_INPUT) from None


def refuse_bytes(arguments: Sequence[str]) -> None:
    """End with one line where an argument is no text: no server takes it, and neither does the output."""
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError:
            raise _exit(f"{argument!a}: expected text in UTF-8", BAD_INPUT) from None


def _exit(message: str, code: int) -> typer.Exit:
    sys.stderr.write(" ".join(message.split()) + "\n")
    return typer.Exit(code)
