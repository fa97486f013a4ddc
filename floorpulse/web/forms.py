"""What the forms of the pages do: commands on alerts and cases, and who you are."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.concurrency import run_in_threadpool

from floorpulse.commands import Outcome
from floorpulse.web import record_queries
from floorpulse.web.actions import DONE_WORDS, alert_command, case_command
from floorpulse.web.case_views import case_view
from floorpulse.web.numbers import number_of
from floorpulse.web.pages import not_found, show_alert, show_case
from floorpulse.web.site import Site, clean_name, cookie_value, local_path, problem, viewer_of, wants_json
from records.store.projection import alert_exists
from schemas.errors import InputError
from schemas.records import Command

YEAR_S = 365 * 86_400
ALERT_STEPS = frozenset({"acknowledge_alert", "snooze_alert", "escalate_alert", "dismiss_alert"})
CASE_STEPS = frozenset({"acknowledge_case", "plan_case", "hold_session", "close_case", "comment_case"})


def form_routes(site: Site) -> APIRouter:
    """What can be done."""
    routes = APIRouter()

    @routes.post("/viewer")
    async def viewer(request: Request) -> Response:
        """Choose who you are."""
        fields = await _fields(request)
        response = RedirectResponse(local_path(fields.get("back", "/")), 303)
        name = clean_name(fields.get("viewer", ""))
        response.set_cookie("viewer", cookie_value(name), max_age=YEAR_S, samesite="lax", httponly=True)
        return response

    @routes.post("/alerts/{alert:path}/{step}")
    async def alert(request: Request, alert: str, step: str) -> Response:
        """A step about an alert."""
        fields = await _fields(request)
        return await run_in_threadpool(_alert_step, site, request, alert, step, fields)

    @routes.post("/cases/{case:path}/{step}")
    async def case(request: Request, case: str, step: str) -> Response:
        """A step about a case."""
        fields = await _fields(request)
        return await run_in_threadpool(_case_step, site, request, case, step, fields)

    return routes


async def _fields(request: Request) -> dict[str, str]:
    async with request.form(max_files=0, max_fields=20) as form:
        return {key: value for key, value in form.items() if isinstance(value, str)}


def _alert_step(site: Site, request: Request, alert: str, step: str, fields: dict[str, str]) -> Response:
    if step not in ALERT_STEPS:
        return _unknown(site, request, "step", step)
    with site.clients.borrow() as client:
        if not alert_exists(client, alert):
            return _unknown(site, request, "alert", alert)
    try:
        command = alert_command(step, alert, viewer_of(request), _version(fields), fields)
    except InputError as error:
        return _shown(site, request, command_page=f"/alerts/{alert}", fields=fields, status=422, text=str(error))
    return _answered(site, request, command, f"/alerts/{alert}", fields)


def _case_step(site: Site, request: Request, case: str, step: str, fields: dict[str, str]) -> Response:
    if step not in CASE_STEPS:
        return _unknown(site, request, "step", step)
    with site.clients.borrow() as client:
        view = case_view(record_queries.ledger(client, [case]))
    if view is None:
        return _unknown(site, request, "case", case)
    try:
        command = case_command(step, view.case.stream, case, viewer_of(request), _version(fields), fields)
    except InputError as error:
        return _shown(site, request, command_page=f"/cases/{case}", fields=fields, status=422, text=str(error))
    return _answered(site, request, command, f"/cases/{case}", fields)


def _unknown(site: Site, request: Request, what: str, id_: str) -> Response:
    """Nothing was saved, as there is nothing of this id: it never was, or went with a person who was erased."""
    if wants_json(request):
        return problem(404, f"Not saved: there is no {what} {id_!r}.")
    return not_found(site, request, what, id_)


def _answered(site: Site, request: Request, command: Command, page: str, fields: dict[str, str]) -> Response:
    outcome = site.commands.send(command)
    if outcome.status == "accepted":
        if wants_json(request):
            return JSONResponse({"message": DONE_WORDS[command.kind]})
        return RedirectResponse(local_path(fields.get("back") or page), 303)
    status = 409 if outcome.status == "refused" else 202
    if outcome.reason == "stale":  # who was told that it changed may go on from the newest version
        fields = fields | {"version": ""}
    return _shown(site, request, command_page=page, fields=fields, status=status, text=_refusal(outcome))


def _refusal(outcome: Outcome) -> str:
    if outcome.status == "pending":
        return "Sent, but not confirmed yet. This page shows it as soon as it is on record."
    if outcome.reason == "stale":
        return f"Not saved: somebody was quicker ({outcome.detail}). Read what changed, then send yours again."
    return f"Not saved: {outcome.detail}."


def _shown(
    site: Site, request: Request, *, command_page: str, fields: dict[str, str], status: int, text: str
) -> Response:
    """
    The page again with what was typed and why it was not saved; a problem document for a script.

    The version that was seen is part of what was typed: what changed since then is not written over unsaid.
    """
    if wants_json(request):
        if status == 202:
            return JSONResponse({"message": text}, status)
        return problem(status, text)
    _, kind, id_ = command_page.split("/", 2)
    extra: dict[str, Any] = {
        "message": {"kind": "info" if status == 202 else "act", "text": text},
        "typed": fields,
        "typed_step": request.url.path.rpartition("/")[2],
    }
    show = show_alert if kind == "alerts" else show_case
    return show(site, request, id_, extra, status)


def _version(fields: dict[str, str]) -> int | None:
    """What was seen; None where the form says none. InputError: it says something else, and is not taken for none."""
    text = fields.get("version", "")
    version = number_of(text)
    if text and version is None:
        raise InputError("Version: expected a number.")
    return version
