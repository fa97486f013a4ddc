"""The audit of a ledger: each chain by itself, and all of them against heads that were kept elsewhere."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from records.core.chain import broken_at, lost_after
from records.core.heads import Head, HeadList, head_of, key_of
from records.store.base import LedgerStore
from schemas.records import ERASED, RecordEvent, erased_stream

STREAMS_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Break:
    """Where the ledger is not what it was."""

    stream: str
    """Its name; for one that is gone, its digest."""
    sequence: int
    what: str


@dataclass(slots=True)
class Audit:
    """What an audit saw."""

    entries: int = 0
    heads: list[Head] = field(default_factory=list)
    broken: list[Break] = field(default_factory=list)


def audit(
    store: LedgerStore,
    lists: Iterable[HeadList],
    progress: Callable[[int, int], None],
    living: Callable[[], Iterable[str]] = tuple,
) -> Audit:
    """
    Go through every stream; `progress` is told how many are done of how many.

    `living` gives the streams of whom nobody erased, and is asked last: who was erased meanwhile is not among them.
    What an erasure leaves of an entry fits into any chain, so it must not be what is left of these.
    """
    kept: dict[str, list[tuple[str, Head]]] = defaultdict(list)
    for listed in lists:
        for head in listed.heads:
            kept[head.stream].append((listed.at, head))
    seen, names = Audit(), store.streams()
    gone = set(kept) - set(map(key_of, names))
    for start in range(0, len(names), STREAMS_AT_ONCE):
        progress(start, len(names))
        found = store.load(names[start : start + STREAMS_AT_ONCE])
        for entries in filter(None, found.values()):  # one that is empty was erased a moment ago
            _look(entries, kept[key_of(entries[0].stream)], seen)
    progress(len(names), len(names))
    seen.broken += [Break(key, 1, f"gone since {kept[key][0][0]}") for key in sorted(gone)]
    _tell_stripped(seen, names, living())
    return seen


def _tell_stripped(seen: Audit, names: Iterable[str], living: Iterable[str]) -> None:
    stripped = stripped_streams(names, living)
    keys = set(map(key_of, stripped))
    seen.heads = [head for head in seen.heads if head.stream not in keys]
    seen.broken += [Break(stream, 1, "its content was taken away, and nobody erased it") for stream in stripped]


def stripped_streams(names: Iterable[str], living: Iterable[str]) -> list[str]:
    """Those of the living streams of which, by the names of all streams, only what an erasure leaves is there."""
    left = {name for name in names if name.startswith(ERASED)}
    return [stream for stream in living if erased_stream(stream) in left] if left else []


def _look(entries: Sequence[RecordEvent], kept: Iterable[tuple[str, Head]], seen: Audit) -> None:
    seen.entries += len(entries)
    found = next(_breaks(entries, kept), None)
    if found is None:
        seen.heads.append(head_of(entries))
    else:
        seen.broken.append(found)


def _breaks(entries: Sequence[RecordEvent], kept: Iterable[tuple[str, Head]]) -> Iterator[Break]:
    stream = entries[0].stream
    if (at := broken_at(entries)) is not None:
        yield Break(stream, at, "an entry was changed, removed or put in")
    for when, head in kept:
        if (at := lost_after(entries, (head.sequence, head.hash))) is not None:
            yield Break(stream, at, f"not what it was at {when}")
