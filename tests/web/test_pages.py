"""The pages over a real store: what they show, what they refuse, what they keep."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from html import unescape
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from floorpulse.erasure import sweep, who, without
from floorpulse.settings import Settings
from floorpulse.web import pages, record_queries
from floorpulse.web.app import create_web
from floorpulse.web.details import alert_page
from floorpulse.web.live import Viewers
from floorpulse.wiring import clickhouse_client
from schemas.alerts import Transition
from schemas.errors import Unavailable
from sinks.registry import load_registry, store_registry

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

    from floorpulse.web.poller import Live

Wait = Callable[[Callable[[], object]], None]


def column(client: Client, sql: str) -> list[Any]:
    return [row[0] for row in client.query(sql).result_rows]


def test_the_board_shows_teams_queues_and_states(web: TestClient) -> None:
    """Who is where since when, by the state's words."""
    page = web.get("/").text

    assert "Team Aster" in page
    assert "away: break" in page
    assert "4:58" in page  # 260 s talk and 38 s wrap
    assert ">50 %</button>" in page  # 30 at once of 50 answered and 10 given up late, by variant 4


def test_an_alert_of_the_service_level_says_by_which_contract(
    web: TestClient, stored_floor: Any, fired: Callable[..., Transition]
) -> None:
    """A rule that names no variant means that of the queue: its definition stands beside the figure."""
    of_queue = {"subject": "queue:billing", "kpi": "service_level", "rule": "service-level-30m", "window": "30m"}
    stored_floor.alert(fired(stored_floor.now_ms, opens="nothing", value=0.61, threshold=0.8, **of_queue))

    page = web.get("/alerts/a1").text

    assert "Answered within T, divided by answered and abandoned after T." in page


def test_a_page_names_the_zone_of_its_times(
    web: TestClient, stored_floor: Any, transition: Transition, case: str, wait_until: Wait
) -> None:
    """The board has that of the site it is named after, alert and case that of whom they are about."""
    sites = [{"id": "main", "timezone": "UTC"}, {"id": "manila", "timezone": "Asia/Manila"}]
    people = [{"id": "a0412", "teams": [{"team": "tokyo"}]}]
    tokyo = {"id": "tokyo", "timezone": "Asia/Tokyo"}
    stored_floor.registry(sites=[*sites, tokyo], teams=[{"id": "tokyo", "site": "tokyo"}], people=people)

    wait_until(lambda: "Floor manila" in web.get("/").text)

    assert '<span class="dim">Asia/Manila</span>' in web.get("/").text
    pages = ("/", "/alerts", f"/alerts/{transition.alert}", f"/cases/{case}")
    zones = [json.loads(unescape(web.get(page).text.split('data-head="')[1].split('"')[0]))["zone"] for page in pages]
    assert zones == ["Asia/Manila", "Asia/Manila", "Asia/Tokyo", "Asia/Tokyo"]


def test_every_answer_forbids_scripts_and_styles_from_elsewhere(web: TestClient) -> None:
    """Strict policy, also on errors; no inline script or style is in a page."""
    for path in ("/", "/alerts", "/nowhere", "/healthz", "/static/board.js"):
        policy = web.get(path).headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
    assert not re.search(r"<script(?![^>]*src=)|<style| style=| onclick=", web.get("/").text)


def test_a_look_at_a_case_is_logged(web: TestClient, case: str, stored_floor: Any) -> None:
    """Who looked at whose record."""
    web.cookies.set("viewer", "lead-7")

    web.get(f"/cases/{case}")

    rows = stored_floor.client.query("SELECT viewer, subject, page, detail FROM access_log").result_rows
    assert rows == [("lead-7", "agent:a0412", "case", case)]


def test_the_page_of_an_alert_shows_its_evidence_and_its_rule(web: TestClient, transition: Transition) -> None:
    """The contacts, the rule in words, the plot."""
    page = web.get(f"/alerts/{transition.alert}").text

    assert "c-1" in page
    assert "ended within 10 seconds of talk" in page
    assert "31 %" in page


