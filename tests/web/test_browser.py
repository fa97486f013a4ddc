"""The pages in a real browser: they change by themselves, stay quiet, fit a phone and ask nobody else."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from floorpulse.embedded.ports import PortClaims
from floorpulse.settings import Settings
from floorpulse.web.actions import case_command
from floorpulse.web.app import create_web
from floorpulse.web.areas import MOST_UNFOLDED
from floorpulse.wiring import clickhouse_client
from schemas.alerts import Transition
from schemas.records import open_command
from schemas.times import from_ms

CHROMIUM = Path("/usr/bin/chromium")
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
         "--disable-sync", "--no-first-run"]  # fmt: skip

UNREACHABLE = """
[...document.querySelectorAll("main *")].filter((part) => part.scrollWidth > part.clientWidth + 1
    && ["auto", "scroll"].includes(getComputedStyle(part).overflowX)
    && !(part.tabIndex === 0 && part.getAttribute("aria-label"))).map((part) => part.outerHTML.slice(0, 80))
"""
"""What can be scrolled sideways, but not by the keyboard, or has no name."""

Wait = Callable[[Callable[[], object]], None]


@pytest.fixture(scope="module")
def browser(is_ci: bool) -> Iterator[Browser]:
    """The system's Chromium; without one these tests skip, in CI they fail."""
    if not CHROMIUM.exists() and not is_ci:
        pytest.skip(f"no {CHROMIUM}: install the system's Chromium to run the browser tests")
    expect.set_options(timeout=20_000)  # a busy machine is no broken page
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield chromium
        chromium.close()


@pytest.fixture
def site(
    web_settings: Settings, stored_floor: Any, ledger: Any, port_claims: PortClaims, wait_until: Wait
) -> Iterator[str]:
    """The web of the stored floor on a port; its address."""
    port = port_claims.claim(28_321)
    app = create_web(web_settings, partial(clickhouse_client, web_settings), ledger)
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_until(lambda: server.started)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(10)


@pytest.fixture
def wrong() -> list[str]:
    """What a page did that it must not; a test takes out what it brings about on purpose."""
    return []


@pytest.fixture
def page(browser: Browser, site: str, wrong: list[str]) -> Iterator[Page]:
    """A page that must end without an error on its console and without a request to another host."""
    context = browser.new_context(base_url=site, viewport={"width": 1280, "height": 900})
    found = context.new_page()
    found.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    found.on("pageerror", lambda error: wrong.append(str(error)))
    found.on("request", lambda request: wrong.append(request.url) if not request.url.startswith(site) else None)
    yield found
    context.close()
    assert wrong == []


def test_the_board_changes_by_itself(page: Page, stored_floor: Any) -> None:
    """A row that the worker stores is on the board without a reload."""
    page.goto("/")
    expect(page.locator("[data-agent=a0388]")).to_contain_text("on contact")

    stored_floor.agent("a0388", "wrap")
    stored_floor.agent("a0777", "ready", team="briar")
    stored_floor.partition()

    expect(page.locator("[data-agent=a0388]")).to_contain_text("wrap")
    expect(page.locator("#team-briar [data-agent=a0777]")).to_contain_text("ready")
    expect(page.locator("#team-briar summary")).to_contain_text("Team Briar")


def test_a_folded_teams_rows_come_when_it_is_opened(page: Page, stored_floor: Any) -> None:
    """They are not on the page before, follow the floor then, and are there at once after a reload."""
    for number in range(MOST_UNFOLDED + 1):
        stored_floor.agent(f"b{number:02}", team="briar")
    stored_floor.partition()
    team = page.locator("#team-briar")
    page.goto("/")
    expect(team).to_contain_text(f"{MOST_UNFOLDED + 1} agents")
    page.reload()  # as of the whole floor: before it was one of few, which begin unfolded
    expect(team.get_by_test_id("agent")).to_have_count(0)

    team.locator("summary").click()
    expect(team.get_by_test_id("agent")).to_have_count(MOST_UNFOLDED + 1)
    stored_floor.agent("b07", "wrap", team="briar")
    stored_floor.partition()
    expect(team.locator("[data-agent=b07]")).to_contain_text("wrap")

    page.reload()
    expect(team.get_by_test_id("agent")).to_have_count(MOST_UNFOLDED + 1)
    stored_floor.agent("b07", "on_contact", team="briar")
    stored_floor.partition()
    expect(team.locator("[data-agent=b07]")).to_contain_text("on contact")


