"""What couriers hold, and for whom: no server is asked."""

from __future__ import annotations

from floorpulse.delivery.channels import Channel
from floorpulse.delivery.couriers import Couriers
from floorpulse.delivery.messages import Mark, Message, Notice, message_of
from floorpulse.delivery.metrics import DeliveryMetrics

NOW_MS = 1_772_452_800_000


class Silent:
    """A channel that is never used."""

    async def send(self, message: Message, now_s: int) -> None:
        """Nothing."""


async def unmarked(mark: Mark) -> None:
    """Nothing is sent, so nothing is marked."""


def message(receiver: str) -> Message:
    return message_of(receiver, [Notice("a", NOW_MS, "alert_firing", "t1", "main", "agent:a1", "text")])


async def test_a_receiver_that_is_no_longer_there_gets_nothing() -> None:
    """A message that was claimed for one whom the file no longer names stops nobody."""
    channels: dict[str, Channel] = {"lead": Silent()}
    couriers = Couriers(channels, unmarked, lambda: NOW_MS)

    await couriers.take(message("gone"))

    assert (couriers.ready("gone"), couriers.ready("lead")) == (False, True)


async def test_what_waits_is_measured_by_receiver_and_age() -> None:
    """The oldest of all, from when its courier took it."""
    metrics, now = DeliveryMetrics(), iter((NOW_MS, NOW_MS + 3_000, NOW_MS + 5_000))
    channels: dict[str, Channel] = {"lead": Silent(), "manager": Silent(), "boss": Silent()}
    couriers = Couriers(channels, unmarked, lambda: next(now), metrics)

    await couriers.take(message("lead"))
    await couriers.take(message("manager"))

    name = "floorpulse_delivery_waiting_messages"
    assert [metrics.registry.get_sample_value(name, {"receiver": one}) for one in ("lead", "manager")] == [1, 1]
    assert metrics.registry.get_sample_value("floorpulse_delivery_oldest_seconds") == 5
