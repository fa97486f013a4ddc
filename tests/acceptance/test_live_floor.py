"""A live floor as a team lead has it: an event over HTTP, the board shows it, an alert becomes a closed case."""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.acceptance.conftest import MakeFloor
from tests.acceptance.floors import WholeFloor

CHROMIUM = Path("/usr/bin/chromium")
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run", "--disable-sync"]

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's Chromium; without one these tests skip, in CI they fail."""
    if not CHROMIUM.exists() and not os.environ.get("CI"):
        pytest.skip(f"no {CHROMIUM}: install the system's Chromium to run the browser tests")
    expect.set_options(timeout=30_000)  # a busy machine is no broken page
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def floor(make_floor: MakeFloor, browser: Browser) -> WholeFloor:
    """A floor under the wall clock."""
    return make_floor()


@pytest.fixture
def page(browser: Browser, floor: WholeFloor) -> Iterator[Page]:
    """A page on a phone that must end without an error on its console."""
    context = browser.new_context(base_url=floor.web(), viewport={"width": 390, "height": 844})
    found = context.new_page()
    wrong: list[str] = []
    found.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    found.on("pageerror", lambda error: wrong.append(str(error)))
    yield found
    context.close()
    assert wrong == []


def _send(floor: WholeFloor, **event: Any) -> int:
    """POST an event that happens now; the status."""
    body = {"source": "acd", "at": datetime.now(UTC).isoformat(), **event}
    request = urllib.request.Request(
        f"http://127.0.0.1:{floor.part('gateway')['ports']['http']}/v1/events",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return int(answer.status)


def test_an_event_is_on_the_board_without_a_reload(floor: WholeFloor, page: Page) -> None:
    """From the gateway through Kafka, Faust and ClickHouse to an open page, which fits a phone."""
    page.goto("/")

    status = _send(floor, type="state_changed", id="s1", agent="a0412", state="ready")

    assert status == 202
    expect(page.locator("[data-agent=a0412]")).to_contain_text("ready")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_an_alert_becomes_a_closed_case(floor: WholeFloor, page: Page) -> None:
    """It appears by itself, is acknowledged, and its case is acknowledged, planned, held and closed."""
    page.goto("/")
    _send(floor, type="quality_scored", id="q1", agent="a0412", contact="c77", score=0, fatal=True)

    need = page.get_by_test_id("need").first
    expect(need).to_contain_text("a0412")
    need.get_by_test_id("acknowledge").click()
    page.goto("/alerts")
    page.get_by_test_id("alert").first.click()
    page.get_by_test_id("open-case").click()
    page.get_by_test_id("acknowledge-case").click()
    plan = page.get_by_test_id("plan-form")
    plan.get_by_label("Goal").fill("No fatal item in the next ten evaluations")
    plan.get_by_label("Actions").fill("Listen to the contact together")
    plan.get_by_label("Due").fill("2030-01-31")
    plan.get_by_role("button").click()
    session = page.get_by_test_id("session-form")
    session.get_by_label("Notes, shared").fill("We went through the contact")
    session.get_by_role("button").click()
    expect(page.locator("[aria-current=step]")).to_have_text("session held")
    page.get_by_test_id("close-summary").click()
    closing = page.get_by_test_id("close-form")
    closing.get_by_label("Outcome").select_option("improved")
    closing.get_by_role("button").click()

    expect(page.locator("[aria-current=step]")).to_have_text("closed")
    (case,) = floor.ask("cases", "list", "--state", "closed")
    assert case["subject"] == "agent:a0412"


def test_what_the_board_shows_is_proved_by_the_raw_events(floor: WholeFloor, browser: Browser) -> None:
    """A live floor reconciles while it runs."""
    assert floor.run("drain").code == 0

    answer = floor.run("reconcile")

    assert answer.code == 0, answer.out