def test_an_agent_is_found_in_a_folded_team(page: Page, stored_floor: Any) -> None:
    """The key, a part of the id, Enter: the team is opened and the row has the focus. Nobody is found by nonsense."""
    for number in range(MOST_UNFOLDED + 1):
        stored_floor.agent(f"b{number:02}", team="briar")
    stored_floor.partition()
    page.goto("/")
    expect(page.locator("#team-briar")).to_contain_text(f"{MOST_UNFOLDED + 1} agents")

    page.keyboard.press("/")
    page.keyboard.type("nobody")
    expect(page.locator("#found")).to_contain_text("Nobody like that")
    page.get_by_label("Find an agent").fill("B31")
    expect(page.locator("#found button")).to_have_text("b31Team Briar, ready")
    page.keyboard.press("Enter")

    row = page.locator("#team-briar [data-agent=b31]")
    expect(row).to_have_class("current")
    expect(row).to_be_in_viewport()
    expect(row.locator("button").first).to_be_focused()
    expect(page.locator("#found")).to_be_hidden()


def test_who_is_found_fits_a_phone(page: Page) -> None:
    """The list stands below its field, wholly on the screen."""
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto("/")
    for agent in ("a0388", "a0412"):
        expect(page.locator(f"[data-agent={agent}]")).to_be_attached()

    page.get_by_label("Find an agent").fill("a0")
    expect(page.locator("#found button")).to_have_count(2)

    box = page.locator("#found").bounding_box()
    assert box is not None
    assert 0 <= box["x"] < box["x"] + box["width"] <= 390


