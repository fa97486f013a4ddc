"""`floorpulse explain`: how a figure came about, from the raw events, and whether the stored panes agree."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from floorpulse.cli.exits import guarded
from floorpulse.cli.kpi import read_span
from floorpulse.cli.output import NO_DATA, Data, print_json
from floorpulse.cli.query import refusals_in_one_line
from schemas.errors import InputError
from schemas.kpis import KPIS, LIVE_KPIS, SERVICE_LEVEL_VARIANTS, service_level
from schemas.panes import THRESHOLDS_S
from schemas.times import utc_minute
from schemas.view_kpis import VIEW_KPIS

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

    from schemas.kpis import Variant
    from schemas.registry import Registry, ServiceLevelGoal
    from sinks.explain import Formula
    from sinks.retention import Retention
    from sinks.scope import Asked, Kind

DIFFERS = 1
"""Exit code where a stored pane is not as the raw events say."""


class Form(StrEnum):
    """How an explanation is printed."""

    TABLE = "table"
    JSON = "json"


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(guarded(explain))


def explain(  # noqa: PLR0913, PLR0917  one argument is one option of the command line
    kpi: Annotated[str, typer.Argument(metavar="KPI", help="Id of the figure, e.g. aht_s or service_level.")],
    agent: Annotated[str | None, typer.Option(help="Whose figure: the work id of an agent.")] = None,
    queue: Annotated[str | None, typer.Option(help="Whose figure: a queue.")] = None,
    team: Annotated[str | None, typer.Option(help="Whose figure: a team, with its agents of each minute.")] = None,
    since: Annotated[str | None, typer.Option("--from", help="First day or instant, e.g. 2026-03-01T09:30.")] = None,
    until: Annotated[str | None, typer.Option("--to", help="Day or instant up to and without which.")] = None,
    timezone: Annotated[str | None, typer.Option(help="Zone of local times; default: that of site main.")] = None,
    variant: Annotated[str | None, typer.Option(help="service_level: the formula, 1 to 5 or g, gf, gs, ...")] = None,
    threshold: Annotated[int | None, typer.Option(help="T, seconds; default: that of the queue's contract.")] = None,
    short: Annotated[int | None, typer.Option(help="S, seconds of a short abandon; default: as the contract.")] = None,
    limit: Annotated[int, typer.Option(min=0, help="So many facts are listed; 0: all.")] = 20,
    form: Annotated[Form, typer.Option("--format", help="table or json.")] = Form.TABLE,
    data: Data = NO_DATA,
) -> None:
    """
    Show how a figure came about: its definition, its parts, the facts behind it, what does not count and why.

    It is computed again from the raw events, and compared with the stored panes: exit code 1 where they differ. A range
    whose raw events may have expired is refused: `floorpulse kpi` has its figures still.

    Example: floorpulse explain aht_s --agent a0412 --from 2026-03-02 --to 2026-03-03
    """
    from floorpulse.cli.explained import as_json, print_explanation
    from floorpulse.settings import load_settings
    from floorpulse.wiring import clickhouse_client
    from sinks.explain import read_explanation
    from sinks.registry import load_registry

    if kpi in VIEW_KPIS or kpi in LIVE_KPIS:
        _define(kpi, form)
        return
    who = _who(kpi, agent, queue, team)
    settings = load_settings(data)
    client = clickhouse_client(settings)
    with refusals_in_one_line():
        registry = load_registry(client)
        zone = _zone(registry, timezone)
        asked = _asked(who, since, until, zone)
        contract = _contract(registry, who)
        formula = _formula(kpi, registry, _variant(kpi, variant, contract), _limits(threshold, short, contract))
        _check_known(client, asked, registry)
        _check_kept(client, asked, settings.retention())
        explanation = read_explanation(client, asked, formula)
    if form is Form.JSON:
        print_json(as_json(explanation, limit))
    else:
        print_explanation(explanation, zone, limit)
    if explanation.disagreements:
        raise typer.Exit(DIFFERS)


def _check_kept(client: Client, asked: Asked, retention: Retention) -> None:
    """A figure made of what is left of the raw events would be wrong, and look like any other."""
    from sinks.horizon import read_horizon

    horizon = read_horizon(client, retention)
    if horizon.has_lost_any(asked.from_ms, asked.to_ms):
        since = utc_minute(horizon.kept_from_ms)
        raise InputError(f"--from: raw events are kept from {since} on, and figures can be explained from then on only")


def _define(kpi: str, form: Form) -> None:
    """A figure that is no sum of panes: its words, and where to ask for it."""
    found = VIEW_KPIS.get(kpi)
    words = found.words if found else LIVE_KPIS[kpi]
    where = f"the view {found.view}" if found else "the table subjects, as of now"
    if form is Form.JSON:
        print_json({"kpi": kpi, "name": found.name if found else kpi, "words": words, "ask": where})
        return
    typer.echo(f"{found.name if found else kpi} ({kpi})\n{words}\nIt is made from single facts: ask {where}.")


def _who(kpi: str, agent: str | None, queue: str | None, team: str | None) -> tuple[Kind, str]:
    from sinks.scope import COLUMNS

    if kpi not in KPIS:
        raise InputError(f"{kpi}: no such KPI; expected one of {', '.join(sorted({*KPIS, *VIEW_KPIS, *LIVE_KPIS}))}")
    options: dict[Kind, str | None] = {"agent": agent, "queue": queue, "team": team}
    given = [(kind, name) for kind, name in options.items() if name]
    if len(given) != 1:
        raise InputError(f"expected one of --agent, --queue and --team, found {len(given)} of them")
    kind, name = given[0]
    if not KPIS[kpi].columns <= COLUMNS[kind]:
        others = [other for other, columns in COLUMNS.items() if KPIS[kpi].columns <= columns]
        raise InputError(f"--{kind}: {kpi} is not its own; expected {' or '.join(f'--{other}' for other in others)}")
    return kind, name


def _zone(registry: Registry, timezone: str | None) -> ZoneInfo:
    from floorpulse.settings import zone
    from schemas.registry import DEFAULT_SITE

    return zone(timezone) if timezone is not None else registry.zone(DEFAULT_SITE)


def _asked(who: tuple[Kind, str], since: str | None, until: str | None, zone: ZoneInfo) -> Asked:
    from sinks.scope import Asked

    if since is None or until is None:
        raise InputError(f"{'--from' if since is None else '--to'}: expected a day or an instant, found nothing")
    return Asked(*who, *read_span(since, until, zone))


def _contract(registry: Registry, who: tuple[Kind, str]) -> ServiceLevelGoal:
    """The service level of the queue's contract, or the usual one."""
    from schemas.registry import ServiceLevelGoal

    queue = registry.queues.get(who[1]) if who[0] == "queue" else None
    return queue.service_level if queue else ServiceLevelGoal()


