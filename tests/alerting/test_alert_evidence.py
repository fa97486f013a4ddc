"""Which contacts are copied into an alert."""

from __future__ import annotations

import pytest

from alerting.evidence import MOST, evidence
from alerting.fields import EvidenceKind
from schemas.alerts import RecentContact, Window
from tests.alerting.views import NINE, FakeView, rule

HOUR = Window("rolling", minutes=60)
CONTACTS = [
    RecentContact(1_000, "long", "handled", talk_ms=300_000, hold_ms=1_000, wrap_ms=2_000),
    RecentContact(2_000, "short", "handled", talk_ms=10_000, hold_ms=5_000, wrap_ms=90_000),
    RecentContact(3_000, "shorter", "handled", talk_ms=2_000),
    RecentContact(4_000, "quick", "answered", waited_ms=20_000),
    RecentContact(5_000, "late", "answered", waited_ms=20_001),
    RecentContact(6_000, "gone", "abandoned", waited_ms=7_000),
    RecentContact(7_000, "fine", "scored", score=90.0),
    RecentContact(8_000, "bad", "scored", score=0.0, fatal=True),
]
PICKED = {
    "short": ["shorter", "short"],
    "longest_handle": ["long", "short", "shorter"],
    "shortest_handle": ["shorter", "short", "long"],
    "longest_talk": ["long", "short", "shorter"],
    "longest_hold": ["short", "long", "shorter"],
    "longest_wrap": ["short", "long", "shorter"],
    "longest_wait": ["late", "quick"],
    "missed_threshold": ["gone", "late"],
    "abandoned": ["gone"],
    "low_score": ["bad", "fine"],
    "fatal": ["bad"],
    "latest": ["shorter", "short", "long"],
}


@pytest.mark.parametrize(("kind", "picked"), PICKED.items())
def test_picked_by_kind(kind: EvidenceKind, picked: list[str]) -> None:
    """Each kind picks its own contacts, the most telling first."""
    rows = evidence(FakeView(recent=CONTACTS), HOUR, kind, 20, NINE)

    assert [row.contact for row in rows] == picked


def test_at_most_twenty() -> None:
    """An alert copies the 20 newest of many, so that its message stays small."""
    many = [RecentContact(at, f"c{at}", "handled", talk_ms=1_000) for at in range(50)]

    rows = evidence(FakeView(recent=many), HOUR, "short", 20, NINE)

    assert [row.contact for row in rows] == [f"c{at}" for at in range(49, 49 - MOST, -1)]


def test_state_without_state() -> None:
    """Where the state is unknown, a rule on states has nothing to show."""
    assert evidence(FakeView(), Window("now"), "state", 20, NINE) == []


@pytest.mark.parametrize(("comparison", "kind"), [(">", "longest_handle"), ("<", "shortest_handle")])
def test_default_of_handle_time(comparison: str, kind: str) -> None:
    """A rule on high handle time shows the longest contacts, one on low handle time the shortest."""
    assert rule(comparison=comparison).evidence_kind == kind


def test_rule_chooses() -> None:
    """A rule may name its evidence itself."""
    assert rule(evidence="latest").evidence_kind == "latest"
