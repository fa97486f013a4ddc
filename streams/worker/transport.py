"""
Faust's Kafka transport, handing each fetched batch of a partition to the agent as one message.

Stock Faust spends its time in asyncio per message; a batch as a message is 10 to 12 times faster on the same core and
keeps Faust's agents, assignment, rebalance and commit timers. A transport test guards it against each Faust release.
Where to start and what to commit is not what was delivered but what is stored, so both are asked of a `Keeper`.
`batch_app` and `batches_of` set up an app for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterable, Iterator, Mapping
from typing import Any, Protocol, TypeVar

import faust
from faust.serializers.schemas import Schema
from faust.tables import TableManager
from faust.tables.recovery import Recovery
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage, Message

from schemas.errors import StopWorker

FETCH_WAIT_MS = 50
"""
How long the broker may hold a fetch that finds nothing.

There is one fetch to a broker at a time. While a busy worker has not taken what was fetched, the next one asks for the
silent partitions alone; new records of the others wait until it is answered: with Faust's 1.5 s, 0.8 s on average.
"""

App = TypeVar("App", bound="FilelessApp")
Place = tuple[int, int]
"""(earliest offset, end) of a partition as Kafka has it now."""
Places = Mapping[TP, Place]

LOOK_S = 0.01
"""How soon it is looked again whether all agents have named their topics."""
IDLE_S = 0.02
"""How soon a consumer that may fetch nothing looks again."""


class Keeper(Protocol):
    """What is stored, and what may be fetched."""

    def held(self) -> set[TP]:
        """Partitions that must not be fetched for now."""

    def keep(self, assigned: set[TP]) -> None:
        """Give up what is not assigned any more: a start that a rebalance overtook may have ended since."""

    async def starts_of(self, places: Places) -> dict[TP, int]:
        """
        Where the partitions that were just assigned begin.

        Those that are left out begin where Kafka has them committed.
        """


class Listener(driver.ConsumerRebalanceListener):
    """Faust's, which tells the thread when the group is joined anew."""

    def on_partitions_revoked(self, revoked: Iterable[Any]) -> Awaitable[Any]:
        """The join begins."""
        self._thread.is_joining = True  # type: ignore[attr-defined]
        return super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: Iterable[Any]) -> None:
        """The join has ended."""
        self._thread.is_joining = False  # type: ignore[attr-defined]
        await super().on_partitions_assigned(assigned)


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """
    Faust's, with fetches that come back soon, for which Faust has no setting, and without commits while the group is
    joined anew.

    The broker answers a connection in order: such a commit waits behind the join, is of the generation before when its
    turn comes, and is refused. aiokafka then leaves and joins again, during which others commit, and so on for ever.
    """

    is_joining = False

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        return False if self.is_joining else await super()._commit(offsets)

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        return consumer


