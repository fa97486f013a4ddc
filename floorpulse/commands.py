"""How CLI and web change a record: a command on `floor.commands`, then a short wait for what the ledger says."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from uuid import uuid4

from floorpulse.wiring import clickhouse_client, producer
from records.store.projection import outcome
from schemas.errors import Unavailable
from schemas.records import Command, RecordEvent
from schemas.topics import COMMANDS

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client
    from kafka import KafkaProducer

    from floorpulse.settings import Settings

WAIT_S = 5.0
_PAUSE_S = 0.05
_ACKNOWLEDGED_WITHIN_S = 10.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a command; `pending`: Kafka has it, or may have it, and the ledger has not answered yet."""

    status: Literal["accepted", "refused", "pending"]
    command: str
    events: tuple[RecordEvent, ...] = ()

    @property
    def reason(self) -> str:
        """Why it was refused, a `RefusalReason`; `''` when it was not."""
        return str(self.events[0].body["reason"]) if self.status == "refused" else ""

    @property
    def detail(self) -> str:
        """The refusal in words; `''` when it was not refused."""
        return str(self.events[0].body["detail"]) if self.status == "refused" else ""


def new_command_id() -> str:
    """An id for a person's command; send the same one again to repeat the command safely."""
    return uuid4().hex


def send_command(settings: Settings, command: Command) -> Outcome:
    """Send one command with clients of its own and wait for its outcome; see `send_and_wait`."""
    client = clickhouse_client(settings, within_s=round(WAIT_S))
    sender = producer(settings, within_s=_ACKNOWLEDGED_WITHIN_S)
    try:
        return send_and_wait(sender, client, command)
    finally:
        sender.close(timeout=WAIT_S)
        client.close()


def send_and_wait(sender: KafkaProducer, client: Client, command: Command, wait_s: float = WAIT_S) -> Outcome:
    """
    Send a command and wait up to `wait_s` until the ledger has answered it. Blocks.

    Unavailable: Kafka did not take it, so nothing will happen. Where it may have taken it, a silent ClickHouse means
    pending.
    """
    _send(sender, command)
    until_s = time.monotonic() + wait_s
    while time.monotonic() < until_s:
        with suppress(Unavailable):
            if events := outcome(client, command.id):
                refused = events[0].kind == "command_refused"
                return Outcome("refused" if refused else "accepted", command.id, events)
        time.sleep(_PAUSE_S)
    return Outcome("pending", command.id)


def _send(sender: KafkaProducer, command: Command) -> None:
    from kafka.errors import KafkaError

    value, sent = command.model_dump_json().encode(), None
    try:
        sent = sender.send(COMMANDS, key=command.stream.encode(), value=value)
        sent.get(timeout=_ACKNOWLEDGED_WITHIN_S)
    except KafkaError as error:
        if sent is None or sent.is_done:
            raise Unavailable(f"Kafka did not take the command: {error}") from error
