"""The files of a backup: a folder of gzipped tab-separated rows with a manifest that counts and hashes them."""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from schemas.errors import InputError

MANIFEST = "manifest.json"
FORMAT = 1
CHECKPOINTS = "subjects"
"""The table that says up to where the others are whole: read first, written last."""
PART_BYTES = 32 * 1024 * 1024
"""Rows of about so many bytes go into a file: each is sent to ClickHouse in one request."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Part(_Model):
    """One file of rows."""

    file: str
    rows: int
    sha256: str


class Mark(_Model):
    """Up to where the backup stands for a partition."""

    topic: str
    partition: int
    epoch: int
    boundary: int
    version: int
    clock_ms: int


class Refold(_Model):
    """Minutes of a subject whose panes stood above the mark: they are folded again from the raw events."""

    subject: str
    partition: int
    minutes: list[int]


class Manifest(_Model):
    """What a backup holds."""

    format: int = FORMAT
    made_at: str
    database: str
    clickhouse: str
    marks: list[Mark]
    refolds: list[Refold]
    tables: dict[str, list[Part]]
    topics: dict[str, str]
    """Topic -> the id that Kafka gave it."""
    committed: dict[str, dict[int, int]]
    """Topic -> partition -> next offset, of the topics that are read by commit."""

    def rows(self) -> int:
        """Rows of all tables."""
        return sum(part.rows for parts in self.tables.values() for part in parts)


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """
    A folder to write into that takes the name `target` when the block ends well, and is removed when it does not.

    InputError: the target is there already, or cannot be made.
    """
    if target.exists():
        raise InputError(f"{target}: is there already: name a new folder for the backup")
    unfinished = target.with_name(f".{target.name}.unfinished")
    try:
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        yield unfinished
        _sync(unfinished)
        unfinished.rename(target)
        _sync(target.parent)
    except OSError as error:
        raise InputError(f"{target}: cannot be written: {error.strerror}") from None
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def write_parts(folder: Path, name: str, blocks: Iterable[bytes], columns: int) -> list[Part]:
    """
    Write rows that come with a line of names, `NAME.N.tsv.gz` each of at most about `PART_BYTES`.

    InputError: a row has not as many columns as were asked for, so what came is no whole answer.
    """
    parts: list[Part] = []
    for head, lines in _cut(blocks):
        rows = lines.count(b"\n")
        if (head + lines).count(b"\t") != (rows + 1) * (columns - 1) or not lines.endswith(b"\n"):
            raise InputError(f"{name}: ClickHouse broke off in the middle of its rows: make the backup again")
        file = folder / f"{name}.{len(parts)}.tsv.gz"
        packed = gzip.compress(head + lines, compresslevel=1, mtime=0)
        with file.open("wb") as stream:
            stream.write(packed)
            stream.flush()
            os.fsync(stream.fileno())
        parts.append(Part(file=file.name, rows=rows, sha256=sha256(packed).hexdigest()))
    return parts


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """The last file of a backup."""
    with (folder / MANIFEST).open("w", encoding="utf-8") as stream:
        stream.write(manifest.model_dump_json(indent=1) + "\n")
        stream.flush()
        os.fsync(stream.fileno())


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a backup whose files are all there and as they were written; InputError otherwise."""
    try:
        manifest = Manifest.model_validate_json((folder / MANIFEST).read_bytes())
    except OSError:
        raise InputError(f"{folder}: no backup: expected a folder with {MANIFEST}") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(f"{folder / MANIFEST}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    if manifest.format != FORMAT:
        raise InputError(f"{folder}: expected a backup of format {FORMAT}, found {manifest.format}")
    for part in (part for parts in manifest.tables.values() for part in parts):
        _check(folder / part.file, part.sha256)
    return manifest


def read_part(folder: Path, part: Part) -> tuple[list[str], bytes]:
    """The names of the columns of a part, and its text with them as its first line."""
    text = gzip.decompress((folder / part.file).read_bytes())
    return text[: text.index(b"\n")].decode().split("\t"), text


def _check(file: Path, expected: str) -> None:
    if not file.is_file():
        raise InputError(f"{file}: is missing: the backup is not whole")
    if sha256(file.read_bytes()).hexdigest() != expected:
        raise InputError(f"{file}: is not as it was written: the backup is damaged")


def _cut(blocks: Iterable[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """(line of names, whole lines) of about `PART_BYTES` each; nothing where there are no rows."""
    head, held = b"", bytearray()
    for block in blocks:
        held += block
        if not head and b"\n" in held:
            head = bytes(held[: held.index(b"\n") + 1])
            del held[: len(head)]
        if len(held) > PART_BYTES:
            end = held.rindex(b"\n") + 1
            yield head, bytes(held[:end])
            del held[:end]
    if held:
        yield head, bytes(held)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
