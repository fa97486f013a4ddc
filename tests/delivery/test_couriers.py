"""Messages on their way to real HTTP servers: slow ones, failing ones, and a process that dies in between."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import aiohttp
import pytest
import stamina
from aiohttp import web
from aiohttp.test_utils import TestServer
from structlog.testing import capture_logs

from floorpulse.delivery.channels import Channel, Slack, Webhook
from floorpulse.delivery.config import Receivers
from floorpulse.delivery.couriers import Couriers
from floorpulse.delivery.grouping import Place
from floorpulse.delivery.messages import LATEST_MS, Mark, Message, Notice, message_of
from floorpulse.delivery.process import Delivery
from schemas.errors import Unavailable
from schemas.registry import Erased, Floor, Registry, Team

NOW_MS = 1_772_452_800_000
KEY = b"a secret of the receiver"


def notice(key: str = "a", at_ms: int = NOW_MS) -> Notice:
    return Notice(key, at_ms, "alert_firing", "t1", "main", "agent:a1", f"text <{key}>")


@dataclass
class Hook:
    """What a receiver's server got, and how it answers."""

    statuses: list[int] = field(default_factory=list)
    open: asyncio.Event = field(default_factory=asyncio.Event)
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: web.Request) -> web.Response:
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        self.bodies.append(await request.read())
        self.arrived.set()
        await self.open.wait()
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200)


@asynccontextmanager
async def served(hook: Hook) -> AsyncIterator[str]:
    """The address of a real server on loopback."""
    app = web.Application()
    app.router.add_post("/hook", hook.answer)
    async with TestServer(app) as server:
        yield str(server.make_url("/hook"))


class FakeLog:
    """Kafka as delivery sees it; `dies_at` is the state of a mark that cannot be written."""

    def __init__(self, *found: Notice, dies_at: str = "") -> None:
        self.found = [(one, ("floor.alerts", 0, offset)) for offset, one in enumerate(found)]
        self.written: dict[str, Mark] = {}
        self.committed: list[dict[tuple[str, int], int]] = []
        self.erased: list[Erased] = []
        self.dies_at = dies_at

    def marks(self) -> list[Mark]:
        return list(self.written.values())

    def registry(self) -> Registry:
        return Registry(Floor(teams=[Team(id="t1", lead="lead-1")], erased=self.erased))

    def poll(self) -> tuple[list[tuple[Notice, Place]], int]:
        found, self.found = self.found, []
        return found, 0

    def mark(self, mark: Mark) -> None:
        if mark.state == self.dies_at:
            raise Unavailable("gone")
        self.written[mark.message.id] = mark

    def forget(self, subjects: Collection[str]) -> None:
        for mark in self.marks():
            self.mark(Mark(state=mark.state, message=mark.message.without(subjects)))

    def told(self) -> set[str]:
        """Whom the marks tell of."""
        return {str(told["subject"]) for mark in self.written.values() for told in mark.message.notices}

    def commit(self, unclaimed: dict[tuple[str, int], int]) -> None:
        self.committed.append(unclaimed)


async def until(condition: Callable[[], object]) -> None:
    """Wait for a condition, at most 10 s."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A client for the couriers."""
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture(autouse=True)
def quick_retries() -> Iterator[None]:
    """Retries without their pauses."""
    with stamina.set_testing(True, attempts=5, cap=True):
        yield


@asynccontextmanager
async def carrying(
    log: FakeLog, channels: dict[str, Channel], now: Callable[[], int] = lambda: NOW_MS
) -> AsyncIterator[Couriers]:
    """Couriers at work."""

    async def mark(done: Mark) -> None:
        log.mark(done)

    couriers = Couriers(channels, mark, now)
    task = asyncio.create_task(couriers.carry())
    try:
        yield couriers
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, Unavailable):
            await task


def open_hook(*statuses: int) -> Hook:
    hook = Hook(statuses=list(statuses))
    hook.open.set()
    return hook


def message(receiver: str, key: str = "a") -> Message:
    return message_of(receiver, [notice(key)])


async def test_a_webhook_can_be_verified_by_its_receiver(http: aiohttp.ClientSession) -> None:
    """The headers of Standard Webhooks; while a secret is replaced both signatures are there."""
    hook = open_hook()
    async with served(hook) as url:
        await Webhook(http, url, [b"old", KEY]).send(message("lead"), 1_772_452_800)

    headers = hook.headers[0]
    signed = f"{message('lead').id}.1772452800.".encode() + hook.bodies[0]
    expected = "v1," + base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
    assert (headers["webhook-id"], headers["webhook-timestamp"]) == (message("lead").id, "1772452800")
    assert headers["webhook-signature"].split()[1] == expected


async def test_slack_gets_text_that_is_no_markup(http: aiohttp.ClientSession) -> None:
    """Angle brackets would be a link."""
    hook = open_hook()
    async with served(hook) as url:
        await Slack(http, url).send(message("lead"), 0)

    assert json.loads(hook.bodies[0]) == {"text": "text &lt;a&gt;"}


