"""floorpulse's way of reading Kafka, batches through Faust, with the work that every peer carries."""

from __future__ import annotations

from typing import Any

import faust
from faust.types import TP, StreamT

from benchmarks.meter import Meter, Order
from benchmarks.work import Workload
from streams.worker.transport import FilelessApp, Places, batch_app, batches_of


class Eager:
    """A keeper that holds nothing back and begins where Kafka says (`streams.worker.transport.Keeper`)."""

    def held(self) -> set[TP]:
        """Nothing."""
        return set()

    def keep(self, assigned: set[TP]) -> None:
        """Nothing is owned."""

    async def starts_of(self, places: Places) -> dict[TP, int]:
        """At the committed offset, or at the first."""
        return {}


class Carrier(FilelessApp):
    """An app with a keeper."""

    keeper: Eager


def main() -> None:
    """Run the app until the meter ends the process."""
    order = Order.of_arguments()
    workload = Workload(order.work)
    app = batch_app(Carrier, order.group, order.bootstrap, stream_buffer_maxsize=32)
    app.keeper = Eager()

    @app.agent(batches_of(app, order.topic))
    async def fold(batches: StreamT[Any]) -> None:
        async for batch in batches:
            for record in batch:
                workload.take(record.partition, record.value)

    Meter(order, lambda: workload.records, more=workload.said).start()
    app.finalize()
    worker = faust.Worker(app, loglevel="WARNING", redirect_stdouts=False)
    worker.execute_from_commandline()


if __name__ == "__main__":
    main()
