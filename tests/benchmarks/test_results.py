"""Results are kept, read again, and shown with their median, spread and ratio."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.environments import REQUIREMENTS, pins
from benchmarks.lineup import LINEUP
from benchmarks.page import page
from benchmarks.parts import PARTS
from benchmarks.results import Book, Column, Result, read_book, write_book


@pytest.fixture
def book() -> Book:
    """A comparison of three rows, one of which could not be measured."""
    result = Result("compare", "Compared", "How.", [Column("rate", "records/s")], ratio_of="rate", pace_us=[2.0, 2.1])
    for rate in (100.0, 300.0):
        result.row("floorpulse/fold", "everything").add(rate=rate)
    result.row("peer/fold").add(rate=50.0)
    result.row("absent/fold").fault = "pip could not install it"
    return Book({"cores": "2"}, {"Kafka": "4.3.1"}, {"compare": result})


def test_a_row_shows_median_spread_and_ratio(book: Book) -> None:
    """Two rounds of 100 and 300 are 200; a peer with 50 is a quarter of it."""
    text = page(book, PARTS)

    assert "| **floorpulse/fold**: everything | 200 (100 to 300) | 1.00x |" in text
    assert "| **peer/fold** | 50 | 4.00x |" in text
    assert "left out: pip could not install it" in text


def test_results_are_read_as_they_were_written(book: Book, tmp_path: Path) -> None:
    """The page can be written again without measuring."""
    write_book(tmp_path / "results.json", book)

    assert read_book(tmp_path / "results.json") == book


def test_every_peer_has_exact_pins_and_a_process() -> None:
    """Whoever measures again gets the same versions, pydantic included."""
    for entry in LINEUP:
        assert (REQUIREMENTS.parent / "runs" / f"{entry.module}.py").exists()
        if entry.environment:
            assert all(version and version[0].isdigit() for version in pins(entry.environment).values())
            assert "pydantic" in pins(entry.environment)