def _variant(kpi: str, given: str | None, contract: ServiceLevelGoal) -> Variant:
    if given is None:
        return contract.variant
    if kpi != "service_level":
        raise InputError(f"--variant {given}: only service_level has formulas to choose from, not {kpi}")
    found = next((variant for variant in SERVICE_LEVEL_VARIANTS if str(variant) == given), None)
    if found is None:
        raise InputError(f"--variant {given}: expected one of {', '.join(map(str, SERVICE_LEVEL_VARIANTS))}")
    return found


def _limits(threshold: int | None, short: int | None, contract: ServiceLevelGoal) -> Any:
    from schemas.kpi_terms import Limits

    for option, seconds in (("--threshold", threshold), ("--short", short)):
        if seconds is not None and seconds not in THRESHOLDS_S:
            raise InputError(f"{option} {seconds}: expected one of {', '.join(map(str, THRESHOLDS_S))}")
    return Limits(threshold or contract.threshold_s, short or contract.short_s)


def _formula(kpi: str, registry: Registry, variant: Variant, limits: Any) -> Formula:
    from sinks.explain import Formula

    return Formula(service_level(variant) if kpi == "service_level" else KPIS[kpi], limits, registry)


def _check_known(client: Client, asked: Asked, registry: Registry) -> None:
    """A name that is a slip of the pen must not look like a figure of nothing."""
    from sinks.scope import Owners

    if asked.kind == "team" and asked.id not in registry.teams:
        raise InputError(f"--team {asked.id}: no such team; expected one of {', '.join(sorted(registry.teams))}")
    names = Owners(registry, asked).names or [asked.id]
    subjects = [f"{'queue' if asked.kind == 'queue' else 'agent'}:{name}" for name in names]
    seen = client.query(
        "SELECT count() FROM (SELECT 1 FROM subjects WHERE subject IN {subjects:Array(String)} LIMIT 1)",
        parameters={"subjects": subjects},
    ).result_rows[0][0]
    if not seen and asked.id not in {*registry.people, *registry.queues, *registry.teams}:
        raise InputError(f"--{asked.kind} {asked.id}: nothing was ever counted for it, and the registry has no such id")
