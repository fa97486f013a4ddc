"""Days that are rolled up, as a query finds them that begins a second later."""

from __future__ import annotations

from clickhouse_connect.driver.client import Client

from sinks.rollups import Rolled, roll_up

A_SECOND_LATER = "ALTER TABLE rolled_days UPDATE rolled_at = rolled_at - INTERVAL 1 SECOND WHERE 1"


def rolled_up(client: Client) -> list[Rolled]:
    """Roll up every day that changed, however lately; from now on queries read the quarter hours of these."""
    rolled = roll_up(client, settle_ms=0)
    client.command(A_SECOND_LATER, settings={"mutations_sync": 1})
    return rolled
