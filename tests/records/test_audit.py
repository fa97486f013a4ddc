"""An audit finds what was changed in the ledger, with heads that were kept elsewhere also what a chain cannot tell."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import pytest

from records.core.chain import Draft, hash_of, seal
from records.core.heads import Head, head_of, key_of, read_heads, text_of
from records.store.audit import Audit, audit
from records.store.memory import MemoryLedgerStore
from schemas.errors import InputError
from schemas.records import Command, RecordEvent, erased_stream
from schemas.times import to_ms
from tests.records.test_ledger_chain import step

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
KEY = b"a secret kept elsewhere"
A1, A2 = "agent:a1", "agent:a2"


def chain(stream: str, *notes: str) -> list[RecordEvent]:
    """A stream with an entry for each note."""
    entries: list[RecordEvent] = []
    after = (0, "")
    for note in notes:
        command: Command = step("comment_case", text=note).model_copy(update={"stream": stream})
        entries.append(seal(Draft("case_commented", "c1", 1, {"text": note}), command, 0, to_ms(NOON), after))
        after = (entries[-1].sequence, entries[-1].hash)
    return entries


def audited(entries: Iterable[RecordEvent], *kept: str, living: Iterable[str] = ()) -> Audit:
    """What an audit of a ledger with these entries sees, beside lists that were kept."""
    store = MemoryLedgerStore()
    for entry in entries:
        store._streams.setdefault(entry.stream, {})[entry.sequence] = entry
    return audit(store, [read_heads(text, "kept") for text in kept], lambda done, total: None, lambda: living)


def found(entries: Iterable[RecordEvent], *kept: str) -> list[tuple[str, int]]:
    return [(one.stream, one.sequence) for one in audited(entries, *kept).broken]


WHOLE = [*chain(A1, "one", "two", "three"), *chain(A2, "other")]
LIST = text_of(audited(WHOLE).heads, NOON)


def test_a_ledger_that_nobody_touched_holds() -> None:
    """Also when it has grown since the list was made."""
    grown = [*chain(A1, "one", "two", "three", "four"), *chain(A2, "other"), *chain("agent:a3", "new")]

    assert audited(WHOLE, LIST).entries == 4
    assert found(WHOLE, LIST) == found(grown, LIST) == []


def test_a_changed_entry_is_found_without_a_list() -> None:
    """Its content and its hash do not fit; nor do two entries in each other's place, or a gap."""
    one, two, three, other = WHOLE
    changed = two.model_copy(update={"by": "somebody-else"})
    swapped = [one, three.model_copy(update={"sequence": 2}), two.model_copy(update={"sequence": 3}), other]

    assert found([one, changed, three, other]) == [(A1, 2)]
    assert found(swapped) == [(A1, 2)]
    assert found([one, three, other]) == [(A1, 2)]


def test_only_a_list_tells_of_a_tail_that_is_cut_off() -> None:
    """The shorter chain is a good one, and so is a ledger without a whole stream."""
    one, two, _three, other = WHOLE

    assert found([one, two, other]) == found([other]) == []
    assert found([one, two, other], LIST) == [(A1, 3)]
    assert found([other], LIST) == [(key_of(A1), 1)]


def test_only_a_list_tells_of_a_chain_that_was_written_anew() -> None:
    """Whoever may write to the store can hash everything again."""
    anew = [*chain(A1, "one", "forged", "three"), *chain(A2, "other")]

    assert found(anew) == []
    assert found(anew, LIST) == [(A1, 3)]


def test_every_list_counts() -> None:
    """A newer list that was made of the forged ledger does not hide what an older one tells."""
    anew = [*chain(A1, "one", "forged", "three"), *chain(A2, "other")]

    assert found(anew, text_of(audited(anew).heads, NOON), LIST) == [(A1, 3)]


def stripped(entries: Iterable[RecordEvent]) -> list[RecordEvent]:
    """What an erasure leaves of the entries of a stream."""
    return [
        RecordEvent.model_construct(
            stream=erased_stream(entry.stream), sequence=entry.sequence, id="", kind="erased", at=entry.at, by="",
            command="", record="", version=0, body={}, previous=entry.previous, hash=entry.hash,
        )
        for entry in entries
    ]  # fmt: skip


def test_the_entries_of_who_was_erased_still_fit() -> None:
    """They have another stream and no content, and a list with no ids of people finds them again."""
    left = stripped(WHOLE[:3])

    assert A1 not in LIST
    assert found([*left, WHOLE[3]], LIST) == []
    assert found([*left[:2], WHOLE[3]], LIST) == [(erased_stream(A1), 3)]


def test_only_an_erasure_may_take_the_content_away() -> None:
    """The chain and every list fit what is left of a case that somebody hid: that nobody was erased tells of it."""
    hidden = audited([*stripped(WHOLE[:3]), WHOLE[3]], LIST, living=[A1, A2])

    assert [(one.stream, one.sequence) for one in hidden.broken] == [(A1, 1)]
    assert hidden.heads == [head_of([WHOLE[3]])]


def test_a_broken_chain_gives_no_head() -> None:
    """What does not hold today must not be what later days are compared with."""
    one, two, three, other = WHOLE
    forged = two.model_copy(update={"by": "somebody-else"})

    assert audited([one, forged, three, other]).heads == [head_of([other])]
    assert hash_of(forged) != two.hash


def test_a_list_is_read_as_it_was_written() -> None:
    """In the order of the streams, with the time at which it was made, and whether it is signed."""
    heads = [Head("f", 2, "bb"), Head("a", 1, "aa")]

    plain, signed = read_heads(text_of(heads, NOON), "x"), read_heads(text_of(heads, NOON, KEY), "x", KEY)

    assert plain.heads == signed.heads == (heads[1], heads[0])
    assert (plain.at, plain.signed, signed.signed) == ("2026-03-02T12:00:00.000Z", False, True)
    assert read_heads(text_of(heads, NOON, KEY), "x").signed


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: "", "kept: expected a list of heads, found nothing"),
        (lambda text: text.replace('"sequence":1', '"sequence":2', 1), "kept:3: heads, sha256: expected those"),
        (lambda text: text.partition("\n")[2], "kept:2: heads, sha256: expected those"),
        (lambda text: text.rpartition('{"at"')[0], "kept:2: expected an object with at, heads and sha256"),
        (lambda text: text.replace("2026-03-02", "2026-03-01"), "kept:3: hmac_sha256: expected a signature"),
        (lambda text: "not JSON\n" + text, "kept:1: expected an object with stream, sequence and hash"),
        (lambda text: text.replace('"sequence":1', '"sequence":true', 1), "kept:1: expected an object with stream"),
        (lambda text: text.replace('"sequence":1', '"sequence":0', 1), "kept:1: sequence: expected 1 or more, found 0"),
    ],
)  # fmt: skip
def test_a_list_that_was_changed_is_refused(change: Callable[[str], str], message: str) -> None:
    """With the line and what was expected there; the time in the last line is signed too."""
    text = text_of([Head("a", 1, "aa"), Head("b", 1, "bb")], NOON, KEY)

    with pytest.raises(InputError) as refused:
        read_heads(change(text), "kept", KEY)

    assert str(refused.value).startswith(message)


@pytest.mark.parametrize("text", [text_of([], NOON), text_of([], NOON, b"another key than that")])
def test_a_list_without_this_keys_signature_is_refused(text: str) -> None:
    """Whoever changes a list can make its digest anew, but not sign it."""
    with pytest.raises(InputError, match="hmac_sha256"):
        read_heads(text, "kept", KEY)