def test_teams_opened_one_right_after_the_other_all_get_their_rows(page: Page, stored_floor: Any) -> None:
    """The second asks anew before the rows of the first have come."""
    for number in range(MOST_UNFOLDED + 1):
        stored_floor.agent(f"b{number:02}", team=("briar", "cedar")[number % 2])
    stored_floor.partition()
    page.goto("/")
    expect(page.locator("#team-cedar")).to_contain_text(f"{MOST_UNFOLDED // 2} agents")
    expect(page.locator("#team-briar")).to_contain_text(f"{MOST_UNFOLDED // 2 + 1} agents")
    page.reload()  # as of the whole floor: before it was one of few, which begin unfolded

    page.route("**/live?*", lambda _: None, times=1)  # a slow connection: no answer before the second click
    with page.expect_request("**/live?*"):
        page.locator("#team-briar summary").click()
    page.locator("#team-cedar summary").click()

    expect(page.locator("#team-cedar").get_by_test_id("agent")).to_have_count(MOST_UNFOLDED // 2)
    expect(page.locator("#team-briar").get_by_test_id("agent")).to_have_count(MOST_UNFOLDED // 2 + 1)


def test_a_connection_that_hangs_is_opened_anew(page: Page, stored_floor: Any) -> None:
    """A page that stands open for days goes on by itself, as it says."""
    page.clock.install()
    page.route("**/live?*", lambda _: None, times=1)
    page.goto("/")
    expect(page.locator("#live-words")).not_to_have_text("no connection")

    page.clock.fast_forward(9_000)
    stored_floor.agent("a0388", "wrap")
    stored_floor.partition()

    expect(page.locator("[data-agent=a0388]")).to_contain_text("wrap")


def test_an_alert_appears_and_is_acknowledged_on_the_board(
    page: Page, stored_floor: Any, fired: Callable[..., Transition]
) -> None:
    """One click, without leaving the board."""
    page.goto("/")
    expect(page.locator("#needs-calm")).to_be_visible()

    stored_floor.alert(fired(stored_floor.now_ms))
    need = page.get_by_test_id("need")
    expect(need).to_contain_text("31 %")
    need.get_by_test_id("acknowledge").click()

    expect(need).to_contain_text("lead has it")
    expect(page).to_have_url(page.url.rstrip("/") + "/")


def test_a_page_that_began_with_an_alert_says_when_nothing_needs_anybody(
    page: Page, stored_floor: Any, fired: Callable[..., Transition]
) -> None:
    """What stands there instead was not on the page before."""
    stored_floor.alert(fired(stored_floor.now_ms))
    page.goto("/")
    expect(page.get_by_test_id("need")).to_have_count(1)
    page.reload()

    stored_floor.alert(fired(stored_floor.now_ms, state="resolved", sequence=2))

    expect(page.get_by_test_id("need")).to_have_count(0)
    expect(page.locator("#needs")).to_contain_text("Nothing needs you right now")


@pytest.fixture
def alert(stored_floor: Any, fired: Callable[..., Transition]) -> Transition:
    """An alert that the store has."""
    transition = fired(stored_floor.now_ms)
    stored_floor.alert(transition)
    return transition


@pytest.fixture
def case(alert: Transition, open_case: Callable[[Transition], str]) -> str:
    """The id of the alert's case."""
    return open_case(alert)


@pytest.fixture
def acknowledge(ledger: Any, alert: Transition, case: str) -> Callable[[], None]:
    """Somebody else's step about the case: it has version 2 then."""
    opened = open_command(alert, alert.opens)
    assert opened is not None
    step = case_command("acknowledge_case", opened.stream, case, "lead2", 1, {})
    return lambda: ledger.send(step)


@pytest.mark.usefixtures("case")
def test_a_case_is_planned_and_closed(page: Page, alert: Transition) -> None:
    """From the alert to its case and to its end, by forms."""
    page.goto(f"/alerts/{alert.alert}")
    page.get_by_test_id("open-case").click()

    page.get_by_test_id("acknowledge-case").click()
    plan = page.get_by_test_id("plan-form")
    plan.get_by_label("Goal").fill("Hear people out")
    plan.get_by_label("Due").fill("2030-01-31")
    plan.get_by_role("button").click()
    expect(page.locator("[aria-current=step]")).to_have_text("planned")  # the page with the plan, not the one before
    page.get_by_test_id("close-summary").click()
    page.get_by_test_id("close-form").get_by_label("Outcome").select_option("improved")
    page.get_by_test_id("close-form").get_by_role("button").click()

    expect(page.get_by_test_id("timeline")).to_contain_text("Case closed")
    expect(page.get_by_test_id("plan-form")).to_have_count(0)


def test_what_somebody_writes_is_not_replaced(page: Page, case: str, acknowledge: Callable[[], None]) -> None:
    """The case changed, its page is on its way: what was chosen meanwhile stays, and the reader is told."""
    page.goto(f"/cases/{case}")

    def write_meanwhile(route: Route) -> None:
        page.get_by_test_id("close-summary").click()
        page.get_by_label("Outcome").select_option("improved")
        route.continue_()

    page.route(f"**/cases/{case}", write_meanwhile)
    acknowledge()

    expect(page.locator("#toast")).to_contain_text("changed meanwhile")
    expect(page.get_by_label("Outcome")).to_have_value("improved")


def test_a_list_that_lags_does_not_take_a_page_back(page: Page, case: str, acknowledge: Callable[[], None]) -> None:
    """The page of version 2 hears of version 1 first: it is not fetched again, nobody is told of a change."""
    acknowledge()
    page.goto("/cases")
    expect(page.locator(f"#case-{case}")).to_be_visible()
    head = json.loads(page.locator("body").get_attribute("data-head") or "")
    late = head | {"pieces": {f"case-{case}": f'<li id="case-{case}" data-version="1">late</li>'}, "orders": {}}
    told = f"event: floor\ndata: {json.dumps(late)}\n\n"
    page.route("**/live?*", lambda route: route.fulfill(content_type="text/event-stream", body=told))
    page.goto(f"/cases/{case}")
    fetched: list[str] = []
    page.on("request", lambda request: fetched.append(request.url) if f"/cases/{case}" in request.url else None)

    expect(page.locator(f"#case-{case}")).to_have_text("late")

    expect(page.get_by_test_id("version")).to_have_text("2")
    assert fetched == []


def test_a_form_stays_open_when_its_case_changes(page: Page, case: str, acknowledge: Callable[[], None]) -> None:
    """The page shows the new version, and the form that the reader opened is open in it."""
    page.goto(f"/cases/{case}")
    page.get_by_test_id("close-summary").click()

    acknowledge()

    expect(page.get_by_test_id("version")).to_have_text("2")
    expect(page.get_by_label("Outcome")).to_be_visible()


def write_plan(page: Page, goal: str) -> None:
    plan = page.get_by_test_id("plan-form")
    plan.get_by_label("Goal").fill(goal)
    plan.get_by_label("Due").fill("2030-01-31")
    plan.get_by_role("button").click()


def test_what_was_sent_and_not_confirmed_is_shown_once_it_is_on_record(
    page: Page, ledger: Any, case: str, acknowledge: Callable[[], None]
) -> None:
    """The page that answered the form goes on by itself, and says no longer that it waits."""
    acknowledge()
    page.goto(f"/cases/{case}")
    ledger.is_behind = True
    write_plan(page, "Hear people out")
    expect(page.get_by_test_id("message")).to_contain_text("not confirmed yet")

    ledger.is_behind = False
    ledger.send(ledger.waiting[0])

    expect(page.get_by_test_id("version")).to_have_text("3")
    expect(page.get_by_test_id("message")).to_have_count(0)


def test_what_was_refused_stays_in_its_form_when_the_case_changes(
    page: Page, ledger: Any, alert: Transition, case: str, acknowledge: Callable[[], None], wrong: list[str]
) -> None:
    """It is on no record: the reader is told of the change, and sends it again or not."""
    page.goto(f"/cases/{case}")
    comment = page.get_by_test_id("comment-form")
    page.locator("summary", has_text="Comment").click()
    comment.get_by_label("Comment").fill("Mine")
    acknowledge()
    expect(page.locator("#toast")).to_contain_text("changed meanwhile")
    comment.get_by_role("button").click()
    expect(page.get_by_test_id("message")).to_contain_text("somebody was quicker")

    ledger.send(case_command("comment_case", alert.subject, case, "lead2", 2, {"text": "Theirs"}))

    expect(page.locator("#toast")).to_contain_text("changed meanwhile")
    expect(comment.get_by_label("Comment")).to_have_value("Mine")
    assert "status of 409" in wrong.pop()  # to Chromium the answer to the form is an error


def test_who_changes_the_name_on_top_keeps_what_is_written(
    page: Page, case: str, acknowledge: Callable[[], None]
) -> None:
    """The plan is in its form still, and is written under the new name."""
    acknowledge()
    page.goto(f"/cases/{case}")
    page.get_by_test_id("plan-form").get_by_label("Goal").fill("Hear people out")

    page.get_by_label("You are").fill("l07")
    page.get_by_label("You are").press("Enter")

    expect(page.locator("#toast")).to_have_text("You are l07 now.")
    expect(page.get_by_test_id("plan-form").get_by_label("Goal")).to_have_value("Hear people out")
    write_plan(page, "Hear people out")
    expect(page.get_by_test_id("timeline")).to_contain_text("Plan written by l07")


def test_a_page_keeps_its_zone(
    page: Page, stored_floor: Any, case: str, acknowledge: Callable[[], None], wait_until: Wait
) -> None:
    """What comes live is in the zone of the page's subject too, though the floor is named after another site."""
    sites = [{"id": site, "timezone": f"Asia/{site.title()}"} for site in ("manila", "tokyo")]
    people = [{"id": "a0412", "teams": [{"team": "aster"}]}]
    stored_floor.registry(sites=sites, teams=[{"id": "aster", "site": "tokyo"}], people=people)
    wait_until(lambda: "Floor manila" in page.request.get("/").text())
    page.goto(f"/cases/{case}")

    acknowledge()
    expect(page.get_by_test_id("version")).to_have_text("2")

    taken_on = page.get_by_test_id("timeline").locator("li", has_text="Case acknowledged").locator("time")
    expect(taken_on).to_have_attribute("title", re.compile("Asia/Tokyo$"))


@pytest.mark.usefixtures("alert")
def test_the_keys_move_through_the_inbox(page: Page) -> None:
    """j to the first alert, o opens it, a acknowledges it, ? shows the keys."""
    page.goto("/alerts")
    expect(page.get_by_test_id("alert")).to_be_visible()
    expect(page.locator("#live-words")).to_contain_text("live")

    page.keyboard.press("j")
    page.keyboard.press("o")
    expect(page.get_by_test_id("evidence")).to_be_visible()
    expect(page.locator("#live-words")).to_contain_text("live")
    page.keyboard.press("a")
    expect(page.locator("#detail")).to_contain_text("lead has it")
    expect(page.locator("#live-words")).to_contain_text("live")  # the page was loaded anew, its keys with it
    page.keyboard.press("?")

    expect(page.get_by_role("dialog")).to_be_visible()


def test_a_key_never_acts_on_another_row_than_the_one_in_focus(
    page: Page, stored_floor: Any, alert: Transition, fired: Callable[..., Transition]
) -> None:
    """With one alert open, a on the row of another one opens that one; pressed there again it acknowledges it."""
    other = fired(stored_floor.now_ms, alert="other", subject="agent:a0388")
    stored_floor.alert(other)
    page.goto(f"/alerts/{alert.alert}")
    row, mine = page.locator(f"#alert-{other.alert} a"), page.locator(f"#alert-{alert.alert}")
    expect(row).to_be_visible()
    row.focus()

    page.keyboard.press("a")
    expect(page).to_have_url(re.compile(f"/alerts/{other.alert}$"))
    expect(page.locator("#live-words")).to_contain_text("live")
    page.keyboard.press("a")

    expect(page.locator("#detail")).to_contain_text("lead has it")
    expect(mine).to_contain_text("nobody has it yet")


@pytest.mark.usefixtures("alert")
def test_a_key_acts_on_the_row_of_what_is_open(page: Page) -> None:
    """The focus in the list is no hindrance where the row is that of the open alert."""
    page.goto("/alerts/a1")
    page.locator("#alert-a1 a").focus()

    page.keyboard.press("a")

    expect(page.locator("#detail")).to_contain_text("lead has it")


def test_the_keys_can_be_closed_each_time(page: Page) -> None:
    """The dialog's button closes it again and again."""
    page.goto("/")
    expect(page.locator("#live-words")).to_contain_text("live")
    close = page.get_by_role("dialog").get_by_role("button")

    for _ in range(2):
        page.keyboard.press("?")
        close.click()
        expect(close).to_be_hidden()


def test_a_number_says_what_it_means_on_focus(page: Page) -> None:
    """Definition and n, by keyboard too; Escape closes it."""
    page.goto("/")
    page.locator("#tile-abandon_rate .num").focus()

    expect(page.get_by_role("tooltip")).to_contain_text("Abandoned divided by offered")
    expect(page.get_by_role("tooltip")).to_contain_text("n 60")
    page.keyboard.press("Escape")
    expect(page.get_by_role("tooltip")).to_be_hidden()


@pytest.mark.parametrize(
    "path", ["/", "/alerts", "/alerts/a1", "/cases", "/data-quality", "/dead-letters", "/dead-letters/file:9"]
)
@pytest.mark.usefixtures("alert")
def test_a_page_fits_a_phone(page: Page, stored_floor: Any, path: str) -> None:
    """390 px wide, no page to scroll sideways; a table that is wider is scrolled by the keyboard too, by its name."""
    row = ["file", -1, 9, "calls.csv:12", "rejected_row", "", b"a row that is long " * 20, from_ms(stored_floor.now_ms)]
    names = ["topic", "partition", "offset", "origin", "reason", "detail", "value", "at"]
    stored_floor.client.insert("dead_letters", [row], column_names=names)
    page.set_viewport_size({"width": 390, "height": 844})

    page.goto(path)
    expect(page.locator("#live-words")).to_contain_text("live")

    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate(UNREACHABLE) == []


@pytest.mark.parametrize("path", ["/", "/alerts/long", "/cases"])
def test_a_long_name_and_many_alerts_fit_a_small_phone(
    page: Page, stored_floor: Any, alert: Transition, path: str
) -> None:
    """360 px wide: a word that no line holds is broken, and the four tabs stay beside each other."""
    name = "Donaudampfschifffahrtselektrizitaetenhauptbetriebswerkbauunterbeamtengesellschaft"
    stored_floor.registry(teams=[{"id": "aster", "name": name}])
    stored_floor.agent(name)
    for alert_id in ("long", *(f"more-{number}" for number in range(10))):
        stored_floor.alert(alert.model_copy(update={"alert": alert_id, "subject": f"agent:{name}"}))
    stored_floor.partition()
    page.set_viewport_size({"width": 360, "height": 800})

    page.goto(path)
    expect(page.locator("#count-alerts")).to_have_text("12")

    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_the_plot_of_an_alert_is_drawn(page: Page, stored_floor: Any, alert: Transition) -> None:
    """The vendored plotting script draws under the strict policy."""
    stored_floor.agent_minute("a0412", stored_floor.now_ms - 600_000, handled=4, short_calls=2)

    page.goto(f"/alerts/{alert.alert}")

    expect(page.locator("[data-plot] canvas")).to_be_visible()