async def test_a_failure_that_may_pass_is_tried_again_under_the_same_id(http: aiohttp.ClientSession) -> None:
    """P4: two attempts, one id, one mark."""
    hook, log = open_hook(503, 429), FakeLog()
    async with served(hook) as url, carrying(log, {"lead": Webhook(http, url, [KEY])}) as couriers:
        await couriers.take(message("lead"))
        await until(lambda: log.written)

    assert [headers["webhook-id"] for headers in hook.headers] == [message("lead").id] * 3
    assert log.written[message("lead").id].state == "sent"


async def test_a_refusal_is_not_tried_again(http: aiohttp.ClientSession) -> None:
    """410 is marked as failed at once."""
    hook, log = open_hook(410), FakeLog()
    async with served(hook) as url, carrying(log, {"lead": Webhook(http, url, [KEY])}) as couriers:
        await couriers.take(message("lead"))
        await until(lambda: log.written)

    assert (len(hook.headers), log.written[message("lead").id].state) == (1, "failed")


async def test_what_grew_old_behind_a_slow_message_is_given_up(http: aiohttp.ClientSession) -> None:
    """After fifteen minutes it helps nobody; what is younger still goes out, and takes along what is in its message."""
    hook, log, clock = Hook(), FakeLog(), [NOW_MS]
    mixed = message_of("lead", [notice("c"), notice("d", NOW_MS + 60_000)])
    async with (
        served(hook) as url,
        carrying(log, {"lead": Webhook(http, url, [KEY])}, lambda: clock[0]) as couriers,
    ):
        await couriers.take(message("lead", "a"))
        await hook.arrived.wait()
        for waiting in (message("lead", "b"), mixed):
            await couriers.take(waiting)
        clock[0] += LATEST_MS + 1
        hook.open.set()
        await until(lambda: len(log.written) == 3)

    assert [mark.state for mark in log.marks()] == ["sent", "failed", "sent"]
    assert hook.bodies == [message("lead", "a").payload(), mixed.payload()]


class SaysNo:
    """A channel whose receiver is away for longer than a message may wait, on a clock that shows it."""

    def __init__(self) -> None:
        self.asked, self.now_ms = 0, NOW_MS

    async def send(self, message: Message, now_s: int) -> None:
        self.asked, self.now_ms = self.asked + 1, self.now_ms + LATEST_MS // 2 + 1
        raise Unavailable("example.com answered 503")


async def test_a_message_is_tried_again_until_it_is_too_late() -> None:
    """Not for fifteen minutes more; then the log says so, with what the receiver said last."""
    log, channel = FakeLog(), SaysNo()
    with capture_logs() as logs:
        async with carrying(log, {"lead": channel}, lambda: channel.now_ms) as couriers:
            await couriers.take(message("lead"))
            await until(lambda: log.written)

    told = [line["reason"] for line in logs if line["event"] == "message_failed"]
    assert (channel.asked, log.written[message("lead").id].state) == (2, "failed")
    assert told == ["older than 15 minutes: example.com answered 503"]


class ChokesOn:
    """A channel with a fault that one message brings out."""

    def __init__(self, key: str) -> None:
        self.key = key

    async def send(self, message: Message, now_s: int) -> None:
        if message.notices[0]["id"] == self.key:
            raise ValueError("no header can hold this")


async def test_a_message_that_nobody_foresaw_does_not_end_the_others() -> None:
    """It is marked as failed, so that no restart takes it again; its receiver and all others go on."""
    log, channels = FakeLog(), {"lead": ChokesOn("a"), "manager": ChokesOn("a")}
    async with carrying(log, dict[str, Channel](channels)) as couriers:
        for sent in (message("lead"), message("lead", "b"), message("manager", "c")):
            await couriers.take(sent)
        await until(lambda: len(log.written) == 3)

    states = {mark.message.notices[0]["id"]: mark.state for mark in log.marks()}
    assert states == {"a": "failed", "b": "sent", "c": "sent"}


async def test_a_slow_receiver_delays_nobody_else(http: aiohttp.ClientSession) -> None:
    """The lead's server hangs; the manager's messages arrive all the same."""
    slow, quick, log = Hook(), open_hook(), FakeLog()
    async with served(slow) as slow_url, served(quick) as quick_url:
        channels: dict[str, Channel] = {
            "lead": Webhook(http, slow_url, [KEY]),
            "manager": Webhook(http, quick_url, [KEY]),
        }
        async with carrying(log, channels) as couriers:
            await couriers.take(message("lead"))
            await slow.arrived.wait()
            for key in "abc":
                await couriers.take(message("manager", key))
            await until(lambda: len(log.written) == 3)
        slow.open.set()

    assert {mark.message.receiver for mark in log.written.values()} == {"manager"}


