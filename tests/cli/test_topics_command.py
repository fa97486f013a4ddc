"""`floorpulse topics` on a real Kafka."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from schemas.topics import TOPICS

Run = Callable[..., Any]


def test_topics_are_applied_and_listed(run_on_floor: Run) -> None:
    """After an apply every topic is there with its partitions and epoch 1; a second apply creates nothing."""
    first = run_on_floor("topics", "apply")
    again = run_on_floor("topics", "apply")

    listed = json.loads(run_on_floor("topics", "list", "--format", "json").out)
    assert (first.code, again.err.splitlines()[-1]) == (0, "created: nothing, all topics are there")
    assert [row["topic"] for row in listed] == [topic.name for topic in TOPICS]
    assert {row["epoch"] for row in listed} == {1}
    assert next(row["partitions"] for row in listed if row["topic"] == "floor.contributions") == 1
