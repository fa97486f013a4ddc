"""`floorpulse kpi`: the KPIs of a range by agent, team, queue, site or client."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from floorpulse.cli.exits import guarded
from floorpulse.cli.kpi_shown import KpiFormat, show, show_definitions
from floorpulse.cli.output import NO_DATA, Data
from floorpulse.cli.query import refusals_in_one_line
from schemas.errors import InputError
from schemas.kpi_terms import DEFAULT_SHORT_S, DEFAULT_THRESHOLD_S, Limits
from schemas.kpis import DEFAULT_VARIANT, KPIS, SERVICE_LEVEL_VARIANTS, Variant
from schemas.panes import THRESHOLDS_S
from schemas.times import DAY_MS, MINUTE_MS, to_ms

if TYPE_CHECKING:
    from sinks.kpi_rows import Question

_STEP_MS = {"m": MINUTE_MS, "h": 60 * MINUTE_MS, "d": DAY_MS}


class GroupName(StrEnum):
    """What a row stands for."""

    AGENT = "agent"
    TEAM = "team"
    QUEUE = "queue"
    SITE = "site"
    CLIENT = "client"


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(guarded(kpi))


def kpi(  # noqa: PLR0913, PLR0917  one argument is one option of the command line
    by: Annotated[GroupName, typer.Option("--by", help="What a row stands for.")],
    since: Annotated[str, typer.Option("--from", help="First day or instant, e.g. 2026-03-01 or 2026-03-01T09:30.")],
    until: Annotated[str, typer.Option("--to", help="Day or instant up to and without which.")],
    step: Annotated[str | None, typer.Option(help="A row each 30m, 1h, 1d, ...: parts of the local day.")] = None,
    only: Annotated[str, typer.Option(help="The id of one agent, team, queue, site or client.")] = "",
    figures: Annotated[str, typer.Option("--kpi", help="KPIs, by comma; `all` for all that fit.")] = "",
    timezone: Annotated[str | None, typer.Option(help="Zone of days and steps; default: that of site main.")] = None,
    variant: Annotated[
        str,
        typer.Option("--service-level-variant", help="Formula of the service level: 1 to 5, g, gf, gs, gfs, ga, gfa."),
    ] = str(DEFAULT_VARIANT),
    threshold: Annotated[int, typer.Option(help="T, threshold of the service level, s.")] = DEFAULT_THRESHOLD_S,
    short: Annotated[int, typer.Option(help="S, limit of a short abandon, s.")] = DEFAULT_SHORT_S,
    output: Annotated[KpiFormat, typer.Option("--format", help="table, json, csv or xlsx.")] = KpiFormat.TABLE,
    file: Annotated[Path | None, typer.Option("--output", "-o", help="File to write: needed for xlsx.")] = None,
    definitions: Annotated[bool, typer.Option("--definitions", help="Print what each figure is too.")] = False,
    data: Data = NO_DATA,
) -> None:
    """
    Print KPIs; shares are fractions of 1, empty where there is nothing to divide by.

    What needs minutes that may have expired is refused: whole quarter hours are kept longer.
    """
    from floorpulse.settings import load_settings, zone
    from floorpulse.wiring import clickhouse_client
    from schemas.registry import DEFAULT_SITE
    from sinks.kept_minutes import refuse_expired_minutes
    from sinks.kpi_rows import read_kpis
    from sinks.registry import load_registry

    if output is KpiFormat.XLSX and file is None:
        raise InputError("--format xlsx: expected --output with the file to write")
    if output is KpiFormat.TABLE and file is not None:
        raise InputError("--output: expected --format json, csv or xlsx, as a table is not written to a file")
    given = zone(timezone) if timezone is not None else None
    level = read_level(variant, threshold, short)
    asked = Asked(by.value, (since, until), step, only, figures)
    ask_kpis(asked, given or ZoneInfo("UTC"), level)
    client = clickhouse_client(load_settings(data))
    with refusals_in_one_line():
        question = ask_kpis(asked, given or load_registry(client).zone(DEFAULT_SITE), level)
        refuse_expired_minutes(client, (question.from_ms, question.to_ms), question.step_s, question.zone)
        rows = read_kpis(client, question)
    show(question, rows, output, file)
    if definitions:
        show_definitions(question)


@dataclass(frozen=True, slots=True)
class Asked:
    """The texts of a question: by what, from and to, step, one id or all, which KPIs."""

    by: str
    span: tuple[str, str]
    step: str | None = None
    only: str = ""
    figures: str = ""


def read_level(variant: str, threshold_s: int, short_s: int) -> tuple[Variant, Limits]:
    """The service level that is meant. InputError in one line."""
    known: dict[str, Variant] = {str(one): one for one in SERVICE_LEVEL_VARIANTS}
    if variant not in known:
        raise InputError(f"--service-level-variant {variant}: expected {', '.join(known)}")
    for option, seconds in (("--threshold", threshold_s), ("--short", short_s)):
        if seconds not in THRESHOLDS_S:
            raise InputError(f"{option} {seconds}: expected one of {', '.join(map(str, THRESHOLDS_S))}")
    return known[variant], Limits(threshold_s, short_s)


def ask_kpis(asked: Asked, zone: ZoneInfo, level: tuple[Variant, Limits]) -> Question:
    """The question of texts. InputError in one line."""
    from sinks.kpi_rows import Question

    from_ms, to_ms_ = read_span(*asked.span, zone)
    step_s = 0 if asked.step is None else read_step(asked.step)
    figures = read_figures(asked.figures, asked.by)
    return Question(asked.by, from_ms, to_ms_, zone, step_s, *level, asked.only, figures)  # type: ignore[arg-type]


def read_figures(text: str, by: str) -> tuple[str, ...]:
    """The KPIs that are meant: the usual ones for none. InputError names one that nobody knows."""
    from sinks.kpi_groups import GROUPS
    from sinks.kpi_rows import FIGURES

    own = GROUPS[by].kpis()  # type: ignore[index]
    if text in {"", "all"}:
        return FIGURES if not text else tuple(own)
    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        if name not in KPIS:
            close = get_close_matches(name, KPIS, n=1)
            raise InputError(
                f"--kpi {name}: unknown{f'; did you mean {close[0]}?' if close else ': see docs/reference/kpis.md'}"
            )
        if name not in own:
            fitting = [kind for kind, group in GROUPS.items() if name in group.kpis()]
            raise InputError(f"--kpi {name}: not a figure of a {by}; ask it by {' or '.join(fitting)}")
    return names


def read_span(since: str, until: str, zone: ZoneInfo) -> tuple[int, int]:
    """Epoch ms of `--from` and `--to`, as `read_instant` reads them. InputError: the second is not after the first."""
    from_ms, until_ms = read_instant("--from", since, zone), read_instant("--to", until, zone)
    if until_ms <= from_ms:
        raise InputError(f"--to {until}: expected an instant after --from {since}")
    return from_ms, until_ms


def read_instant(option: str, text: str, zone: ZoneInfo) -> int:
    """Epoch ms of a date or an ISO instant, in the zone where it has no offset. InputError names the option."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(
            f"{option} {text}: expected a date such as 2026-03-01 or an instant such as 2026-03-01T09:30+08:00"
        ) from None
    ms = to_ms(at if at.tzinfo else at.replace(tzinfo=zone))
    if ms % MINUTE_MS:
        raise InputError(f"{option} {text}: expected a whole minute")
    if not 0 <= ms < 2**32 * 1000:
        raise InputError(f"{option} {text}: expected an instant from 1970 to 2105")
    return ms


def read_step(text: str) -> int:
    """Seconds of a step such as 30m, 1h or 1d. InputError when it does not divide the day."""
    match = re.fullmatch(r"(\d{1,4})([mhd])", text)
    step_ms = int(match[1]) * _STEP_MS[match[2]] if match else 0
    if step_ms == 0 or DAY_MS % step_ms:
        raise InputError(
            f"--step {text}: expected minutes, hours or a day that divide a day, such as 15m, 30m, 1h or 1d"
        )
    return step_ms // 1000
