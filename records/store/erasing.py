"""
The ledger without what it held of people who were erased: each entry keeps its place and its hashes.

Their streams lose their names too; `schemas.records.erased_stream` says where the entries of a known stream went.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from records.store.clickhouse import unavailable
from schemas.records import ALERT, erased_stream

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_STRIP = """
INSERT INTO record_events
(stream, sequence, id, kind, at, by, command, record, version, body, previous, hash, written_at)
SELECT {left:String}, sequence, '', 'erased', 0, '', '', '', 0, '{}', previous, hash, written_at
FROM record_events FINAL WHERE stream = {stream:String}
"""


def streams_about(client: Client, subjects: Collection[str]) -> list[str]:
    """The streams of some subjects and of the alerts about them, as far as they have entries."""
    with unavailable():
        alerts = client.query(
            "SELECT DISTINCT alert FROM alert_transitions WHERE subject IN {subjects:Array(String)}"
            " UNION DISTINCT SELECT DISTINCT JSONExtractString(body, 'transition', 'alert') FROM record_events"
            " WHERE stream IN {subjects:Array(String)} AND kind IN ('case_opened', 'evidence_added')",
            parameters={"subjects": sorted(subjects)},
        ).result_rows
        wanted = [*sorted(subjects), *(f"{ALERT}{alert}" for (alert,) in alerts)]
        rows = client.query(
            "SELECT DISTINCT stream FROM record_events WHERE stream IN {streams:Array(String)} ORDER BY stream",
            parameters={"streams": wanted},
        ).result_rows
    return [str(stream) for (stream,) in rows]


def living_streams(client: Client, erased: Collection[str]) -> list[str]:
    """The streams of all whom alerts are about, and of these alerts, but those of the `erased` subjects."""
    with unavailable():
        rows = client.query(
            "SELECT alert, any(subject) AS about FROM alert_transitions GROUP BY alert"
            " HAVING about NOT IN {erased:Array(String)}",
            parameters={"erased": sorted(erased)},
        ).result_rows
    return [*(f"{ALERT}{alert}" for alert, _ in rows), *sorted({str(subject) for _, subject in rows})]


def count_entries(client: Client, streams: Collection[str]) -> int:
    """How many entries the streams have."""
    sql = "SELECT count() FROM record_events FINAL WHERE stream IN {streams:Array(String)}"
    with unavailable():
        return int(client.query(sql, parameters={"streams": sorted(streams)}).result_rows[0][0])


def strip_streams(client: Client, streams: Iterable[str]) -> None:
    """Leave of streams only places and hashes; broken off and done again it comes to the same."""
    with unavailable():
        for stream in streams:
            names = {"stream": stream, "left": erased_stream(stream)}
            client.command(_STRIP, parameters=names)
            client.command(
                "DELETE FROM record_events WHERE stream = {stream:String}",
                parameters=names,
                settings={"lightweight_deletes_sync": 1},
            )
