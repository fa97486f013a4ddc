"""
The messages on `floor.contributions`: contributions, and the control records that concern the groups.

A message of contributions is a line of JSON that says which sums follow, and these: each group's of a minute a piece of
JSON of its own, which a start takes as it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import zip_longest
from typing import Any

from pydantic_core import from_json, to_json

from schemas.controls import RegistryChanged, RulesApplied
from schemas.errors import InvalidEvent
from schemas.events import decode
from streams.core.groups_of import SUMS_PER_PART
from streams.core.log import Contribution, PackedContribution


def encode_contributions(contributions: Iterable[Contribution]) -> list[bytes]:
    """
    Contributions of one partition, in order, as few messages.

    A mark that brings no sums and is followed by another says nothing that the next one does not say.
    """
    messages: list[list[Contribution]] = [[]]
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
        messages[-1].append(contribution)
    return [_message(message) for message in messages if message]


def decode_contributions(value: bytes) -> list[Contribution] | RegistryChanged | RulesApplied:
    """The contributions or the control record of a message; InvalidEvent for anything else."""
    if value.startswith(b"["):
        try:
            return [unpacked(part) for part in packed_contributions(value)]
        except ValueError as error:
            raise InvalidEvent("invalid", f"contribution: {error}") from None
    record = decode(value)
    if not isinstance(record, RegistryChanged | RulesApplied):
        raise InvalidEvent("invalid", f"{record.type} does not belong on this topic")
    return record


def packed_contributions(value: bytes) -> list[PackedContribution]:
    """The contributions of a message, their sums as they came; none of a control record. InvalidEvent: it is broken."""
    if not value.startswith(b"["):
        return []
    head, _, pieces = value.partition(b"\n")
    try:
        found, end = _packed(from_json(head), pieces)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidEvent("invalid", f"contribution: {error}") from None
    if end != len(pieces):
        raise InvalidEvent("invalid", f"contribution: expected {end} bytes of sums, got {len(pieces)}")
    return found


def unpacked(packed: PackedContribution) -> Contribution:
    """The same with sums to be reckoned with; ValueError where one is no JSON."""
    sums = {
        group: {minute: from_json(piece) for minute, piece in minutes.items()} for group, minutes in packed.sums.items()
    }
    return Contribution(packed.partition, packed.mark, packed.version, sums, packed.part, packed.parts)


def _message(contributions: list[Contribution]) -> bytes:
    heads: list[dict[str, Any]] = []
    pieces: list[bytes] = []
    for contribution in contributions:
        told: dict[str, list[tuple[int, int]]] = {}
        for group, minutes in contribution.sums.items():
            lengths = told[group] = []
            for minute, sums in minutes.items():
                piece = to_json(sums)
                pieces.append(piece)
                lengths.append((minute, len(piece)))
        heads.append(
            {
                "partition": contribution.partition,
                "mark": contribution.mark,
                "version": contribution.version,
                "part": contribution.part,
                "parts": contribution.parts,
                "sums": told,
            }
        )
    return to_json(heads) + b"\n" + b"".join(pieces)


def _packed(heads: list[dict[str, Any]], pieces: bytes) -> tuple[list[PackedContribution], int]:
    """The contributions that lines of a message tell of, and where their sums end."""
    found: list[PackedContribution] = []
    once: dict[int, int] = {}
    at = 0
    for head in heads:
        sums: dict[str, dict[int, bytes]] = {}
        for group, lengths in head["sums"].items():
            given = sums[group] = {}
            for minute, length in lengths:
                given[once.setdefault(minute, minute)] = pieces[at : at + length]
                at += length
        found.append(
            PackedContribution(head["partition"], head["mark"], head["version"], sums, head["part"], head["parts"])
        )
    return found, at