class BatchConsumer(driver.Consumer):
    """
    Delivers batches; starts where the keeper says; commits what was marked as stored.

    It fetches nothing between an assignment and the end of the seeks that belong to it, whatever Faust's flow says:
    a recovery that a rebalance overtook lets the flow go on too early, and what is fetched then and not delivered
    would be missing behind the position.
    """

    RebalanceListener = Listener

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """As Faust makes it."""
        super().__init__(*args, **kwargs)
        self._stored: dict[TP, int] = {}
        self._fetching = asyncio.Lock()
        self._sought: int | None = None
        """The generation whose partitions are where they begin."""
        self._next: dict[TP, int] = {}
        """The offset that follows what was fetched, or the start that the keeper said."""

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    @property
    def keeper(self) -> Keeper:
        """The floor that this app was made for."""
        keeper: Keeper = self.app.keeper  # type: ignore[attr-defined]
        return keeper

    def stored(self, tp: TP, boundary: int) -> None:
        """Everything up to an offset is durable: the next commit says so."""
        self._stored[tp] = boundary + 1

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:
        """One message per fetched (partition, batch)."""
        if not self.flow_active:
            await self.wait(self.can_resume_flow)  # type: ignore[arg-type]
        async with self._fetching:
            generation = self.app.consumer_generation_id
            wanted = self._get_active_partitions() - self.keeper.held() if self._sought == generation else None
            records = await self._getmany(wanted, min(timeout, 0.2)) if wanted else None
        if records is None:
            await asyncio.sleep(IDLE_S)
            return
        for at, batch in records.items():
            if not self.flow_active or self.app.consumer_generation_id != generation or self.should_stop:
                return
            if batch:
                tp = TP(at.topic, at.partition)
                await self._check(tp, batch[0].offset)
                self._next[tp] = batch[-1].offset + 1
                yield tp, _as_message(tp, batch, generation)

    async def _check(self, tp: TP, first: int) -> None:
        """
        StopWorker when Kafka has deleted what comes before a batch: aiokafka goes on with what is left.

        Offsets without a record are no loss: a transaction leaves such.
        """
        following = self._next.get(tp, first)
        if first > following and (earliest := (await self.earliest_offsets(tp))[tp]) > following:
            raise StopWorker(gone(tp, following, earliest))

    async def perform_seek(self) -> None:
        """
        Seek each partition to what the keeper says; to the committed offset where it says nothing, or to the beginning.

        A fetch that waited for this assignment has its records by now, and they are thrown away: without a committed
        offset aiokafka would go on behind them. What was stored under the assignment before is not committed any more:
        others may be further by now.
        """
        self._sought = None
        async with self._fetching:  # what is under way was asked for at the old positions
            generation = self.app.consumer_generation_id
        self._stored.clear()
        await super().perform_seek()
        following: dict[TP, int] = {}
        assigned = self.assignment()
        self.keeper.keep({TP(tp.topic, tp.partition) for tp in assigned})
        if assigned:
            earliest = await self.earliest_offsets(*assigned)
            ends = await self.highwaters(*assigned)
            places = {TP(tp.topic, tp.partition): (earliest[tp], ends[tp]) for tp in sorted(assigned)}
            following = {tp: place[0] for tp, place in places.items() if not self._read_offset.get(tp)}
            following |= await self.keeper.starts_of(places)
            for tp, start in following.items():
                await self._seek(tp, start)
                self._read_offset[tp] = start or None
        self._next, self._sought = following, generation

    async def _commit_offsets(self, offsets: Mapping[TP, int], start_new_transaction: bool = True) -> bool:
        """Commit; what was refused is tried again the next time: Faust would take it for committed."""
        is_committed = await super()._commit_offsets(offsets, start_new_transaction)
        if not is_committed:
            for tp in offsets:
                self._committed_offset.pop(tp, None)
        return is_committed

    def ack(self, message: Message) -> bool:
        """Delivery acknowledges nothing: `stored` does."""
        message.acked = True
        self._unacked_messages.discard(message)
        return True

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Offsets inside a batch are no gaps."""

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        return (tp for tp in self._stored if topics is None or tp in topics or tp.topic in topics)

    def _new_offset(self, tp: TP) -> int | None:
        return self._stored.get(tp)


class PatientRecovery(Recovery):
    """
    Faust's, which waits for a start as long as it takes.

    Faust takes a start that is not done within a request's timeout for the end of the service, and fetches nothing
    ever after: ClickHouse may be away for longer.
    """

    async def _wait(self, coro: Any, timeout: Any = None) -> None:
        await super()._wait(coro)


class NoTables(TableManager):
    """
    Faust's tables, of which there are none, with the patient recovery.

    Faust gives the agents a second to name their topics before it subscribes; whoever is later waits for 45 more. Here
    it goes on as soon as all are named, and no sooner.
    """

    async def on_start(self) -> None:
        """Begin the recovery."""
        wanted = {name for agent in self.app.agents.values() for name in agent.channel.topics}
        while not self.should_stop and not wanted <= {name for topic in self.app.topics for name in topic.topics}:
            await asyncio.sleep(LOOK_S)
        if not self.should_stop:
            await self._update_channels()
            await self.recovery.start()

    @property
    def recovery(self) -> Recovery:
        """What performs the seeks."""
        if self._recovery is None:
            self._recovery = PatientRecovery(self.app, self, beacon=self.beacon, loop=self.loop)
        return self._recovery


class BatchTransport(driver.Transport):
    """Faust's transport with the batch consumer."""

    Consumer = BatchConsumer


class BatchSchema(Schema):  # type: ignore[type-arg]
    """The value of a message is the list of fetched records; nothing is decoded here."""

    def loads_key(self, app: Any, message: Message, **_kwargs: Any) -> Any:
        """No key: each record has its own."""

    def loads_value(self, app: Any, message: Message, **_kwargs: Any) -> Any:
        """The fetched records."""
        return message.value


class FilelessApp(faust.App):
    """A Faust app that keeps no files: it starts where no folder is to be had, as in a container."""

    def _create_directories(self) -> None:
        """Faust's are for tables on disk: there are none."""


def batch_app(kind: type[App], group: str, bootstrap: str, **settings: Any) -> App:
    """An app of a kind that reads batches, from the first record on; `kind` has a `keeper`, to be set by the caller."""
    app = kind(
        group,
        broker=[f"aiokafka://{address}" for address in bootstrap.split(",")],
        store="memory://",
        autodiscover=False,
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        value_serializer="raw",
        consumer_auto_offset_reset="earliest",
        stream_wait_empty=False,
        TableManager=NoTables,
        **settings,
    )
    app.transport = BatchTransport(app.conf.broker_consumer, app)
    return app


def batches_of(app: faust.App, topic: str) -> Any:
    """The topic, as an agent that takes its batches names it."""
    return app.topic(topic, schema=BatchSchema(), internal=False)


def gone(tp: TP, following: int, earliest: int) -> str:
    """What to say of records that Kafka deleted before they were read."""
    return (
        f"{tp.topic}:{tp.partition} begins at {earliest}, but {following} is the next to be read: "
        f"{earliest - following} records are gone; --accept-gap goes on without them"
    )


def _as_message(tp: Any, batch: list[Any], generation: int) -> ConsumerMessage:
    last = batch[-1]
    return ConsumerMessage(
        tp.topic,
        tp.partition,
        last.offset,
        last.timestamp / 1000.0,
        last.timestamp_type,
        [],
        None,
        batch,  # type: ignore[arg-type]
        None,
        0,
        0,
        TP(tp.topic, tp.partition),
        generation_id=generation,
    )
