"""An explanation as people read it, and as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import typer

from floorpulse.cli.output import print_table
from schemas.events import ContactHandled, StateChanged
from schemas.kpi_terms import DERIVED
from schemas.times import iso

if TYPE_CHECKING:
    from sinks.explain import Excluded, Explanation, Formula, Listed
    from sinks.revised import Correction
    from streams.core.explained import Fact

_PLANNED = "planned"


def as_json(explanation: Explanation, limit: int) -> dict[str, Any]:
    """All of it as JSON values; of facts and of what is excluded the first `limit`, 0: all."""
    kpi, asked, limits = explanation.formula.kpi, explanation.asked, explanation.formula.limits
    top, _ = explanation.parts
    return {
        "kpi": kpi.id, "name": kpi.name, "words": kpi.words, "unit": kpi.unit, "source": kpi.source,
        asked.kind: asked.id, "from": iso(asked.from_ms), "to": iso(asked.to_ms),
        "threshold_s": limits.threshold_s, "short_s": limits.short_s,
        "numerator": {"terms": list(kpi.numerator), "sum": top},
        "denominator": {"terms": list(kpi.denominator), "sum": explanation.n if kpi.denominator else None},
        "n": explanation.n, "value": explanation.value, "judged_from_n": kpi.min_n,
        "terms": {term: explanation.formula.term(term, explanation.sums) for term in explanation.formula.terms},
        "facts": len(explanation.listed),
        "listed": [_listed_json(item) for item in _first(explanation.listed, limit)],
        "excluded": [_excluded_json(item) for item in _first(explanation.excluded, limit)],
        "corrections": [_correction_json(step) for step in _first(explanation.corrections, limit)],
        "duplicates_by_partition": explanation.duplicates,
        "stored": {
            "agree": not explanation.disagreements, "panes": explanation.compared,
            "differences": [
                {"where": d.where, "term": d.term, "expected": d.expected, "found": d.found}
                for d in explanation.disagreements
            ],
        },
    }  # fmt: skip


def print_explanation(explanation: Explanation, zone: ZoneInfo, limit: int) -> None:
    """The definition, the parts, the facts, what does not count, the corrections, and whether the panes agree."""
    _print_head(explanation, zone)
    _print_facts(explanation, zone, limit)
    _print_excluded(explanation, zone, limit)
    _print_corrections(explanation, zone, limit)
    _print_verdict(explanation)


def shown(explanation: Explanation) -> str:
    """The figure as people read it, with its exact value."""
    value, unit = explanation.value, explanation.formula.kpi.unit
    if value is None:
        return "none: there is nothing to divide by"
    if unit == "share":
        return f"{value * 100:.2f} % ({value!r})"
    if unit == "s":
        hours, rest = divmod(round(value), 3600)
        clock = f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"
        return f"{clock} ({value!r} s)"
    return f"{value:,g} ({value!r})" if unit != "count" else f"{round(value):,}"


def expression(formula: Formula, terms: tuple[str, ...]) -> str:
    """The terms as a sum, with the seconds that T and S stand for."""
    limits = formula.limits
    told = [term.replace("=T", f"={limits.threshold_s}s").replace(">T", f">{limits.threshold_s}s") for term in terms]
    told = [term.replace("=S", f"={limits.short_s}s").replace(">S", f">{limits.short_s}s") for term in told]
    return " + ".join(told).replace("+ -", "- ")


def _print_head(explanation: Explanation, zone: ZoneInfo) -> None:
    kpi, asked, formula = explanation.formula.kpi, explanation.asked, explanation.formula
    top, bottom = explanation.parts
    span = f"{_local(asked.from_ms, zone)} to {_local(asked.to_ms, zone)} {zone.key}"
    typer.echo(f"{kpi.name} ({kpi.id}) of {asked.kind} {asked.id}, {span}")
    typer.echo(kpi.words + (f" Source: {kpi.source}." if kpi.source else ""))
    if any(" T" in kpi.words or term.endswith(("T", "S")) for term in formula.terms):
        typer.echo(f"T = {formula.limits.threshold_s} s, S = {formula.limits.short_s} s")
    if any(term.removeprefix("-") in DERIVED for term in formula.terms):
        typer.echo(_codes(formula))
    typer.echo("")
    typer.echo(f"numerator    {expression(formula, kpi.numerator)} = {top:,}{_unit(kpi.numerator)}")
    if kpi.denominator:
        typer.echo(f"denominator  {expression(formula, kpi.denominator)} = {bottom:,}{_unit(kpi.denominator)}")
    few = f", fewer than the {kpi.min_n} from which it is judged" if explanation.n < kpi.min_n else ""
    typer.echo(f"n            {explanation.n:,}{few}")
    typer.echo(f"value        {shown(explanation)}")
    for term in formula.terms:
        words = f"  {DERIVED[term].words}" if term in DERIVED else ""
        typer.echo(f"  {term:<20} {formula.term(term, explanation.sums):>15,}{_unit((term,))}{words}")


def _unit(terms: tuple[str, ...]) -> str:
    return " ms" if all(term.endswith("_ms") for term in terms) else ""


def _codes(formula: Formula) -> str:
    codes, revision = formula.registry.codes, formula.registry.revision
    productive, unpaid = ", ".join(sorted(codes.productive)) or "none", ", ".join(sorted(codes.unpaid)) or "none"
    return f"By registry revision {revision}: productive reasons {productive}; unpaid reasons {unpaid}."


def _print_facts(explanation: Explanation, zone: ZoneInfo, limit: int) -> None:
    facts = _first(explanation.listed, limit)
    typer.echo(_heading("facts behind it", len(explanation.listed), len(facts)))
    if facts:
        columns = ("at", "to", "fact", "what", "of", "source", "id", "revision", "numerator", "denominator", "note")
        print_table(columns, (_fact_row(item, zone) for item in facts), ("revision", "numerator", "denominator"))


def _fact_row(item: Listed, zone: ZoneInfo) -> tuple[str, ...]:
    fact, event = item.fact, item.fact.event
    until = "" if fact.kind == "event" else _local(fact.end_ms, zone)
    kind = event.type if fact.kind == "event" else fact.kind
    return (
        _local(fact.start_ms, zone), until, kind, words_of(fact), item.subject, event.source, event.id,
        str(event.revision), f"{item.top:,}", f"{item.bottom:,}", item.note,
    )  # fmt: skip


def words_of(fact: Fact) -> str:
    """What a fact is about, in few words."""
    event = fact.event
    if fact.kind == _PLANNED:
        return "planned time"
    if isinstance(event, StateChanged):
        return f"{event.state} {event.reason}" if event.reason else event.state
    if isinstance(event, ContactHandled):
        return f"{event.contact}: talk {event.talk_s:g}, hold {event.hold_s:g}, wrap {event.wrap_s:g} s"
    told = next((found for name in ("contact", "ticket", "task") if (found := getattr(event, name, None))), "")
    waited = getattr(event, "waited_s", None)
    return str(told) if waited is None else f"{told}: waited {waited:g} s"


def _print_excluded(explanation: Explanation, zone: ZoneInfo, limit: int) -> None:
    items = _first(explanation.excluded, limit)
    typer.echo(_heading("not counted", len(explanation.excluded), len(items)))
    if items:
        rows = ((item.why, _local(item.at_ms, zone), item.subject, item.source, item.id, item.detail) for item in items)
        print_table(("why", "at", "of", "source", "id", "detail"), rows)
    for partition, count in sorted(explanation.duplicates.items()):
        if count:
            told = f"{count:,} duplicates were dropped since the floor began; they are not kept one by one"
            typer.echo(f"floor.events:{partition}: {told}")


def _print_corrections(explanation: Explanation, zone: ZoneInfo, limit: int) -> None:
    steps = _first(explanation.corrections, limit)
    if not steps:
        return
    typer.echo(_heading("corrections", len(explanation.corrections), len(steps)))
    columns = ("came at", "fact", "source", "id", "revision", "changes", "numerator", "denominator")
    print_table(columns, (_correction_row(step, zone) for step in steps))


def _correction_row(step: Correction, zone: ZoneInfo) -> tuple[str, ...]:
    (top, bottom), (new_top, new_bottom) = step.before, step.after
    return (
        _local(step.at_ms, zone), step.type, step.source, step.id, f"{step.by} replaced {step.replaced}", step.changes,
        f"{top:,} -> {new_top:,}", f"{bottom:,} -> {new_bottom:,}",
    )  # fmt: skip


def _print_verdict(explanation: Explanation) -> None:
    if not explanation.disagreements:
        typer.echo(f"\nstored panes agree: {explanation.compared:,} compared")
        return
    typer.echo(f"\nstored panes differ from the raw events: {len(explanation.disagreements)} sums")
    rows = ((d.where, d.term, f"{d.expected:,}", f"{d.found:,}") for d in explanation.disagreements)
    print_table(("where", "term", "raw events", "stored"), rows, ("raw events", "stored"))
    typer.echo("floorpulse reconcile --repair has the owners fold them again")


def _listed_json(item: Listed) -> dict[str, Any]:
    fact, event = item.fact, item.fact.event
    return {
        "at": iso(fact.start_ms), "to": None if fact.kind == "event" else iso(fact.end_ms), "kind": fact.kind,
        "type": event.type, "what": words_of(fact), "subject": item.subject, "source": event.source, "id": event.id,
        "revision": event.revision, "numerator": item.top, "denominator": item.bottom, "note": item.note,
    }  # fmt: skip


def _excluded_json(item: Excluded) -> dict[str, Any]:
    at = None if item.at_ms is None else iso(item.at_ms)
    return {
        "why": item.why, "at": at, "subject": item.subject, "source": item.source, "id": item.id, "detail": item.detail,
    }  # fmt: skip


def _correction_json(step: Correction) -> dict[str, Any]:
    return {
        "came_at": iso(step.at_ms), "type": step.type, "source": step.source, "id": step.id, "revision": step.by,
        "replaced": step.replaced, "void": step.void, "ingest": step.ingest, "changes": step.changes,
        "numerator": list(step.before[:1] + step.after[:1]), "denominator": list(step.before[1:] + step.after[1:]),
    }  # fmt: skip


def _first(items: list[Any], limit: int) -> list[Any]:
    return items[:limit] if limit else items


def _heading(what: str, count: int, listed: int) -> str:
    return f"\n{what}: {count:,}" + (f" (the first {listed}; --limit 0 lists all)" if listed < count else "")


def _local(ms: int | None, zone: ZoneInfo) -> str:
    if ms is None:
        return ""
    return datetime.fromtimestamp(ms / 1000, zone).isoformat(sep=" ", timespec="milliseconds")[:23].removesuffix(".000")
