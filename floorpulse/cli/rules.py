"""`floorpulse rules`: check a rule file, show the starter pack."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from alerting.load import load_rules
from alerting.rules import Rule, RuleSet
from alerting.starter import STARTER_FILE, starter_pack, starter_text
from floorpulse.cli.exits import guarded
from schemas.errors import ConfigError

_PLAIN_WIDTH = 180


def register(app: typer.Typer) -> None:
    """Add `rules check` and `rules show`."""
    rules = typer.Typer(help="Rules: check a file, try it on past days, apply it.", no_args_is_help=True)
    rules.command("check")(guarded(check))
    rules.command("show")(guarded(show))
    app.add_typer(rules, name="rules")


def join_rules(app: typer.Typer, name: str, command: Callable[..., None]) -> None:
    """Add a command to the group `rules`, which must be there already."""
    group = next(found for found in app.registered_groups if found.name == "rules")
    assert group.typer_instance is not None
    group.typer_instance.command(name)(guarded(command))


def check(file: Annotated[Path, typer.Argument(help="A rule file, YAML.")]) -> None:
    """Check a rule file: nothing but its number of rules, or the line of its first fault and exit code 2."""
    ruleset = load_rules(read_rule_file(file), str(file))
    typer.echo(f"{file}: {len(ruleset.rules)} rules, no fault")


def show() -> None:
    """Show the starter pack as a table, and say where its file is."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=_PLAIN_WIDTH)
    typer.echo(f"starter pack: {starter_pack()}", err=True)
    console.print(_table(load_rules(starter_text(), STARTER_FILE)))


def read_rule_file(file: Path) -> str:
    """The text of a rule file; ConfigError in one line when it cannot be read."""
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ConfigError(f"{file}: not a text in UTF-8: expected a rule file") from None
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from None


def _table(ruleset: RuleSet) -> Table:
    table = Table("rule", "subject", "figure", "window", "when", "for", "n", "severity", "opens", "paired with")
    for rule in ruleset.rules:
        table.add_row(*_row(rule))
    return table


def _row(rule: Rule) -> tuple[str, ...]:
    figure = f"{rule.kpi} ({rule.state})" if rule.state else rule.kpi
    return (
        rule.id,
        rule.subject,
        figure,
        str(rule.window),
        f"{rule.comparison} {rule.threshold:g}",
        f"{rule.for_ms // 1000}s" if rule.for_ms else "",
        str(rule.least_n or ""),
        rule.severity,
        rule.opens,
        rule.pairs_with or "",
    )
