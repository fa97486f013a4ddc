"""`floorpulse rules apply`: make a rule file hold. Joins the commands of `floorpulse rules`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from floorpulse.cli.output import NO_DATA, Data
from floorpulse.cli.rules import join_rules, read_rule_file


def register(app: typer.Typer) -> None:
    """Add `rules apply` to the program."""
    join_rules(app, "apply", apply)


def apply(
    file: Annotated[Path, typer.Argument(help="A rule file, YAML.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")] = False,
    by: Annotated[str, typer.Option(help="Work id of who applies it.")] = "cli",
    data: Data = NO_DATA,
) -> None:
    """
    Make a file the rules from now on; prints which rules it adds (+), changes (~) and ends (-).

    A file that holds already is told once more to partitions that have not come to it: an apply may have broken off.
    """
    from alerting.load import load_rules
    from floorpulse.cli.registry import say_told_again
    from floorpulse.publish import publish_rules, tell_again
    from floorpulse.settings import load_settings
    from floorpulse.wiring import clickhouse_client
    from sinks.registry import latest_revision, load_rules_text

    text = read_rule_file(file)
    load_rules(text, str(file))
    settings = load_settings(data)
    client = clickhouse_client(settings)
    before = load_rules_text(client)
    for line in rule_changes(before, text):
        typer.echo(line)
    if before == text and not dry_run:
        say_told_again(tell_again(settings, client, "rules"))
    if before == text or dry_run:
        said = "nothing changes" if before == text else "not applied"
        typer.echo(f"{said}: revision {latest_revision(client, 'rules')} holds", err=True)
        return
    typer.echo(f"revision {publish_rules(settings, text, by)} holds", err=True)


def rule_changes(before: str | None, after: str) -> list[str]:
    """What a new rule file adds (+), changes (~) and ends (-), by rule."""
    from alerting.load import load_rules

    old = {rule.id: rule for rule in load_rules(before, "rules.yaml").rules} if before else {}
    new = {rule.id: rule for rule in load_rules(after, "rules.yaml").rules}
    lines = [f"{'~' if rule in old else '+'} {rule}" for rule in new if old.get(rule) != new[rule]]
    return lines + [f"- {rule}" for rule in old if rule not in new]