async def test_a_full_queue_is_not_ready(http: aiohttp.ClientSession) -> None:
    """So that notices wait for the next message, and memory stays bounded."""
    slow = Hook()
    async with served(slow) as url, carrying(FakeLog(), {"lead": Webhook(http, url, [KEY])}) as couriers:
        taken = 0
        while couriers.ready("lead"):
            await couriers.take(message("lead", str(taken)))
            taken += 1
        slow.open.set()

    assert 0 < taken < 100


RECEIVERS = Receivers.model_validate(
    {"receivers": [{"name": "lead", "person": "lead-1", "channel": "webhook", "url": "http://x", "secret": "S"}]}
)


async def one_life(log: FakeLog, http: aiohttp.ClientSession, url: str, done: Callable[[], object]) -> None:
    """A process of delivery that lives until something is done; its clock goes on with each look at it."""
    now = iter(range(NOW_MS, NOW_MS + 10_000_000, 1_500))
    async with carrying(log, {"lead": Webhook(http, url, [KEY])}) as couriers:
        delivery = Delivery(log, RECEIVERS, couriers, lambda: next(now))
        await delivery.resume()
        async with asyncio.timeout(10):
            while not done():
                await delivery.step()


async def test_a_crash_between_send_and_mark_sends_the_same_message_again(http: aiohttp.ClientSession) -> None:
    """P4: at least once, and the id and the content stay, whatever has been read in between."""
    hook, log = open_hook(), FakeLog(notice("a"), notice("b"), dies_at="sent")
    async with served(hook) as url:
        await one_life(log, http, url, lambda: hook.bodies)
        log.found, log.dies_at = [(notice(key), ("floor.alerts", 0, 0)) for key in "abc"], ""
        await one_life(log, http, url, lambda: len(hook.bodies) == 3)

    ids = [headers["webhook-id"] for headers in hook.headers]
    assert ids[0] == ids[1] != ids[2]
    assert hook.bodies[0] == hook.bodies[1]


async def test_what_was_marked_as_sent_is_not_sent_again(http: aiohttp.ClientSession) -> None:
    """A restart that reads the same alerts again stays quiet."""
    hook, log = open_hook(), FakeLog(notice("a"))
    async with served(hook) as url:
        await one_life(log, http, url, lambda: [mark for mark in log.marks() if mark.state == "sent"])
        log.found = [(notice("a"), ("floor.alerts", 0, 0))]
        await one_life(log, http, url, lambda: len(log.committed) > 12)

    assert len(hook.bodies) == 1


GONE = Erased(id="gone", at=datetime(2026, 3, 2, tzinfo=UTC))


async def test_nobody_is_told_of_somebody_who_was_erased(http: aiohttp.ClientSession) -> None:
    """What still stands in the log of them is read and left; what is told of others goes out."""
    theirs = replace(notice("a"), subject="agent:gone")
    hook, log = open_hook(), FakeLog(theirs, notice("b"))
    log.erased = [GONE]

    async with served(hook) as url:
        await one_life(log, http, url, lambda: len(log.written) == 1 and hook.bodies)

    told = [told["id"] for mark in log.written.values() for told in mark.message.notices]
    assert told == ["b"]
    assert log.found == []


async def test_a_message_under_way_leaves_no_mark_of_somebody_who_is_erased_meanwhile(
    http: aiohttp.ClientSession,
) -> None:
    """The marks are kept for ever, so the one that follows a slow answer tells of others only."""
    hook, log = Hook(), FakeLog(replace(notice("a"), subject="agent:gone"), notice("b"))

    def answered_after_the_erasure() -> bool:
        if hook.bodies and not log.erased:
            log.erased = [GONE]
        elif log.told() == {"agent:a1"}:
            hook.open.set()
        return [mark.state for mark in log.marks()] == ["sent"]

    async with served(hook) as url:
        await one_life(log, http, url, answered_after_the_erasure)

    assert b"agent:gone" in hook.bodies[0]
    assert log.told() == {"agent:a1"}


async def test_what_was_claimed_is_not_told_once_its_person_is_erased(http: aiohttp.ClientSession) -> None:
    """A restart, and each further attempt, leaves them out of the message; the others in it are told under its id."""
    theirs = replace(notice("a"), subject="agent:gone")
    both, alone = message_of("lead", [theirs, notice("b")]), message_of("lead", [replace(theirs, key="c")])
    hook, log = open_hook(), FakeLog()
    log.written = {one.id: Mark(state="claimed", message=one) for one in (both, alone)}
    log.erased = [GONE]

    async with served(hook) as url:
        await one_life(log, http, url, lambda: log.written[both.id].state == "sent")

    assert [headers["webhook-id"] for headers in hook.headers] == [both.id]
    assert b"agent:gone" not in hook.bodies[0]
    assert log.told() == {"agent:a1"}


async def test_nothing_is_committed_before_it_is_claimed(http: aiohttp.ClientSession) -> None:
    """Each commit that came before the first claim left the notice out."""
    hook, log = open_hook(), FakeLog(notice("a"))
    async with served(hook) as url:
        await one_life(log, http, url, lambda: log.written)

    assert log.committed[0] == {("floor.alerts", 0): 0}
    assert log.committed[-1] == {}
