"""The messages on `floor.contributions`: contributions, and the control records that concern the groups."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import zip_longest
from typing import Any

from pydantic_core import from_json, to_json

from schemas.controls import RegistryChanged, RulesApplied
from schemas.errors import InvalidEvent
from schemas.events import decode
from streams.core.groups_of import SUMS_PER_PART
from streams.core.log import Contribution


def encode_contributions(contributions: Iterable[Contribution]) -> list[bytes]:
    """
    Contributions of one partition, in order, as few messages.

    A mark that brings no sums and is followed by another says nothing that the next one does not say.
    """
    messages: list[list[dict[str, Any]]] = [[]]
    room = SUMS_PER_PART
    waiting = list(contributions)
    for contribution, following in zip_longest(waiting, waiting[1:]):
        if not contribution.sums and following is not None:
            continue
        size = sum(len(minutes) for minutes in contribution.sums.values())
        if messages[-1] and size > room:
            messages.append([])
            room = SUMS_PER_PART
        room -= size
        messages[-1].append(_body(contribution))
    return [to_json(message) for message in messages if message]


def decode_contributions(value: bytes) -> list[Contribution] | RegistryChanged | RulesApplied:
    """The contributions or the control record of a message; InvalidEvent for anything else."""
    try:
        body = from_json(value)
        if isinstance(body, list):
            return [_contribution(part) for part in body]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidEvent("invalid", f"contribution: {error}") from None
    record = decode(value)
    if not isinstance(record, RegistryChanged | RulesApplied):
        raise InvalidEvent("invalid", f"{record.type} does not belong on this topic")
    return record


def _body(contribution: Contribution) -> dict[str, Any]:
    return {
        "partition": contribution.partition,
        "mark": contribution.mark,
        "version": contribution.version,
        "part": contribution.part,
        "parts": contribution.parts,
        "sums": {group: list(minutes.items()) for group, minutes in contribution.sums.items()},
    }


def _contribution(body: dict[str, Any]) -> Contribution:
    sums = {group: dict(minutes) for group, minutes in body["sums"].items()}
    return Contribution(body["partition"], body["mark"], body["version"], sums, body["part"], body["parts"])