def test_an_alert_that_the_inbox_no_longer_holds_leads_to_its_case(
    web: TestClient, stored_floor: Any, transition: Transition, case: str, wait_until: Wait,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """A case names its alerts for as long as it is kept, and each of them leads back to it."""
    monkeypatch.setattr(record_queries, "MAX_ALERTS", 1)
    over = {"sequence": 2, "state": "resolved", "reason": "cleared"}
    stored_floor.alert(transition.model_copy(update=over))
    stored_floor.alert(transition.model_copy(update={"alert": "a2", "subject": "agent:a0388"}))
    wait_until(lambda: 'id="alert-a2"' in web.get("/alerts").text and case in web.get("/cases").text)

    assert f'id="alert-{transition.alert}"' not in web.get("/alerts").text
    assert f'href="/cases/{case}"' in web.get(f"/alerts/{transition.alert}").text


def test_a_page_is_told_of_what_changes_while_it_is_made(
    web: TestClient, transition: Transition, stored_floor: Any, monkeypatch: pytest.MonkeyPatch, wait_until: Wait
) -> None:
    """Its stamp is that of what it shows: with a newer one, the case of an alert would never appear on its page."""
    shown: list[int] = []

    def overtaken(client: Client, live: Live, *more: Any) -> dict[str, Any] | None:
        context = alert_page(client, live, *more)
        shown.append(live.published.version)
        stored_floor.agent("a0388", "wrap")
        stored_floor.partition()
        wait_until(lambda: version_of(web.get("/").text) > shown[0])
        return context

    monkeypatch.setattr(pages, "alert_page", overtaken)

    assert version_of(web.get(f"/alerts/{transition.alert}").text) == shown[0]


def version_of(page: str) -> int:
    """The version after which a page asks for changes."""
    found = re.search(r'data-stamp="[^"]*-(\d+)"', page)
    assert found is not None
    return int(found[1])


def test_somebody_who_is_erased_is_gone_from_a_web_that_runs(
    web: TestClient, stored_floor: Any, case: str, wait_until: Wait
) -> None:
    """The case with the revision that erases them, the alert with the rows of theirs; nobody has to start it again."""
    store, now = stored_floor.client, datetime.now(UTC)
    wait_until(lambda: case in web.get("/cases").text and "Agent a0412" in web.get("/alerts").text)
    registry = load_registry(store)

    store_registry(store, without(registry.floor, who(store, registry, "a0412", now)), "lead", now)
    wait_until(lambda: case not in web.get("/cases").text)
    sweep(store, {"a0412"})
    wait_until(lambda: "Agent a0412" not in web.get("/alerts").text)

    assert "Agent a0412" not in web.get("/cases").text
    assert web.get(f"/cases/{case}").status_code == 404


def test_a_number_of_no_use_ends_no_page(web: TestClient) -> None:
    """Nor the stream of what changes, which begins anew for an id that is none."""
    stamp = re.findall(r'data-stamp="([^"]+)"', web.get("/").text)[0]
    viewers = Viewers(stamp.rpartition("-")[0], "wall", lambda count: None)

    assert web.get(f"/data-quality?hours={'9' * 5_000}").status_code == 200
    assert viewers.since(stamp) >= 0
    assert [viewers.since(f"{stamp}{odd}") for odd in ("\u00b2", "9" * 5_000, "x")] == [-1, -1, -1]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8321", 200),
        ("192.168.1.7:8321", 200),
        ("[::1]:8321", 200),
        ("web:8321", 200),
        ("Floor.example.com", 200),
        ("evil.example:8321", 421),
        ("floor.example.com.evil.example", 421),
        ("[evil", 421),
    ],
)
def test_the_board_answers_under_its_own_names_only(
    web_settings: Settings, ledger: Any, host: str, status: int
) -> None:
    """Any site may have its name point to this machine; its pages would read and write as the person in front of it."""
    settings = web_settings.model_copy(update={"host_names": "floor.example.com, b.example.com"})
    web = TestClient(create_web(settings, partial(clickhouse_client, settings), ledger))

    assert web.get("/alerts", headers={"host": host}).status_code == status
    assert web.get("/healthz", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("path", ["/alerts/none", "/cases/none", "/nowhere"])
def test_an_unknown_page_says_so(web: TestClient, path: str) -> None:
    """404 with words, in the frame of the site."""
    answer = web.get(path)

    assert answer.status_code == 404
    assert "No such" in answer.text


def test_names_and_ids_are_escaped(web: TestClient, stored_floor: Any, wait_until: Wait) -> None:
    """An id out of a vendor's system is text, never markup."""
    stored_floor.agent("<img src=x>", "ready")
    stored_floor.partition()

    wait_until(lambda: "&lt;img src=x&gt;" in web.get("/").text)

    assert "<img" not in web.get("/").text


def test_metrics_count_pages_and_polls(web: TestClient) -> None:
    """Prometheus sees pages by kind and how long a poll takes."""
    web.get("/alerts")

    text = web.get("/metrics").text

    assert 'floorpulse_web_requests_total{page="alerts",status="200"} 1.0' in text
    assert "floorpulse_web_poll_seconds_count" in text


def test_without_clickhouse_the_page_says_so_and_lives(ledger: Any, wait_until: Wait) -> None:
    """The board stays up, not ready, and says since when."""

    def away() -> Client:
        raise Unavailable("ClickHouse at 127.0.0.1:1 does not answer: refused")

    with TestClient(create_web(Settings(), away, ledger)) as client:
        wait_until(lambda: "ClickHouse does not answer" in client.get("/").text)

        assert client.get("/").status_code == 200
        assert client.get("/readyz").status_code == 503
        assert client.get("/alerts/a1").status_code == 503


def test_an_answer_that_broke_off_does_not_end_the_board(web_settings: Settings, ledger: Any, wait_until: Wait) -> None:
    """Whatever the client of ClickHouse makes of half an answer: the page says so, the log once, and it goes on."""
    broken = Event()
    broken.set()

    def store() -> Client:
        if broken.is_set():
            raise IndexError("list index out of range")
        return clickhouse_client(web_settings)

    with capture_logs() as said, TestClient(create_web(web_settings, store, ledger)) as client:
        wait_until(lambda: "ClickHouse does not answer" in client.get("/").text)
        broken.clear()
        wait_until(lambda: client.get("/readyz").status_code == 200)

        assert "ClickHouse does not answer" not in client.get("/").text
    failed = [(line["log_level"], line["reason"]) for line in said if line.get("what") == "board"]
    assert failed == [("error", "list index out of range")]
