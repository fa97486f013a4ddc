"""The ClickHouse engine of the store: one data path, several connections, one thread each.

The engine must never be forked once it is open, so the store is a process of its own.
"""

from __future__ import annotations

import errno
import re
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from floorpulse.embedded.statements import Rows, Statement

CONNECTIONS = 8

_CODE = re.compile(r"Code: (\d+)")
UNKNOWN_EXCEPTION = 1002
NOT_ENOUGH_SPACE = 243
CANNOT_WRITE = 75


class EngineError(Exception):
    """The engine's refusal: its numeric code and its own words."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Answer:
    """What a statement gave; an INSERT gives no data and reads exactly the rows it writes."""

    data: bytes
    rows: int
    size: int
    elapsed_ns: int


class Connection:
    """One connection; database and settings are brought to those of each statement first."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._open()

    def run(self, statement: Statement, spool: Path) -> Answer:
        """Run one statement to its end. EngineError: refused, with the engine's code."""
        try:
            self._prepare(statement)
            if statement.rows is not None:
                return self._insert(statement.rows, spool)
            return _answer(self._query(statement.sql, statement.format, dict(statement.params)))
        finally:
            if statement.changes_session:
                self.reopen()

    def reopen(self) -> None:
        """Forget all that earlier statements set."""
        self.close()
        self._open()

    def close(self) -> None:
        """Close the connection; the engine closes with its last one."""
        self._raw.close()

    def _open(self) -> None:
        import chdb

        self._raw = chdb.connect(str(self._path))
        self._database = "default"
        self._settings: dict[str, str] = {}

    def _insert(self, rows: Rows, spool: Path) -> Answer:
        with _spooled(rows.data, spool) as path:
            return _answer(self._query(rows.from_file(path), "TabSeparated", {}))

    def _prepare(self, statement: Statement) -> None:
        if statement.database != self._database:
            self._query(f"USE `{statement.database.replace('`', '``')}`", "TabSeparated", {})
            self._database = statement.database
        wanted = dict(statement.settings)
        if wanted == self._settings:
            return
        if "readonly" in self._settings:  # such a connection refuses every further SET
            self.reopen()
            self._prepare(statement)
            return
        self._set(wanted)

    def _set(self, wanted: dict[str, str]) -> None:
        """One SET is all or nothing, so a refused one leaves the connection as it was."""
        changed = {key: value for key, value in wanted.items() if self._settings.get(key) != value}
        parts = [f"{key} = '{_escaped(value)}'" for key, value in changed.items()]
        parts += [f"{key} = DEFAULT" for key in self._settings if key not in wanted]
        self._query(f"SET {', '.join(parts)}", "TabSeparated", {})
        self._settings = wanted

    def _query(self, sql: str, output: str, params: dict[str, str]) -> Any:
        from chdb import ChdbError

        try:
            return self._raw.query(sql, output, params=params)
        except ChdbError as error:
            raise _refusal(str(error)) from None


class Engine:
    """A pool of threads with one connection each on one data path."""

    def __init__(self, path: Path, spool: Path, connections: int = CONNECTIONS) -> None:
        self._path, self._spool = path, spool
        self._local = threading.local()
        self._opened: list[Connection] = []
        self.pool = ThreadPoolExecutor(connections, thread_name_prefix="engine")

    def run(self, statement: Statement) -> Answer:
        """Run one statement on this thread's connection; call it in the pool."""
        return self._connection().run(statement, self._spool)

    def settings(self) -> frozenset[str]:
        """The names of all settings that the engine knows."""
        answer = self.run(Statement("SELECT name FROM system.settings"))
        return frozenset(answer.data.decode().split())

    def close(self) -> None:
        """Let the running statements end, then close the data path."""
        self.pool.shutdown(wait=True, cancel_futures=True)
        for connection in self._opened:
            connection.close()

    def _connection(self) -> Connection:
        if not hasattr(self._local, "connection"):
            self._local.connection = Connection(self._path)
            self._opened.append(self._local.connection)
        connection: Connection = self._local.connection
        return connection


@contextmanager
def _spooled(data: memoryview, spool: Path) -> Iterator[str]:
    with refused_by_disk(spool):
        file = tempfile.NamedTemporaryFile(dir=spool, buffering=0)  # noqa: SIM115  closed below
    with file:
        with refused_by_disk(spool):
            while data:
                data = data[file.write(data) :]
        yield file.name


@contextmanager
def refused_by_disk(spool: Path) -> Iterator[None]:
    """Turn a fault of the disk into the engine's own code for it, so that clients see one kind of error."""
    try:
        yield
    except OSError as error:
        code = NOT_ENOUGH_SPACE if error.errno in {errno.ENOSPC, errno.EDQUOT} else CANNOT_WRITE
        raise EngineError(code, f"Code: {code}. DB::Exception: {spool}: {error.strerror}") from None


def _answer(result: Any) -> Answer:
    return Answer(result.bytes(), result.rows_read(), result.bytes_read(), int(result.elapsed() * 1_000_000_000))


def _refusal(message: str) -> EngineError:
    found = _CODE.search(message)
    return EngineError(int(found[1]) if found else UNKNOWN_EXCEPTION, message)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "\\'")
