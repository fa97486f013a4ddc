"""The stream of what changes goes on while ClickHouse hangs: a poll that never ends is no silence."""

from __future__ import annotations

import json
from typing import Any

import pytest

from floorpulse.clock import now_ms
from floorpulse.web import live
from floorpulse.web.live import ANSWERS_WITHIN_MS, Viewers
from floorpulse.web.poller import Live


async def _messages(state: Live, count: int) -> list[dict[str, Any]]:
    """The first messages of a viewer whom nobody tells anything."""
    stream = Viewers("boot", "event", lambda _: None).stream(state, -1, ["head"])
    said = [json.loads((await anext(stream)).split("data: ")[1]) for _ in range(count)]
    await stream.aclose()  # type: ignore[attr-defined]
    return said


async def test_a_viewer_hears_again_while_no_poll_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page takes silence for a lost connection; its times go on."""
    monkeypatch.setattr(live, "SAY_AGAIN_S", 0.01)
    clock = iter(range(1_000_000, 9_000_000, 1_000))
    monkeypatch.setattr(live, "now_ms", lambda: next(clock))

    first, second = await _messages(Live(polled_ms=1_000_000), 2)

    assert second["now"] > first["now"]
    assert second["pieces"] == second["orders"] == {}


@pytest.mark.parametrize(("age_ms", "is_stale"), [(0, False), (ANSWERS_WITHIN_MS + 1_000, True)])
async def test_a_store_that_hangs_does_not_answer(age_ms: int, *, is_stale: bool) -> None:
    """Since its last answer, also on a replayed floor, whose own time stands still whenever it likes."""
    polled_ms = now_ms() - age_ms

    (head,) = await _messages(Live(polled_ms=polled_ms), 1)

    assert (head["staleSince"] == polled_ms, "ClickHouse does not answer" in head["stale"]) == (is_stale, is_stale)
