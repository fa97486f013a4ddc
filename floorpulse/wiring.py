"""The composition root: the only place where settings become clients and parts meet each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.errors import Unavailable

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client
    from kafka import KafkaProducer

    from floorpulse.settings import Settings

SESSION_SETTINGS = {
    "async_insert": 0,
    "insert_deduplicate": 0,
    "do_not_merge_across_partitions_select_final": 1,
}
"""Said in every request: ClickHouse 26 inserts asynchronously and deduplicates blocks by default."""


ANSWERS_WITHIN_S = 300
"""How long an answer of ClickHouse is waited for where nobody looks at the clock."""


def clickhouse_client(settings: Settings, *, database: str | None = None, within_s: int = ANSWERS_WITHIN_S) -> Client:
    """
    A new ClickHouse client (not to be shared by threads); Unavailable when nobody answers.

    `within_s`: how long it waits for each answer.
    """
    import clickhouse_connect
    from clickhouse_connect.driver.exceptions import ClickHouseError

    address = settings.clickhouse()
    try:
        return clickhouse_connect.get_client(
            host=address.host,
            port=address.port,
            username=address.user,
            password=address.password.get_secret_value(),
            database=address.database if database is None else database,
            secure=address.secure,
            compress=address.secure,
            settings=SESSION_SETTINGS,
            autogenerate_session_id=False,
            send_receive_timeout=within_s,
        )
    except ClickHouseError as error:
        reason = " ".join(str(error).split())[:300]
        raise Unavailable(f"ClickHouse at {address.host}:{address.port} does not answer: {reason}") from error


def producer(settings: Settings, within_s: float = 60.0) -> KafkaProducer:
    """
    A new idempotent producer that waits for all replicas; Unavailable when no broker answers.

    `within_s`: how long a send may wait for what it has to know of the topic.
    """
    from kafka import KafkaProducer
    from kafka.errors import KafkaError

    try:
        return KafkaProducer(
            bootstrap_servers=settings.bootstrap(),
            acks="all",
            enable_idempotence=True,
            linger_ms=20,
            batch_size=256 * 1024,
            client_id="floorpulse",
            max_block_ms=round(within_s * 1000),
        )
    except KafkaError as error:
        raise Unavailable(f"Kafka at {settings.kafka_bootstrap} does not answer: {error}") from error
