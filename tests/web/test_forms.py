"""The forms of the pages: what they keep, what they refuse, and what they say of it."""

from __future__ import annotations

import re
from functools import partial

import pytest
from starlette.testclient import TestClient

from floorpulse.commands import Outcome
from floorpulse.settings import Settings
from floorpulse.web.app import create_web
from floorpulse.wiring import clickhouse_client
from schemas.alerts import Transition
from schemas.errors import Unavailable
from schemas.records import Command
from tests.web.conftest import StoredFloor


def test_a_case_goes_its_way_by_forms(web: TestClient, case: str) -> None:
    """Acknowledge, plan, session, close: each is a step of the ledger by the viewer."""
    steps: list[tuple[str, dict[str, str]]] = [
        ("acknowledge_case", {}),
        ("plan_case", {"goal": "Hear people out", "actions": "listen\nask", "due": "2030-01-31"}),
        ("hold_session", {"shared_notes": "Spoke about two calls", "private_notes": "tired"}),
        ("close_case", {"outcome": "improved"}),
    ]
    for version, (step, fields) in enumerate(steps, start=1):
        answer = web.post(f"/cases/{case}/{step}", data={"version": str(version), **fields})
        assert answer.status_code == 303

    page = web.get(f"/cases/{case}").text
    assert "Hear people out" in page
    assert "improved" in page
    assert "plan-form" not in page


def test_a_stale_version_is_refused_and_what_was_typed_stays(web: TestClient, case: str) -> None:
    """Two leads at once: the second gets 409, the reason in words and the own text back."""
    web.post(f"/cases/{case}/acknowledge_case", data={"version": "1"})

    answer = web.post(f"/cases/{case}/plan_case", data={"version": "1", "goal": "Mine", "due": "2030-01-31"})

    assert answer.status_code == 409
    assert "somebody was quicker" in answer.text
    assert "Mine</textarea>" in answer.text


def test_a_form_without_its_field_names_it(web: TestClient, case: str) -> None:
    """A plan without a day says so and changes nothing."""
    web.post(f"/cases/{case}/acknowledge_case", data={"version": "1"})

    answer = web.post(f"/cases/{case}/plan_case", data={"version": "2", "goal": "Soon", "due": "soon"})

    assert answer.status_code == 422
    assert "Due: expected a date" in answer.text


def version_in(page: str, form: str) -> str:
    """The version that a form of the page is sent with."""
    found = re.search(rf'data-testid="{form}"><input type="hidden" name="version" value="(\d+)"', page)
    assert found is not None
    return found[1]


def test_a_form_that_is_mended_overwrites_nothing_that_came_meanwhile(web: TestClient, case: str) -> None:
    """It keeps the version that its writer saw: refused as stale, and only then it goes on from the newest."""
    plan = f"/cases/{case}/plan_case"
    web.post(f"/cases/{case}/acknowledge_case", data={"version": "1"})
    web.post(plan, data={"version": "2", "goal": "Theirs", "due": "2030-01-31"})

    wrong = web.post(plan, data={"version": "2", "goal": "Mine", "due": "soon"})
    mended = web.post(plan, data={"version": version_in(wrong.text, "plan-form"), "goal": "Mine", "due": "2030-01-31"})
    told = web.post(plan, data={"version": version_in(mended.text, "plan-form"), "goal": "Mine", "due": "2030-01-31"})

    assert (wrong.status_code, mended.status_code, told.status_code) == (422, 409, 303)
    assert "somebody was quicker" in mended.text


@pytest.mark.parametrize("version", ["\u00b2", "one", "-1", "9" * 5_000])
def test_a_version_that_is_no_number_is_not_taken_for_none(
    web: TestClient, transition: Transition, version: str
) -> None:
    """A form without one goes on from whatever is there; one that cannot be read must not."""
    answer = web.post(f"/alerts/{transition.alert}/acknowledge_alert", data={"version": version})

    assert answer.status_code == 422
    assert "Version: expected a number." in answer.text


def test_an_alert_keeps_the_version_that_was_seen(web: TestClient, transition: Transition) -> None:
    """A dismissal without its reason is mended on what its writer saw, though somebody has the alert by now."""
    path = f"/alerts/{transition.alert}"
    web.post(f"{path}/acknowledge_alert", data={"version": "0"})

    answer = web.post(f"{path}/dismiss_alert", data={"version": "0", "reason": ""})

    assert answer.status_code == 422
    assert version_in(answer.text, "dismiss-form") == "0"


def test_an_alert_is_handed_on_with_a_reason(web: TestClient, transition: Transition) -> None:
    """Without one the form stands open; with one the alert goes on needing somebody, and says who did it."""
    path = f"/alerts/{transition.alert}"

    refused = web.post(f"{path}/escalate_alert", data={"version": "0", "reason": ""})
    taken = web.post(f"{path}/escalate_alert", data={"version": "0", "reason": "Third time today"})

    assert refused.status_code == 422
    assert '<details class="more" open><summary class="button">Escalate' in refused.text
    assert taken.status_code == 303
    page = web.get(path).text
    assert "Third time today" in page
    assert "escalated by" in page
    assert "escalate-form" not in page
    assert 'data-testid="acknowledge-alert"' in page


