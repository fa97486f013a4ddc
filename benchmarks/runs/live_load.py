"""
A floor that is alive now: agents who ring, talk, wrap up and are ready again, at a steady number of events a second.

A plain generator of bytes, as it must leave the cores to the worker; the order of states is right, the durations are
not the simulator's. A share of the agents gets an evaluation with a fatal item, each of which makes one alert.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from benchmarks.meter import Order, finish

BURST_S = 0.005
QUEUES = 20
Message = tuple[str, str]
"""(key, value)"""


class LiveFloor:
    """Endless events of so many agents, in their order."""

    def __init__(self, agents: int, prefix: str) -> None:
        """`prefix` makes the ids of this run its own."""
        self._names = [f"a{number + 1:04d}" for number in range(agents)]
        self._prefix = prefix
        self._count = 0

    def shift_start(self) -> Iterator[Message]:
        """Everybody's plan, then everybody is ready."""
        for name in self._names:
            begin, end = _iso(time.time()), _iso(time.time() + 8 * 3600)
            work = f'"activities":[{{"activity":"work","starts_at":"{begin}","ends_at":"{end}"}}]'
            yield self._of_agent("shift_planned", name, work)
            yield self._state(name, "ready")

    def pause(self) -> Iterator[Message]:
        """Everybody goes away at once, and comes back."""
        for state in ("away", "ready"):
            for name in self._names:
                yield self._state(name, state)

    def calls(self) -> Iterator[Message]:
        """One call of every agent after the other, step by step, without end."""
        turn = 0
        while True:
            turn += 1
            for step in (self._ring, self._answer, self._wrap, self._finish):
                for number, name in enumerate(self._names):
                    yield from step(name, f"queue-{number % QUEUES}", f"{self._prefix}-{turn}-{number}")

    def fatal(self, number: int) -> Message:
        """An evaluation with a fatal item."""
        name = self._names[number % len(self._names)]
        return self._of_agent("quality_scored", name, '"score":0,"fatal":true')

    def _ring(self, name: str, queue: str, contact: str) -> Iterator[Message]:
        yield self._of_queue("contact_offered", queue, f'"contact":"{contact}"')
        yield self._state(name, "ringing")

    def _answer(self, name: str, queue: str, contact: str) -> Iterator[Message]:
        yield self._of_queue("contact_answered", queue, f'"contact":"{contact}","agent":"{name}","waited_s":4.0')
        yield self._of_agent("contact_accepted", name, f'"contact":"{contact}","queue":"{queue}","rang_s":3.0')
        yield self._state(name, "on_contact")

    def _wrap(self, name: str, queue: str, contact: str) -> Iterator[Message]:
        yield self._state(name, "wrap")

    def _finish(self, name: str, queue: str, contact: str) -> Iterator[Message]:
        begin = _iso(time.time() - 30)
        body = f'"contact":"{contact}","queue":"{queue}","started_at":"{begin}","talk_s":20.0,"wrap_s":8.0'
        yield self._of_agent("contact_handled", name, body)
        yield self._state(name, "ready")

    def _state(self, name: str, state: str) -> Message:
        return self._of_agent("state_changed", name, f'"state":"{state}"')

    def _of_agent(self, kind: str, name: str, body: str) -> Message:
        return f"agent:{name}", self._event(kind, f'"agent":"{name}",{body}')

    def _of_queue(self, kind: str, queue: str, body: str) -> Message:
        return f"queue:{queue}", self._event(kind, f'"queue":"{queue}",{body}')

    def _event(self, kind: str, body: str) -> str:
        self._count += 1
        at = _iso(time.time())
        return f'{{"at":"{at}","source":"live","id":"{self._prefix}-{self._count}",{body},"type":"{kind}"}}'


def _iso(seconds: float) -> str:
    whole, part = divmod(seconds, 1)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(whole))}.{int(part * 1000):03d}Z"


def main() -> None:
    """Send at a rate for some seconds; say when each fatal item was sent."""
    from confluent_kafka import Producer  # type: ignore[import-not-found]

    order = Order.of_arguments()
    asked: dict[str, Any] = order.extra
    producer = Producer(
        {
            "bootstrap.servers": order.bootstrap,
            "acks": "all",
            "linger.ms": 2,
            "partitioner": "murmur2_random",
            "queue.buffering.max.messages": 2_000_000,
        }
    )
    floor = LiveFloor(asked["agents"], order.group)
    sent, fatal = _send(producer, order, floor, asked)
    producer.flush(60)
    finish({"sent": sent, "fatal": fatal})


def _send(producer: Any, order: Order, floor: LiveFloor, asked: dict[str, Any]) -> tuple[int, dict[str, float]]:
    """Bursts each 5 ms; returns how many were sent, and agent -> epoch ms of its fatal item."""
    rate, seconds = asked["rate"], asked["seconds"]
    source = _chapters(floor, seconds, asked.get("is_peak", False))
    fatal: dict[str, float] = {}
    began, sent = time.monotonic(), 0
    while (elapsed := time.monotonic() - began) < seconds:
        while sent < elapsed * rate:
            key, value = next(source)
            producer.produce(order.topic, value, key)
            sent += 1
        while len(fatal) < min((elapsed - asked["quiet_s"]) * asked["fatal_per_s"], asked["agents"]):
            key, value = floor.fatal(len(fatal))
            fatal[key] = time.time() * 1000
            producer.produce(order.topic, value, key)
        producer.poll(0)
        time.sleep(BURST_S)
    return sent, fatal


def _chapters(floor: LiveFloor, seconds: float, is_peak: bool) -> Iterator[Message]:
    """A shift begins, and calls go on; at a peak everybody pauses at once in the middle."""
    yield from floor.shift_start()
    calls = floor.calls()
    if is_peak:
        middle = time.monotonic() + seconds / 3
        while time.monotonic() < middle:
            yield next(calls)
        yield from floor.pause()
    yield from calls


if __name__ == "__main__":
    main()
