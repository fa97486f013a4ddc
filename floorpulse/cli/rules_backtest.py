"""`floorpulse rules backtest`: what a rule file would have told. Joins the commands of `floorpulse rules`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from floorpulse.cli.output import NO_DATA, Data, Format, FormatOption, print_rows, progress_bar
from floorpulse.cli.rules import join_rules, read_rule_file
from schemas.errors import InputError

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

    from alerting.backtest import Span
    from alerting.rules import RuleSet
    from floorpulse.backtest import Backtest
    from floorpulse.settings import Settings
    from schemas.registry import Registry

DAYS = 7
COLUMNS = (
    "rule", "alerts", "a_day", "most_a_day", "most_to_a_team_a_day", "subjects", "brief", "median_min", "lasting",
    "told_then",
)  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add `rules backtest` to the program."""
    join_rules(app, "backtest", backtest)


def backtest(
    file: Annotated[Path, typer.Argument(help="A rule file, YAML.")],
    since: Annotated[str, typer.Option("--from", help="First day or instant; default: seven days before --to.")] = "",
    until: Annotated[str, typer.Option("--to", help="Day or instant up to and without which; default: today.")] = "",
    only: Annotated[list[str] | None, typer.Option("--rule", help="Only this rule; may be given again.")] = None,
    output: FormatOption = Format.TABLE,
    data: Data = NO_DATA,
) -> None:
    """
    Go through days that are over and count what a rule file would have told. Sends nothing, changes nothing.

    Raw events are folded again, as they count now and in order of their time, with the roster of now. `brief` is over
    within two minutes, `lasting` not over at the end; `told_then` is what the rules that held then told.

    Example: floorpulse rules backtest rules.yaml --from 2026-03-02 --to 2026-03-09 --rule wrap-time-60m
    """
    from alerting.load import load_rules
    from floorpulse.backtest import backtest as go_through
    from floorpulse.clock import now_ms
    from floorpulse.settings import load_settings
    from floorpulse.wiring import clickhouse_client
    from sinks.registry import load_registry

    rules = _chosen(load_rules(read_rule_file(file), str(file)), only or [])
    settings = load_settings(data)
    client = clickhouse_client(settings)
    now = now_ms()
    registry = load_registry(client)
    span = _span(registry, since, until, now)
    _refuse_expired(client, settings, span, rules)
    with progress_bar("facts") as progress:
        found = go_through(client, rules, registry, span, now, progress)
    _print(found, span, output)


def _chosen(rules: RuleSet, only: list[str]) -> RuleSet:
    """The rules that are asked for. InputError names one that the file does not have."""
    for wanted in only:
        if rules.rule(wanted) is None:
            raise InputError(f"--rule {wanted}: not in the file: expected {', '.join(rule.id for rule in rules.rules)}")
    chosen = [rule for rule in rules.rules if rule.id in only] if only else rules.rules
    return rules.model_copy(update={"rules": tuple(chosen)})


def _span(registry: Registry, since: str, until: str, now: int) -> Span:
    from datetime import timedelta

    from alerting.backtest import Span
    from floorpulse.cli.kpi import read_instant, read_span
    from schemas.registry import DEFAULT_SITE
    from schemas.times import day_of, minute_of

    zone = registry.zone(DEFAULT_SITE)
    until = until or day_of(now, zone).isoformat()
    since = since or (day_of(read_instant("--to", until, zone), zone) - timedelta(days=DAYS)).isoformat()
    from_ms, to_ms = read_span(since, until, zone)
    if minute_of(to_ms) > minute_of(now):
        raise InputError(f"--to {until}: expected an instant that has passed")
    return Span(from_ms, to_ms, registry.zone)


def _refuse_expired(client: Client, settings: Settings, span: Span, rules: RuleSet) -> None:
    """InputError where raw events of the span may have expired; a word on stderr where such before it may have."""
    from floorpulse.backtest import lead_ms
    from schemas.times import utc_minute
    from sinks.horizon import read_horizon

    horizon = read_horizon(client, settings.retention())
    if horizon.has_lost_any(span.from_ms, span.to_ms):
        raise InputError(f"raw events are kept from {utc_minute(horizon.kept_from_ms)} on: expected --from after it")
    if horizon.has_lost_any(span.from_ms - lead_ms(rules), span.from_ms):
        kept = utc_minute(horizon.kept_from_ms)
        typer.echo(f"raw events are kept from {kept} on: rules that look back further find less", err=True)


def _print(found: Backtest, span: Span, output: Format) -> None:
    rows = [
        (
            tally.rule,
            tally.alerts,
            round(tally.alerts / span.days, 1),
            tally.most_a_day,
            tally.most_to_a_team,
            tally.subjects,
            tally.brief,
            None if tally.median_s is None else round(tally.median_s / 60, 1),
            tally.lasting,
            found.told[tally.rule],
        )
        for tally in found.tallies
    ]
    print_rows(COLUMNS, rows, output, COLUMNS[1:])
    alerts = sum(tally.alerts for tally in found.tallies)
    said = f"{alerts} alerts in {span.days:.1f} days, {alerts / span.days:.1f} a day"
    typer.echo(f"{said}; the rules that held then told {found.told.total()}", err=True)
