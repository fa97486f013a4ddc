"""The `store` process: ClickHouse's HTTP protocol on loopback in front of one embedded engine.

`python -m floorpulse.embedded.store --data DIR --port P`. The ordinary clickhouse-connect HTTP client works
unchanged: user `default`, the token of `DIR/store.token` as the password.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import structlog
from aiohttp import BasicAuth, web

from floorpulse.embedded import gate
from floorpulse.embedded.engine import Answer, Engine, EngineError
from floorpulse.embedded.statements import Statement, read_statement
from floorpulse.logs import set_up_logs
from floorpulse.settings import TOKEN_FILE
from schemas.errors import ConfigError, FloorpulseError, InputError

USER = "default"
DATABASE = "floorpulse"
LARGEST_BODY = 256 * 1024 * 1024
SYNTAX_ERROR = 62
AUTHENTICATION_FAILED = 516
TOO_LARGE = 191


@dataclass(frozen=True, slots=True)
class Store:
    """What the handlers need: the engine, the names of its settings and the token."""

    engine: Engine
    known: frozenset[str]
    token: str

    async def ping(self, request: web.Request) -> web.Response:
        """Alive; answered without a token, as ClickHouse does."""
        return web.Response(text="Ok.\n")

    async def execute(self, request: web.Request) -> web.Response:
        """One statement of one request."""
        if not self._allowed(request):
            return _failure(403, AUTHENTICATION_FAILED, f"{USER}: wrong user or token (AUTHENTICATION_FAILED)")
        try:
            statement = await self._statement(request)
        except InputError as error:
            return _failure(400, SYNTAX_ERROR, str(error))
        except web.HTTPRequestEntityTooLarge:
            return _failure(413, TOO_LARGE, "the body is larger than the store takes")
        try:
            answer = await asyncio.get_running_loop().run_in_executor(self.engine.pool, self.engine.run, statement)
        except EngineError as error:
            structlog.get_logger(__name__).info("query_failed", code=error.code)
            return _failure(500, error.code, str(error))
        return _success(statement, answer, request.query.get("query_id", ""))

    async def _statement(self, request: web.Request) -> Statement:
        query = dict(request.query)
        if request.content_type in {"multipart/form-data", "application/x-www-form-urlencoded"}:
            form = await request.post()
            query |= {key: value for key, value in form.items() if isinstance(value, str)}
            return read_statement(query, b"", self.known)
        body = await request.read()
        if request.headers.get("Content-Encoding") == "lz4":
            body = _lz4(body)
        return read_statement(query, body, self.known)

    def _allowed(self, request: web.Request) -> bool:
        user = request.headers.get("X-ClickHouse-User", USER)
        password = request.headers.get("X-ClickHouse-Key", "")
        if "Authorization" in request.headers:
            try:
                basic = BasicAuth.decode(request.headers["Authorization"], encoding="utf-8")
            except ValueError:
                return False
            user, password = basic.login, basic.password
        return user == USER and gate.same(password, self.token)


def _lz4(body: bytes) -> bytes:
    """aiohttp decodes gzip, deflate and zstd itself, lz4 it does not know. Each block is a frame of its own."""
    from lz4.frame import LZ4FrameDecompressor  # type: ignore[import-untyped]

    whole, rest = bytearray(), body
    while rest:
        frame = LZ4FrameDecompressor()
        try:
            whole += frame.decompress(rest)
        except RuntimeError:
            raise InputError("the body is not lz4, as its Content-Encoding says") from None
        if not frame.eof:
            raise InputError("the body ends inside an lz4 frame")
        rest = frame.unused_data or b""
    return bytes(whole)


def _success(statement: Statement, answer: Answer, query_id: str) -> web.Response:
    verb = "written" if statement.rows else "read"
    summary = {
        f"{verb}_rows": str(answer.rows),
        f"{verb}_bytes": str(answer.size),
        "elapsed_ns": str(answer.elapsed_ns),
    }
    headers = {"X-ClickHouse-Summary": json.dumps(summary), "X-ClickHouse-Query-Id": query_id}
    return web.Response(body=answer.data, headers=headers, content_type="application/octet-stream")


def _failure(status: int, code: int, message: str) -> web.Response:
    text = message if message.startswith("Code: ") else f"Code: {code}. DB::Exception: {message}"
    return web.Response(status=status, text=text + "\n", headers={"X-ClickHouse-Exception-Code": str(code)})


def open_store(data: Path) -> Store:
    """Open the engine on the folder, with the database there and the token made."""
    spool = data / "store.spool"
    spool.mkdir(exist_ok=True)
    for left in spool.iterdir():  # of a store that was killed during an insert
        left.unlink()
    os.putenv("TZ", "UTC")  # the engine's own zone would be that of the machine, and dates would differ by it
    engine = Engine(data / "store", spool)
    create = Statement(f"CREATE DATABASE IF NOT EXISTS {DATABASE} ENGINE = Atomic")
    try:
        engine.pool.submit(engine.run, create).result()
        known = engine.pool.submit(engine.settings).result()
    except (EngineError, RuntimeError) as error:
        raise ConfigError(f"{data / 'store'}: the engine does not open: {' '.join(str(error).split())}") from None
    return Store(engine, known, gate.token_of(data / TOKEN_FILE))


def make_app(store: Store, largest_body: int = LARGEST_BODY) -> web.Application:
    """The application that answers for a store and closes it at its end; `largest_body` in bytes."""

    async def close(app: web.Application) -> None:
        await asyncio.get_running_loop().run_in_executor(None, store.engine.close)

    app = web.Application(client_max_size=largest_body)
    app.router.add_get("/ping", store.ping)
    app.router.add_route("*", "/", store.execute)
    app.on_cleanup.append(close)
    return app


def serve(data: Path, port: int) -> None:
    """Serve until SIGTERM. InputError: a second start on the folder; ConfigError: folder or port unusable."""
    log = structlog.get_logger(__name__)
    folder = gate.made_folder(data)
    with gate.lock(folder / "store.lock", f"{folder}: another store already runs on this data folder"):
        try:
            store = open_store(folder)
            log.info("store_opened", data=str(folder), port=port)
            web.run_app(make_app(store), host="127.0.0.1", port=port, print=None, access_log=None)
            log.info("store_closed", data=str(folder))
        except OSError as error:
            raise ConfigError(f"127.0.0.1:{port}: {error.strerror}") from None


def main() -> None:
    """The command line of the process; exit 2 with one line when it cannot start."""
    parser = argparse.ArgumentParser(prog="floorpulse store")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    set_up_logs("auto")
    try:
        serve(options.data, options.port)
    except FloorpulseError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
