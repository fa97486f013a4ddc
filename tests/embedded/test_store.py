"""The store answers ClickHouse's HTTP protocol, so that the ordinary client works unchanged."""

from __future__ import annotations

import base64
import http.client
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

import clickhouse_connect
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from floorpulse.embedded import gate
from floorpulse.embedded.parts import answers_http
from floorpulse.embedded.ports import PortClaims
from floorpulse.embedded.store import serve
from floorpulse.settings import TOKEN_FILE, Settings
from floorpulse.wiring import clickhouse_client
from schemas.errors import InputError

Client = Any


@pytest.fixture
def client(own_database: Settings) -> Iterator[Client]:
    """The product's own client on an empty database."""
    client = clickhouse_client(own_database)
    yield client
    client.close()


def post(settings: Settings, sql: str, body: bytes, encoding: str = "identity") -> tuple[int, str | None]:
    """One raw request: its status and the engine's error code."""
    address = settings.clickhouse()
    secret = f"{address.user}:{address.password.get_secret_value()}".encode()
    headers = {"Authorization": f"Basic {base64.b64encode(secret).decode()}", "Content-Encoding": encoding}
    connection = http.client.HTTPConnection(address.host, address.port)
    path = f"/?database={address.database}&query={sql.replace(' ', '%20')}"
    connection.request("POST", path, body, headers)
    response = connection.getresponse()
    return response.status, response.headers.get("X-ClickHouse-Exception-Code")


def test_parameters_arrive_as_they_were_given(client: Client) -> None:
    """Tabs, quotes, backslashes and newlines of a bound parameter come back unchanged."""
    text = "tab\t quote' back\\ newline\n é"

    row = client.query("SELECT {a:String}, {b:Array(String)}", parameters={"a": text, "b": [text, ""]})

    assert row.result_rows == [(text, [text, ""])]


def test_a_large_parameter_travels_as_a_form(client: Client) -> None:
    """What is too long for an address is sent as a form, and is understood."""
    text = "y" * 300_000

    assert client.query("SELECT length({a:String})", parameters={"a": text}).result_rows == [(300_000,)]


@pytest.mark.parametrize("compress", [False, "lz4", "zstd", "gzip"])
def test_a_native_insert_arrives_whole(own_database: Settings, compress: str | bool) -> None:
    """Every row of an insert of several blocks is there, however the client compresses it."""
    address = own_database.clickhouse()
    client = clickhouse_connect.get_client(
        host=address.host,
        port=address.port,
        password=address.password.get_secret_value(),
        database=address.database,
        compress=compress,
    )
    client.command("CREATE TABLE t (k UInt64, s String) ENGINE = MergeTree ORDER BY k")

    done = client.insert("t", [list(range(150_000)), ["a"] * 150_000], ["k", "s"], column_oriented=True)

    assert done.written_rows == 150_000
    assert client.query("SELECT count(), uniqExact(k) FROM t").result_rows == [(150_000, 150_000)]


def test_a_block_cut_short_is_refused_whole(own_database: Settings, client: Client) -> None:
    """Half a block is an error, and none of its rows is stored."""
    client.command("CREATE TABLE t (k UInt64) ENGINE = MergeTree ORDER BY k")
    block = client.raw_query("SELECT number AS k FROM numbers(100) FORMAT Native")

    status, code = post(own_database, "INSERT INTO t FORMAT Native", block[:-3])

    assert status == 500
    assert code is not None
    assert client.command("SELECT count() FROM t") == 0


def test_an_lz4_body_cut_short_is_refused(own_database: Settings) -> None:
    """A compressed body that is no lz4 frame is bad input."""
    assert post(own_database, "INSERT INTO t FORMAT Native", b"nothing", "lz4") == (400, "62")


def test_rows_may_follow_a_statement_in_the_body(client: Client) -> None:
    """A raw insert carries statement and rows in one body."""
    client.command("CREATE TABLE t (k UInt64, s String) ENGINE = MergeTree ORDER BY k")

    client.raw_insert("t", ["k", "s"], "5,a b\n6,x\n", fmt="CSV")

    assert client.query("SELECT * FROM t ORDER BY k").result_rows == [(5, "a b"), (6, "x")]


def test_an_engine_error_keeps_its_code(client: Client) -> None:
    """The client raises its own error with the engine's number and words."""
    with pytest.raises(DatabaseError, match="UNKNOWN_TABLE") as refused:
        client.query("SELECT * FROM nosuch")

    assert refused.value.code == 60


def test_settings_hold_for_one_statement(client: Client) -> None:
    """A setting given with a statement is in force for it, and for none after it."""
    asked = "SELECT getSetting('max_block_size')"
    before = client.command(asked)

    assert client.command(asked, settings={"max_block_size": 777}) == 777
    assert client.command(asked, settings={"readonly": 2, "max_block_size": 778}) == 778
    assert [client.command(asked) for _ in range(20)] == [before] * 20


def test_a_session_statement_lasts_for_nobody(client: Client) -> None:
    """SET and USE change nothing for the statements of others on the same connection."""
    for _ in range(20):
        client.command("SET max_block_size = 779")

    assert 779 not in {client.command("SELECT getSetting('max_block_size')") for _ in range(20)}


def test_dates_are_those_of_utc(client: Client) -> None:
    """The engine's zone is UTC wherever the machine stands."""
    assert client.command("SELECT serverTimezone()") == "UTC"


def test_a_wrong_token_is_refused(clickhouse: Settings) -> None:
    """Nothing is answered without the token of the data folder."""
    address = clickhouse.clickhouse()

    with pytest.raises(DatabaseError) as refused:
        clickhouse_connect.get_client(host=address.host, port=address.port, password="guess")

    assert refused.value.code == 516


def test_the_token_is_for_its_owner_only(clickhouse: Settings) -> None:
    """Nobody else on the machine may read the token."""
    assert (clickhouse.data / TOKEN_FILE).stat().st_mode & 0o777 == 0o600


def test_a_second_start_on_the_same_folder_is_refused(clickhouse: Settings) -> None:
    """One data folder has one store: the second says so in one line."""
    with pytest.raises(InputError, match="another store already runs on this data folder"):
        serve(clickhouse.data, 1)


def test_a_killed_store_comes_back_with_token_and_data(
    tmp_path: Path, port_claims: PortClaims, wait_until: Any
) -> None:
    """After kill -9 the acknowledged rows are there, and clients go on with the token they have."""
    port = port_claims.claim(28_124)
    command = [sys.executable, "-m", "floorpulse.embedded.store", "--data", str(tmp_path), "--port", str(port)]
    first = Popen(command, stdout=PIPE)
    wait_until(lambda: answers_http(port, "/ping"))
    client = clickhouse_connect.get_client(
        host="127.0.0.1", port=port, password=gate.token_of(tmp_path / TOKEN_FILE), database="floorpulse"
    )
    client.command("CREATE TABLE t (k UInt64) ENGINE = MergeTree ORDER BY k")
    client.insert("t", [[1], [2]], ["k"])

    first.kill()
    first.communicate()
    second = Popen(command, stdout=PIPE)
    wait_until(lambda: answers_http(port, "/ping"))

    assert client.command("SELECT sum(k) FROM t") == 3
    second.terminate()
    second.communicate()
    assert second.returncode == 0
