"""`floorpulse kpi`: the KPIs of a range by agent, team, queue, site or client."""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from floorpulse.cli.exits import guarded
from floorpulse.cli.output import NO_DATA, Data, Format, FormatOption, print_csv, print_json, print_table
from floorpulse.cli.query import refusals_in_one_line
from schemas.errors import InputError
from schemas.kpis import DEFAULT_THRESHOLD_S, DEFAULT_VARIANT, KPIS, SERVICE_LEVEL_VARIANTS
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
    timezone: Annotated[str | None, typer.Option(help="Zone of days and steps; default: that of site main.")] = None,
    variant: Annotated[
        int, typer.Option("--service-level-variant", help="Formula of the service level, 1 to 5.")
    ] = DEFAULT_VARIANT,
    threshold: Annotated[int, typer.Option(help="Threshold of the service level, s.")] = DEFAULT_THRESHOLD_S,
    output: FormatOption = Format.TABLE,
    data: Data = NO_DATA,
) -> None:
    """Print KPIs; shares are fractions of 1, empty where there is nothing to divide by."""
    from floorpulse.settings import load_settings, zone
    from floorpulse.wiring import clickhouse_client
    from schemas.registry import DEFAULT_SITE
    from sinks.kpi_rows import read_kpis
    from sinks.registry import load_registry

    given = zone(timezone) if timezone is not None else None
    ask_kpis(by.value, (since, until), step, given or ZoneInfo("UTC"), (variant, threshold))
    client = clickhouse_client(load_settings(data))
    with refusals_in_one_line():
        local = given or load_registry(client).zone(DEFAULT_SITE)
        rows = read_kpis(client, ask_kpis(by.value, (since, until), step, local, (variant, threshold)))
    _print(rows, by.value, output)


def ask_kpis(
    by: str, span: tuple[str, str], step: str | None, zone: ZoneInfo, service_level: tuple[int, int]
) -> Question:
    """The question of texts; `service_level` is variant and threshold. InputError in one line."""
    from sinks.kpi_rows import Question

    variant, threshold_s = service_level
    if variant not in SERVICE_LEVEL_VARIANTS:
        raise InputError(f"--service-level-variant {variant}: expected 1 to {len(SERVICE_LEVEL_VARIANTS)}")
    if threshold_s not in THRESHOLDS_S:
        raise InputError(f"--threshold {threshold_s}: expected one of {', '.join(map(str, THRESHOLDS_S))}")
    from_ms, to_ms_ = read_instant("--from", span[0], zone), read_instant("--to", span[1], zone)
    if to_ms_ <= from_ms:
        raise InputError(f"--to {span[1]}: expected an instant after --from {span[0]}")
    step_s = 0 if step is None else read_step(step)
    return Question(by, from_ms, to_ms_, zone, step_s, variant, threshold_s)  # type: ignore[arg-type]


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


def as_people_read(name: str, value: Any) -> str:
    """A figure as in a table: 3:25 for seconds, 56.1 % for shares, empty for none."""
    if value is None:
        return ""
    if KPIS[name].unit == "share":
        return f"{value * 100:.1f} %"
    if KPIS[name].unit != "s":
        return f"{value:,}"
    seconds = round(value)
    hours, rest = divmod(seconds, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"


def _print(rows: list[dict[str, Any]], by: str, output: Format) -> None:
    from sinks.kpi_rows import FIGURES, RATIOS

    if output is Format.JSON:
        print_json(rows)
        return
    head = (by, "from", "to", *FIGURES)
    if output is Format.CSV:
        values = [[row[key] for key in head] + [row["n"][name] for name in RATIOS] for row in rows]
        print_csv((*head, *(f"n_{name}" for name in RATIOS)), values)
        return
    shown = [[row[by], row["from"][:16], row["to"][:16], *(as_people_read(k, row[k]) for k in FIGURES)] for row in rows]
    print_table((by, "from", "to", *(KPIS[name].name for name in FIGURES)), shown, [KPIS[k].name for k in FIGURES])
