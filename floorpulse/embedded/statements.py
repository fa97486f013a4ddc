"""ClickHouse's HTTP protocol, read: what one request asks the engine to do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from schemas.errors import InputError

# Query parameters that belong to HTTP itself; the engine would refuse some of them and misread the others.
TRANSPORT = frozenset(
    {
        "query", "database", "user", "password", "quota_key", "role", "query_id", "session_id", "session_timeout",
        "session_check", "default_format", "compress", "decompress", "buffer_size", "wait_end_of_query",
        "client_protocol_version", "enable_http_compression", "send_progress_in_http_headers",
        "http_headers_progress_interval_ms", "cancel_http_readonly_queries_on_client_close", "stacktrace",
    }
)  # fmt: skip

_NAME = r"""(?:`(?:[^`\\]|\\.)*+`|"(?:[^"\\]|\\.)*+"|\w++)"""
_INSERT = re.compile(
    rf"\s*(?P<into>INSERT\s+INTO\s+(?:TABLE\s+)?{_NAME}(?:\s*\.\s*{_NAME})?"
    r"""(?:\s*\((?:`(?:[^`\\]|\\.)*+`|"[^"]*+"|[^()`"'])*+\))?)"""
    r"(?P<settings>\s+SETTINGS\s[^\n;]*?)?\s+FORMAT\s+(?P<format>\w+)[ \t]*;?[ \t]*(?:\r?\n|\Z)".encode(),
    re.IGNORECASE,
)
_SESSION = re.compile(r"\s*(?:SET|USE|CREATE\s+TEMPORARY)\s", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows that came with an INSERT, in the format that it names."""

    into: str
    options: str
    format: str
    data: memoryview

    def from_file(self, path: str) -> str:
        """The same INSERT, reading its rows from a file on this machine."""
        quoted = path.replace("\\", "\\\\").replace("'", "\\'")
        return f"{self.into} FROM INFILE '{quoted}' COMPRESSION 'none'{self.options} FORMAT {self.format}"


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement with all that goes with it; `rows` is set for an INSERT with data."""

    sql: str
    database: str = "default"
    format: str = "TabSeparated"
    params: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    rows: Rows | None = None

    @property
    def changes_session(self) -> bool:
        """Whether it leaves something behind on its connection; without sessions nothing may last."""
        return _SESSION.match(self.sql) is not None


def read_statement(query: Mapping[str, str], body: bytes, known: frozenset[str]) -> Statement:
    """
    The statement of one request.

    `query` are its parameters, `known` the names of the engine's settings: others are ignored.
    InputError: there is no statement, or it is not UTF-8.
    """
    text = query.get("query", "").encode()
    rows = _rows(text, body)
    whole = b"" if rows else (text + b"\n" + body if text and body else text or body)
    return Statement(
        sql="" if rows else _decoded(whole),
        database=query.get("database") or "default",
        format=query.get("default_format") or "TabSeparated",
        params={key.removeprefix("param_"): value for key, value in query.items() if key.startswith("param_")},
        settings={key: value for key, value in query.items() if key in known and key not in TRANSPORT},
        rows=rows,
    )


def _rows(text: bytes, body: bytes) -> Rows | None:
    head = text or body[: 1 << 20]
    match = _INSERT.match(head)
    if match is None:
        return None
    if text and match.end() != len(text):
        return None
    return Rows(
        into=_decoded(match["into"]),
        options=_decoded(match["settings"]) if match["settings"] else "",
        format=_decoded(match["format"]),
        data=memoryview(body) if text else memoryview(body)[match.end() :],
    )


def _decoded(sql: bytes) -> str:
    if not sql.strip():
        raise InputError("Empty query")
    try:
        return sql.decode("utf-8")
    except UnicodeDecodeError:
        raise InputError("the statement is not UTF-8") from None
