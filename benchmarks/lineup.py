"""Who is compared, and with which work."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """One stack with one work: a row of the comparison."""

    stack: str
    work: str
    words: str
    """What it does, for the table."""
    module: str
    environment: str = ""
    """Name of its requirements file; empty: floorpulse's own environment."""
    is_compiled: bool = True
    """Where it is ours: whether the engine is in machine code."""
    is_whole: bool = False
    """It drops duplicates and keeps all three windows."""

    @property
    def is_ours(self) -> bool:
        """It does what floorpulse does, not the fold that everybody carries."""
        return self.module in {"floorpulse_worker", "engine_loop"}

    @property
    def name(self) -> str:
        """As `--only` takes it."""
        return f"{self.stack}/{self.work}"


COUNT = "decode, count by type"
FOLD = "decode, drop duplicates, minute panes, 3 windows x 8 KPIs"
HOP_5 = "own windows: 5 min each 1 min, 8 sums; duplicates stay"
HOP_30 = "own windows: 30 min each 1 min, 8 sums; duplicates stay"
MINUTE = "own Table: 1 min, 8 sums; duplicates stay"

LINEUP: tuple[Entry, ...] = (
    Entry(
        "floorpulse",
        "fold",
        "the worker without a sink: all columns, states, 6 windows, rules, groups, alerts to Kafka",
        "floorpulse_worker",
        is_whole=True,
    ),
    Entry("floorpulse", "durable", "the same, durable in ClickHouse", "floorpulse_worker", is_whole=True),
    Entry(
        "floorpulse in plain Python",
        "fold",
        "as the first row, but not compiled",
        "floorpulse_worker",
        is_compiled=False,
        is_whole=True,
    ),
    Entry(
        "floorpulse's transport",
        "fold",
        f"Faust with batches as messages, and no more than what the peers do: {FOLD}",
        "batch_transport",
        is_whole=True,
    ),
    Entry(
        "kafka-python loop",
        "floorpulse's engine",
        "the same engine without Faust, without contributions, alerts and flushes to anywhere",
        "engine_loop",
        is_whole=True,
    ),
    Entry("confluent-kafka loop", "count", COUNT, "confluent_loop", "confluent"),
    Entry("confluent-kafka loop", "fold", FOLD, "confluent_loop", "confluent", is_whole=True),
    Entry("kafka-python loop", "count", COUNT, "kafka_python_loop", "kafka-python"),
    Entry("kafka-python loop", "fold", FOLD, "kafka_python_loop", "kafka-python", is_whole=True),
    Entry("Faust", "fold", FOLD, "faust_stock", "faust", is_whole=True),
    Entry("Faust", "minute", MINUTE, "faust_stock", "faust"),
    Entry("Faust", "hop30", HOP_30, "faust_stock", "faust"),
    Entry("Quix Streams", "fold", FOLD, "quix", "quix", is_whole=True),
    Entry("Quix Streams", "hop5", HOP_5, "quix", "quix"),
    Entry("Quix Streams", "hop30", HOP_30, "quix", "quix"),
    Entry("Bytewax", "fold", FOLD, "bytewax_flow", "bytewax", is_whole=True),
    Entry("Bytewax", "hop5", HOP_5, "bytewax_flow", "bytewax"),
    Entry("Bytewax", "hop30", HOP_30, "bytewax_flow", "bytewax"),
    Entry("Pathway", "fold", FOLD, "pathway_flow", "pathway", is_whole=True),
    Entry("Pathway", "hop5", HOP_5, "pathway_flow", "pathway"),
    Entry("Pathway", "hop30", HOP_30, "pathway_flow", "pathway"),
)
