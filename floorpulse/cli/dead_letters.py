"""`floorpulse dead-letters`: what could not be taken, and sending it again once it can."""

from __future__ import annotations

import re
from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from floorpulse.cli.exits import guarded
from floorpulse.cli.output import NO_DATA, Data, Format, FormatOption, Viewer, print_csv, print_json, print_rows
from schemas.errors import InputError
from schemas.telemetry import DEAD_REASONS
from schemas.times import DAY_MS, HOUR_MS, MINUTE_MS, iso, to_ms

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from clickhouse_connect.driver.client import Client

    from floorpulse.settings import Settings
    from sinks.letters import LetterQuery, StoredLetter

_AGES_MS = {"m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS}
_COLUMNS = ("place", "at", "reason", "source", "from", "bytes", "redriven_at", "detail")
_BATCH = 1_000

Reason = Annotated[str, typer.Option("--reason", help=f"One of {', '.join(sorted(DEAD_REASONS))}.")]
Source = Annotated[str, typer.Option("--source", help="The source that the event names, or the name of a file.")]
Topic = Annotated[str, typer.Option("--topic", help="The topic it came from, or `file`.")]
Since = Annotated[str, typer.Option("--since", help="First instant, or an age: 2026-03-01T09:30, 30m, 2h, 3d.")]
Until = Annotated[str, typer.Option("--until", help="Instant, or age, up to and without which.")]
Place = Annotated[str, typer.Argument(metavar="PLACE", help="A letter as `list` names it.")]


def register(app: typer.Typer) -> None:
    """Add `dead-letters list`, `show` and `redrive` to the program."""
    letters = typer.Typer(
        name="dead-letters", no_args_is_help=True, help="Messages that could not be taken: list, show, send again."
    )
    letters.command("list")(guarded(list_letters))
    letters.command("show")(guarded(show_letter))
    letters.command("redrive")(guarded(redrive))
    app.add_typer(letters)


def list_letters(  # noqa: PLR0913, PLR0917  one argument is one option of the command line
    reason: Reason = "",
    source: Source = "",
    topic: Topic = "",
    since: Since = "",
    until: Until = "",
    only_open: Annotated[bool, typer.Option("--open", help="Only those that were not sent again.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="Most letters to list.")] = 100,
    output: FormatOption = Format.TABLE,
    data: Data = NO_DATA,
) -> None:
    """List dead letters, newest first; stderr says how many there are by reason and source."""
    from sinks.letters import count_letters, find_letters

    client, zone = _floor(data)
    query = _query(reason, source, topic, since, until, zone)
    letters = find_letters(client, _with(query, limit=limit, only_open=only_open))
    rows = [_row(letter) for letter in letters]
    print_rows(_COLUMNS, rows, output, right=["bytes"])
    for why, where, who, count, left, newest in count_letters(client, query):
        name = f"{where} {who}".strip()
        typer.echo(f"{count} {why} of {name}, {left} not sent again, the newest of {iso(newest)}", err=True)


def show_letter(place: Place, viewer: Viewer = "", output: FormatOption = Format.TABLE, data: Data = NO_DATA) -> None:
    """
    Show one dead letter whole: where it came from, what was expected, its bytes.

    A look at one that tells of an agent is noted in `access_log`.
    """
    from floorpulse.access import login_name, note_looks
    from floorpulse.clock import now_ms
    from floorpulse.redrive import refusal
    from sinks.letters import LetterQuery, find_letters
    from sinks.registry import load_registry

    client = _floor(data)[0]
    found = find_letters(client, LetterQuery(place=place))
    if not found:
        raise InputError(f"{place}: no such dead letter: expected a place such as floor.events:3:41, as `list` shows")
    note_looks(client, viewer or login_name(), found, load_registry(client), place, now_ms())
    shown = [_whole(letter, refusal(letter, now_ms())) for letter in found]
    if output is Format.JSON:
        print_json(shown)
        return
    if output is Format.CSV:
        print_csv(list(shown[0]), (list(letter.values()) for letter in shown))
        return
    for letter in shown:
        width = max(map(len, letter))
        typer.echo("\n".join(f"{name:{width}}  {value}" for name, value in letter.items()))


def redrive(  # noqa: PLR0913, PLR0917  one argument is one option of the command line
    place: Annotated[str, typer.Argument(metavar="[PLACE]", help="Only this letter, as `list` names it.")] = "",
    reason: Reason = "",
    source: Source = "",
    topic: Topic = "",
    since: Since = "",
    until: Until = "",
    again: Annotated[bool, typer.Option("--again", help="Also those that were sent again before.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be sent; send nothing.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="Most letters of one run.")] = 10_000,
    data: Data = NO_DATA,
) -> None:
    """
    Send dead letters to their topic again, byte for byte.

    Only those that can be taken by now; the others are left out with the reason. An event that was taken before is a
    duplicate and counts nothing, so the same run again is safe.
    """
    from floorpulse.clock import now_ms
    from floorpulse.redrive import sort_out
    from floorpulse.settings import load_settings
    from sinks.letters import find_letters

    client, zone = _floor(data)
    query = _with(_query(reason, source, topic, since, until, zone), place=place, only_open=not again, limit=limit)
    letters = find_letters(client, query)
    if place and not letters:
        raise InputError(f"{place}: no such dead letter that was not sent again yet (--again sends it once more)")
    found = sort_out(letters, now_ms())
    sent = len(found.ready) if dry_run else _send_all(load_settings(data), client, found.ready)
    typer.echo(f"{'would send' if dry_run else 'sent'} {_letters(sent)} again", err=True)
    for why, count in found.left_out.most_common():
        typer.echo(f"left out {count}: {why}", err=True)
    if len(letters) == limit:
        typer.echo(f"there may be more than {_letters(limit)}: run it again, or give --limit", err=True)


def _send_all(settings: Settings, client: Client, letters: list[StoredLetter]) -> int:
    """In batches, each marked once the broker has it."""
    from floorpulse.redrive import send_again
    from floorpulse.wiring import producer
    from sinks.letters import mark_redriven

    if not letters:
        return 0
    with closing(producer(settings)) as sender:
        for first in range(0, len(letters), _BATCH):
            mark_redriven(client, send_again(sender, letters[first : first + _BATCH]))
    return len(letters)


def _floor(data: Any) -> tuple[Client, ZoneInfo]:
    from floorpulse.settings import load_settings
    from floorpulse.wiring import clickhouse_client
    from schemas.registry import DEFAULT_SITE
    from sinks.registry import load_registry

    client = clickhouse_client(load_settings(data))
    return client, load_registry(client).zone(DEFAULT_SITE)


def _query(reason: str, source: str, topic: str, since: str, until: str, zone: ZoneInfo) -> LetterQuery:
    from floorpulse.clock import now_ms
    from sinks.letters import LetterQuery

    if reason and reason not in DEAD_REASONS:
        raise InputError(f"--reason {reason}: expected one of {', '.join(sorted(DEAD_REASONS))}")
    now = now_ms()
    return LetterQuery(
        reason,
        topic,
        source,
        read_moment("--since", since, zone, now) if since else None,
        read_moment("--until", until, zone, now) if until else None,
    )


def _with(query: LetterQuery, **change: Any) -> LetterQuery:
    from dataclasses import replace

    return replace(query, **change)


def read_moment(option: str, text: str, zone: ZoneInfo, now_ms: int) -> int:
    """Epoch ms of an ISO instant (of the zone where it has no offset) or of an age such as 2h; InputError otherwise."""
    if match := re.fullmatch(r"(\d{1,5})([mhd])", text):
        return max(0, now_ms - int(match[1]) * _AGES_MS[match[2]])
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(
            f"{option} {text}: expected an instant such as 2026-03-01T09:30 or an age such as 2h"
        ) from None
    ms = to_ms(at if at.tzinfo else at.replace(tzinfo=zone))
    if not 0 <= ms < 2**32 * 1000:
        raise InputError(f"{option} {text}: expected an instant from 1970 to 2105")
    return ms


def _row(letter: StoredLetter) -> list[Any]:
    sent = letter.redriven_ms
    where = letter.origin or letter.key
    times = (iso(letter.at_ms), iso(sent) if sent else "")
    return [letter.place, times[0], letter.reason, letter.source, where, len(letter.value), times[1], letter.detail]


def _whole(letter: StoredLetter, refused: str) -> dict[str, Any]:
    try:
        value, form = letter.value.decode("utf-8"), "text"
    except UnicodeDecodeError:
        value, form = letter.value.hex(), "hex"
    return {
        "place": letter.place,
        "at": iso(letter.at_ms),
        "reason": letter.reason,
        "detail": letter.detail,
        "source": letter.source,
        "origin": letter.origin,
        "key": letter.key,
        "ingest": letter.ingest,
        "redriven_at": iso(letter.redriven_ms) if letter.redriven_ms else None,
        "redrive": refused or "it can be sent again",
        form: value,
    }


def _letters(count: int) -> str:
    return f"{count} letter{'' if count == 1 else 's'}"
