"""The commands on records: `cases list|show|acknowledge|plan|hold|close|comment`, `alerts list|acknowledge|...`."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from floorpulse.cli.exits import guarded
from floorpulse.cli.output import Viewer, print_table
from schemas.errors import InputError, Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clickhouse_connect.driver.client import Client

    from records.store.projection import AlertRow, CaseFile, CaseRow

Data = Annotated[Path, typer.Option("--data", help="Data folder of the floor.")]
Id = Annotated[str, typer.Argument(help="Id as `list` shows it.")]
Person = Annotated[str, typer.Option("--as", help="Work id of the person who does it.")]
Seen = Annotated[int | None, typer.Option("--expected-version", help="Refuse if the record is at another version.")]
HERE = Path(".floorpulse")


class ListFormat(StrEnum):
    """How rows are printed."""

    TABLE = "table"
    JSON = "json"


class OutcomeName(StrEnum):
    """How a case ended."""

    IMPROVED = "improved"
    NOT_IMPROVED = "not_improved"
    NOT_NEEDED = "not_needed"
    OTHER = "other"


class CaseStateName(StrEnum):
    """Where a case stands; open: not closed."""

    OPEN = "open"
    PROPOSED = "proposed"
    ACKNOWLEDGED = "acknowledged"
    PLANNED = "planned"
    SESSION_HELD = "session_held"
    CLOSED = "closed"


class AlertStateName(StrEnum):
    """Where an alert stands; open: firing and not dismissed."""

    OPEN = "open"
    FIRING = "firing"
    RESOLVED = "resolved"


Format = Annotated[ListFormat, typer.Option("--format", help="table or json.")]
Agent = Annotated[str, typer.Option("--agent", help="Only of this agent.")]
Team = Annotated[str, typer.Option("--team", help="Only of this team.")]
CaseState = Annotated[CaseStateName | None, typer.Option("--state", help="Only in this state; open: not closed.")]
AlertState = Annotated[
    AlertStateName | None, typer.Option("--state", help="Only in this state; open: firing and not dismissed.")
]
Limit = Annotated[int, typer.Option("--limit", min=1, max=10_000, help="Most rows to show.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    cases = typer.Typer(name="cases", no_args_is_help=True, help="Coaching cases, notes, recognitions, needs.")
    cases.command("list")(guarded(list_cases))
    cases.command("show")(guarded(show_case))
    cases.command("acknowledge")(guarded(acknowledge_case))
    cases.command("plan")(guarded(plan_case))
    cases.command("hold")(guarded(hold_session))
    cases.command("close")(guarded(close_case))
    cases.command("comment")(guarded(comment_case))
    alerts = typer.Typer(name="alerts", no_args_is_help=True, help="Alerts and what people did about them.")
    alerts.command("list")(guarded(list_alerts))
    alerts.command("acknowledge")(guarded(acknowledge_alert))
    alerts.command("snooze")(guarded(snooze_alert))
    alerts.command("escalate")(guarded(escalate_alert))
    alerts.command("dismiss")(guarded(dismiss_alert))
    app.add_typer(cases)
    app.add_typer(alerts)


def list_cases(
    agent: Agent = "",
    team: Team = "",
    state: CaseState = None,
    output: Format = ListFormat.TABLE,
    limit: Limit = 200,
    data: Data = HERE,
) -> None:
    """List cases, last changed first."""
    from records.store.projection import Filter, cases

    rows = cases(_client(data), Filter(f"agent:{agent}" if agent else "", team, state.value if state else "", limit))
    _print_rows(rows, output, ("id", "kind", "subject", "kpi", "state", "owner", "due", "alerts", "opened_at"))


def show_case(record: Id, viewer: Viewer = "", output: Format = ListFormat.TABLE, data: Data = HERE) -> None:
    """Show a case: what opened it, its plan, and who did what; the look is noted in `access_log`."""
    from floorpulse.access import login_name, note_look
    from floorpulse.clock import now_ms

    client = _client(data)
    found = _case(client, record)
    note_look(client, viewer or login_name(), found.case.stream, "case", record, now_ms())
    if output is ListFormat.JSON:
        entries = [entry.model_dump(mode="json") for entry in found.entries]
        typer.echo(json.dumps({**asdict(found.case), "entries": entries}, indent=2))
    else:
        _print_case(found)


def acknowledge_case(record: Id, person: Person, seen: Seen = None, data: Data = HERE) -> None:
    """Take a proposed case on."""
    _change_case(data, "acknowledge_case", record, person, seen, {})


def plan_case(  # noqa: PLR0913, PLR0917  one argument is one option of the command line
    record: Id,
    person: Person,
    goal: Annotated[str, typer.Option("--goal", help="What shall be reached, in words.")],
    due: Annotated[str, typer.Option("--due", help="The day it is due, YYYY-MM-DD.")],
    action: Annotated[list[str] | None, typer.Option("--action", help="What is done for it; may be repeated.")] = None,
    target: Annotated[float | None, typer.Option("--target", help="The goal as a value of the case's KPI.")] = None,
    seen: Seen = None,
    data: Data = HERE,
) -> None:
    """Write or rewrite the plan of a case."""
    body = {"goal": goal, "due": due, "actions": action or [], "target": target}
    _change_case(data, "plan_case", record, person, seen, body)


def hold_session(
    record: Id,
    person: Person,
    notes: Annotated[str, typer.Option("--notes", help="Notes that the agent sees.")],
    private: Annotated[str, typer.Option("--private-notes", help="Notes that the agent does not see here.")] = "",
    rating: Annotated[int | None, typer.Option("--rating", min=1, max=5, help="How useful it was.")] = None,
    seen: Seen = None,
    data: Data = HERE,
) -> None:
    """Note a session that was held."""
    body = {"shared_notes": notes, "private_notes": private, "rating": rating}
    _change_case(data, "hold_session", record, person, seen, body)


def close_case(
    record: Id,
    person: Person,
    outcome: Annotated[OutcomeName, typer.Option("--outcome", help="How it ended.")],
    note: Annotated[str, typer.Option("--note", help="Why.")] = "",
    seen: Seen = None,
    data: Data = HERE,
) -> None:
    """Close a case with its outcome."""
    _change_case(data, "close_case", record, person, seen, {"outcome": outcome.value, "note": note})


def comment_case(
    record: Id,
    person: Person,
    text: Annotated[str, typer.Option("--text", help="What is to be said.")],
    seen: Seen = None,
    data: Data = HERE,
) -> None:
    """Say something about a case."""
    _change_case(data, "comment_case", record, person, seen, {"text": text})


def list_alerts(
    agent: Agent = "",
    team: Team = "",
    state: AlertState = None,
    output: Format = ListFormat.TABLE,
    limit: Limit = 200,
    data: Data = HERE,
) -> None:
    """List alerts, last changed first."""
    from records.store.projection import Filter, alerts

    rows = alerts(_client(data), Filter(f"agent:{agent}" if agent else "", team, state.value if state else "", limit))
    _print_rows(rows, output, ("id", "state", "rule", "subject", "value", "n", "threshold", "handling", "case"))


def acknowledge_alert(alert: Id, person: Person, seen: Seen = None, data: Data = HERE) -> None:
    """Say that somebody looks after an alert."""
    _change_alert(data, "acknowledge_alert", alert, person, seen, {})


def snooze_alert(
    alert: Id,
    person: Person,
    until: Annotated[str, typer.Option("--until", help="Until when, ISO 8601 with offset.")],
    seen: Seen = None,
    data: Data = HERE,
) -> None:
    """Keep an alert quiet for a while."""
    _change_alert(data, "snooze_alert", alert, person, seen, {"until": until})


def escalate_alert(
    alert: Id,
    person: Person,
    reason: Annotated[str, typer.Option("--reason", help="Why the floor manager has to look after it.")],
    seen: Seen = None,
    data: Data = HERE,
) -> None:
    """Hand an alert on to the floor manager, who is told of it."""
    _change_alert(data, "escalate_alert", alert, person, seen, {"reason": reason})


def dismiss_alert(
    alert: Id,
    person: Person,
    reason: Annotated[str, typer.Option("--reason", help="Why it is none.")],
    seen: Seen = None,
    data: Data = HERE,
) -> None:
    """Say that an alert is none."""
    _change_alert(data, "dismiss_alert", alert, person, seen, {"reason": reason})


def _client(data: Path) -> Client:
    from floorpulse.settings import load_settings
    from floorpulse.wiring import clickhouse_client

    return clickhouse_client(load_settings(data))


def _case(client: Client, record: str) -> CaseFile:
    from records.store.projection import case

    found = case(client, record)
    if found is None:
        raise InputError(f"no case {record}: see `floorpulse cases list`")
    return found


def _change_case(data: Path, kind: str, record: str, person: str, seen: int | None, body: dict[str, Any]) -> None:
    stream = _case(_client(data), record).case.stream
    fields = {"stream": stream, "record": record, "by": person, "expected_version": seen, "body": body}
    _send(data, {"kind": kind, **fields})


def _change_alert(data: Path, kind: str, alert: str, person: str, seen: int | None, body: dict[str, Any]) -> None:
    from records.store.projection import alert_exists

    if not alert_exists(_client(data), alert):
        raise InputError(f"no alert {alert}: see `floorpulse alerts list`")
    fields = {"stream": f"alert:{alert}", "by": person, "expected_version": seen, "body": body}
    _send(data, {"kind": kind, **fields})


def _send(data: Path, fields: dict[str, Any]) -> None:
    """Send a command and print what became of it; InputError: a field is no good; Refused: the ledger says no."""
    from floorpulse.commands import new_command_id, send_command
    from floorpulse.settings import load_settings
    from schemas.errors import InvalidEvent
    from schemas.records import decode_command

    try:
        command = decode_command(json.dumps({"id": new_command_id(), **fields}).encode())
    except InvalidEvent as error:
        raise InputError(error.detail) from None
    outcome = send_command(load_settings(data), command)
    if outcome.status == "refused":
        raise Refused(outcome.reason, outcome.detail)
    for event in outcome.events:
        typer.echo(f"{event.kind} {event.record} version {event.version}")
    if outcome.status == "pending":
        typer.echo(f"pending: command {outcome.command} is sent and not decided yet", err=True)


def _print_rows(rows: Sequence[CaseRow | AlertRow], output: ListFormat, columns: tuple[str, ...]) -> None:
    if output is ListFormat.JSON:
        typer.echo(json.dumps([asdict(row) for row in rows], default=_text, indent=2))
        return
    print_table(columns, ([_text(getattr(row, column)) for column in columns] for row in rows), whole=("id",))


def _print_case(found: CaseFile) -> None:
    case = found.case
    typer.echo(f"{case.kind} {case.id}: {case.stream}, {case.kpi}, {case.state}, version {case.version}")
    typer.echo(f"owner {case.owner or '-'}, due {(case.plan or {}).get('due', '-')}, outcome {case.outcome or '-'}")
    for alert in found.alerts:
        typer.echo(
            f"evidence: {alert['rule']} {alert['value']} against {alert['threshold']} over {alert['window']}, "
            f"n {alert['n']}, {len(alert['evidence'])} contacts"
        )
    for entry in found.entries:
        words = {key: value for key, value in entry.body.items() if key != "transition" and value not in (None, "", [])}
        typer.echo(f"{_text(entry.at)}  {entry.kind:18} {entry.by:16} {json.dumps(words, ensure_ascii=False)}")


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return "-" if value is None else str(value)
