"""`floorpulse audit`: prove that nobody changed the ledger, by heads of its chains that were kept elsewhere."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from floorpulse.cli.exits import guarded
from floorpulse.cli.output import NO_DATA, Data, Format, FormatOption, print_rows, progress_bar
from schemas.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from records.core.heads import HeadList
    from records.store.audit import Audit

_COLUMNS = ("stream", "sequence", "what")
_LEAST_KEY = 16
"""Bytes; whoever can guess the key can sign."""

Key = Annotated[
    Path | None, typer.Option("--key", metavar="FILE", help="A file with a secret of 16 bytes or more, kept elsewhere.")
]


def register(app: typer.Typer) -> None:
    """Add `audit heads` and `audit verify` to the program."""
    nouns = typer.Typer(name="audit", no_args_is_help=True, help="Prove that the ledger of cases is what it was.")
    nouns.command("heads")(guarded(heads))
    nouns.command("verify")(guarded(verify))
    app.add_typer(nouns)


def heads(
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="A new file; else stdout.")] = None,
    key: Key = None,
    data: Data = NO_DATA,
) -> None:
    """
    List the head of each chain of the ledger, signed where a key is given.

    Keep the list where nobody who can write to ClickHouse can change it: `audit verify` compares with it. It holds
    digests, no ids of people. Where a chain does not hold, nothing is listed and the exit code is 1.

    Example: floorpulse audit heads --key audit.key --out heads-2026-03-02.jsonl
    """
    from floorpulse.clock import utc_now
    from records.core.heads import text_of

    if out is not None and out.exists():
        raise InputError(f"{out}: exists already: expected the name of a new file")
    secret = _secret(key)
    seen = _audit(data, ())
    if seen.broken:
        _print(seen, Format.TABLE)
        raise typer.Exit(1)
    text = text_of(seen.heads, utc_now(), secret)
    if out is None:
        sys.stdout.write(text)
    else:
        _write(out, text)


def verify(
    files: Annotated[list[Path] | None, typer.Argument(metavar="[LIST]...", help="Lists made by `heads`.")] = None,
    key: Key = None,
    output: FormatOption = Format.TABLE,
    data: Data = NO_DATA,
) -> None:
    """
    Go through every chain of the ledger, and compare with lists of heads that were kept.

    Without a list it tells of entries that were changed, removed or put in, and of those that lost their content though
    nobody was erased; only with one of entries that are gone at the end of a chain and of chains that were written
    anew. With --key each list must be signed with it.
    Prints what does not hold; exit code 1 when there is anything.

    Example: floorpulse audit verify heads-2026-03-0*.jsonl --key audit.key
    """
    secret = _secret(key)
    lists = [_kept(file, secret) for file in files or ()]
    if not secret and any(listed.signed for listed in lists):
        typer.echo("signatures were not checked: give the key with --key", err=True)
    seen = _audit(data, lists)
    _print(seen, output)
    if seen.broken:
        raise typer.Exit(1)


def _audit(data: Path, lists: Iterable[HeadList]) -> Audit:
    from contextlib import closing

    from floorpulse.settings import load_settings
    from floorpulse.wiring import clickhouse_client
    from records.store.audit import audit
    from records.store.clickhouse import ClickHouseLedgerStore
    from records.store.erasing import living_streams
    from sinks.erasure import keys_of
    from sinks.registry import load_registry

    with closing(clickhouse_client(load_settings(data))) as client, progress_bar("chains") as progress:
        seen = audit(
            ClickHouseLedgerStore(client),
            lists,
            progress,
            lambda: living_streams(client, keys_of(load_registry(client).erased)),
        )
    chains = len(seen.heads) + len(seen.broken)
    typer.echo(f"{chains} chains, {seen.entries} entries: {len(seen.broken)} do not hold", err=True)
    return seen


def _print(seen: Audit, output: Format) -> None:
    rows = [(found.stream, found.sequence, found.what) for found in seen.broken]
    if rows or output is not Format.TABLE:
        print_rows(_COLUMNS, rows, output, right=["sequence"])


def _kept(file: Path, key: bytes) -> HeadList:
    from records.core.heads import read_heads

    try:
        return read_heads(_bytes(file).decode(), str(file), key)
    except UnicodeDecodeError:
        raise InputError(f"{file}: expected a list of heads in UTF-8") from None


def _secret(file: Path | None) -> bytes:
    if file is None:
        return b""
    secret = _bytes(file).strip()
    if len(secret) < _LEAST_KEY:
        raise InputError(f"{file}: expected a secret of {_LEAST_KEY} bytes or more, found {len(secret)}")
    return secret


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from None


def _write(file: Path, text: str) -> None:
    try:
        with file.open("x", encoding="utf-8") as new:
            new.write(text)
    except OSError as error:
        raise InputError(f"{file}: cannot be written: {error.strerror}") from None