def form_fields(page: str, form: str) -> dict[str, str]:
    """What a browser would send of a form that nobody touched."""
    html = page[page.index(f'data-testid="{form}"') :].partition("</form>")[0]
    inputs: dict[str, str] = dict(re.findall(r'<input[^>]* name="(\w+)"[^>]* value="([^"]*)"', html))
    return inputs | dict(re.findall(r'<textarea name="(\w+)"[^>]*>([^<]*)</textarea>', html))


def test_a_plan_that_is_rewritten_keeps_its_target(web: TestClient, case: str) -> None:
    """The form holds the whole plan: sent as it stands it changes nothing of it."""
    plan = {"goal": "Fewer short calls", "target": "0.1", "actions": "listen", "due": "2030-01-31"}
    web.post(f"/cases/{case}/acknowledge_case", data={"version": "1"})
    web.post(f"/cases/{case}/plan_case", data={"version": "2", **plan})

    fields = form_fields(web.get(f"/cases/{case}").text, "plan-form")
    web.post(f"/cases/{case}/plan_case", data=fields)

    assert fields == {"version": "3", **plan}
    page = web.get(f"/cases/{case}").text
    assert "target 0.1" in page
    assert version_in(page, "plan-form") == "4"


def test_a_target_that_is_no_number_is_named(web: TestClient, case: str) -> None:
    """422 with the field in words."""
    web.post(f"/cases/{case}/acknowledge_case", data={"version": "1"})

    answer = web.post(
        f"/cases/{case}/plan_case", data={"version": "2", "goal": "Soon", "target": "ten", "due": "2030-01-31"}
    )

    assert answer.status_code == 422
    assert "Target: expected a number" in answer.text


def test_an_action_that_is_too_long_is_named(web: TestClient, case: str) -> None:
    """By the field that it stands in, not by its place there."""
    web.post(f"/cases/{case}/acknowledge_case", data={"version": "1"})

    answer = web.post(
        f"/cases/{case}/plan_case", data={"goal": "Soon", "due": "2030-01-31", "actions": "listen\n" + "a" * 501}
    )

    assert answer.status_code == 422
    assert "Actions: expected at most 50 lines of 500 letters" in answer.text


def test_a_script_gets_a_problem_document(web: TestClient, transition: Transition) -> None:
    """RFC 9457 for a command that the ledger refuses."""
    accept = {"accept": "application/json"}
    path = f"/alerts/{transition.alert}/acknowledge_alert"
    assert web.post(path, data={"version": "0"}, headers=accept).status_code == 200

    answer = web.post(path, data={"version": "0"}, headers=accept)

    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(("what", "step"), [("alert", "acknowledge_alert"), ("case", "acknowledge_case")])
def test_a_step_about_what_is_gone_is_told_so_and_not_kept(
    web: TestClient, stored_floor: StoredFloor, what: str, step: str
) -> None:
    """A page may be open of somebody who was erased; a script gets a document, as for all that is not saved."""
    path = f"/{what}s/gone/{step}"

    page, document = web.post(path, data={}), web.post(path, data={}, headers={"accept": "application/json"})

    assert (page.status_code, document.status_code) == (404, 404)
    assert f"No such {what}" in page.text
    assert document.json()["detail"] == f"Not saved: there is no {what} 'gone'."
    assert stored_floor.client.query("SELECT count() FROM record_events").result_rows == [(0,)]


@pytest.mark.parametrize("origin", ["https://elsewhere.example", "null", "http://[elsewhere"])
def test_a_form_of_another_site_is_refused(web: TestClient, transition: Transition, origin: str) -> None:
    """Nobody acknowledges by way of a foreign page."""
    path = f"/alerts/{transition.alert}/acknowledge_alert"

    answer = web.post(path, data={"version": "0"}, headers={"origin": origin})

    assert answer.status_code == 403


def test_a_path_that_leads_elsewhere_is_not_gone_to(web: TestClient) -> None:
    """After a form the page goes back within this site only."""
    answer = web.post("/viewer", data={"viewer": "lead-2", "back": "//elsewhere.example"})

    assert answer.headers["location"] == "/"


def test_a_command_without_an_answer_is_pending(web_settings: Settings, transition: Transition) -> None:
    """202: it is sent, and the page says that it is not confirmed."""

    class Slow:
        def send(self, command: Command) -> Outcome:
            return Outcome("pending", command.id)

    app = create_web(web_settings, partial(clickhouse_client, web_settings), Slow())
    with TestClient(app) as client:
        answer = client.post(f"/alerts/{transition.alert}/acknowledge_alert", data={"version": "0"})

    assert answer.status_code == 202
    assert "not confirmed yet" in answer.text


def test_a_step_that_nobody_takes_is_not_saved_and_says_so(web_settings: Settings, transition: Transition) -> None:
    """503 while Kafka is away: in words for a person, as a problem document for a script."""

    class Away:
        def send(self, command: Command) -> Outcome:
            raise Unavailable("Kafka at 127.0.0.1:1 does not answer")

    app = create_web(web_settings, partial(clickhouse_client, web_settings), Away())
    with TestClient(app) as client:
        path = f"/alerts/{transition.alert}/acknowledge_alert"
        page = client.post(path, data={"version": "0"})
        document = client.post(path, data={"version": "0"}, headers={"accept": "application/json"})

    assert (page.status_code, document.status_code) == (503, 503)
    assert "Kafka at 127.0.0.1:1 does not answer" in page.text
    assert document.json()["detail"].startswith("Not saved")
