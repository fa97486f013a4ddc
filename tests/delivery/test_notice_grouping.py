"""When notices become a message, what is told once, and what is too late."""

from __future__ import annotations

from dataclasses import replace

from floorpulse.delivery.grouping import Grouping
from floorpulse.delivery.messages import LATEST_MS, NOTICES_PER_MESSAGE, Mark, Message, Notice, message_of

START_MS = 1_772_452_800_000


def notice(key: str, at_ms: int = START_MS) -> Notice:
    return Notice(key, at_ms, "alert_firing", "t1", "main", "agent:a1", f"text {key}")


def due(grouping: Grouping, now_ms: int) -> list[Message]:
    return grouping.due(now_ms, lambda receiver: True)


def keys(messages: list[Message]) -> list[list[str]]:
    return [[str(one["id"]) for one in message.notices] for message in messages]


def waiting(*found: str, now_ms: int = START_MS) -> Grouping:
    grouping = Grouping()
    for offset, key in enumerate(found):
        grouping.add("lead", notice(key), ("floor.alerts", 0, offset), now_ms)
    return grouping


def test_notices_within_five_seconds_are_one_message() -> None:
    """Not before the five seconds are over."""
    grouping = waiting("a", "b")

    assert due(grouping, START_MS + 4_999) == []
    assert keys(due(grouping, START_MS + 5_000)) == [["a", "b"]]
    assert due(grouping, START_MS + 5_001) == []


def test_each_receiver_has_messages_of_its_own() -> None:
    """The same notice for two receivers has two message ids."""
    grouping = waiting("a")
    grouping.add("manager", notice("a"), ("floor.alerts", 0, 0), START_MS)

    first, second = due(grouping, START_MS + 5_000)

    assert (first.receiver, second.receiver) == ("lead", "manager")
    assert first.id != second.id


def test_the_message_id_is_the_same_wherever_it_is_made() -> None:
    """P4: it depends on receiver, first notice and instant only, not on the order of reading."""
    one = message_of("lead", [notice("a"), notice("b")])
    other = message_of("lead", [notice("b"), notice("a")])

    assert one == other
    assert one.id == "97f0f4e4f73a804c4a17"


def test_what_waits_is_not_told_once_its_person_is_erased() -> None:
    """The rest of the message goes out; where nothing is left nothing does."""
    grouping = waiting("a")
    grouping.add("lead", replace(notice("b"), subject="agent:gone"), ("floor.alerts", 0, 1), START_MS)
    grouping.add("manager", replace(notice("b"), subject="agent:gone"), ("floor.alerts", 0, 1), START_MS)

    grouping.forget({"agent:gone"})

    assert keys(due(grouping, START_MS + 5_000)) == [["a"]]


def test_the_title_names_the_first_and_counts_the_rest() -> None:
    """One line, however many notices there are."""
    titles = [message_of("lead", [notice(key) for key in told]).title for told in ("a", "abc")]

    assert titles == ["text a", "text a (and 2 more)"]


def test_what_comes_after_a_message_waits_five_seconds_of_its_own() -> None:
    """
    Each message takes all of five seconds along, so nobody gets two within them.

    seconds   0   5      5.1   5.2     10.1
              a   [a]    b     -       [b]
    """
    grouping = waiting("a")
    due(grouping, START_MS + 5_000)

    grouping.add("lead", notice("b", START_MS + 5_100), ("floor.alerts", 0, 1), START_MS + 5_100)

    assert due(grouping, START_MS + 5_200) == []
    assert keys(due(grouping, START_MS + 10_100)) == [["b"]]


def test_a_notice_read_twice_is_told_once() -> None:
    """Whether its message still waits or has gone."""
    grouping = waiting("a", "a")

    assert keys(due(grouping, START_MS + 5_000)) == [["a"]]
    grouping.add("lead", notice("a"), ("floor.alerts", 0, 0), START_MS + 6_000)
    assert due(grouping, START_MS + 20_000) == []


def test_more_than_fifteen_minutes_behind_is_not_told() -> None:
    """It stands in the inbox; a message about it would help nobody."""
    grouping = waiting("old", now_ms=START_MS + LATEST_MS + 1)

    assert due(grouping, START_MS + LATEST_MS + 60_000) == []
    assert grouping.unclaimed() == {}


def test_what_waits_for_a_busy_receiver_joins_its_next_message() -> None:
    """And is forgotten once it is too late, so that nothing piles up."""
    grouping = waiting("a")
    assert grouping.due(START_MS + 5_000, lambda receiver: False) == []

    grouping.add("lead", notice("b", START_MS + 60_000), ("floor.alerts", 0, 9), START_MS + 60_000)

    assert keys(due(grouping, START_MS + 61_000)) == [["a", "b"]]


def test_a_receiver_that_stays_busy_is_told_nothing_old() -> None:
    """After fifteen minutes only the newer notice is left."""
    grouping = waiting("a")
    grouping.add("lead", notice("b", START_MS + 60_000), ("floor.alerts", 0, 9), START_MS + 60_000)

    assert keys(due(grouping, START_MS + LATEST_MS + 1)) == [["b"]]


def test_a_flood_is_cut_into_messages_that_receivers_accept() -> None:
    """Standard Webhooks asks for bodies under 20 kB."""
    grouping = waiting(*(f"{index:03}" for index in range(NOTICES_PER_MESSAGE + 1)))

    first, second = due(grouping, START_MS + 5_000), due(grouping, START_MS + 5_000)

    assert [len(message.notices) for message in first + second] == [NOTICES_PER_MESSAGE, 1]
    assert len(first[0].payload()) < 20_000


def test_reading_starts_again_at_the_lowest_offset_that_waits() -> None:
    """What is claimed is out of the way, what waits is not."""
    grouping = waiting("a", "b")
    assert grouping.unclaimed() == {("floor.alerts", 0): 0}

    due(grouping, START_MS + 5_000)

    assert grouping.unclaimed() == {}


def test_a_restart_sends_again_what_was_claimed_and_nothing_that_was_sent() -> None:
    """The same message with the same id and content; what it holds is not told by another one."""
    claimed, sent = message_of("lead", [notice("a"), notice("b")]), message_of("lead", [notice("c")])
    marks = [Mark(state="claimed", message=claimed), Mark(state="sent", message=sent)]
    grouping = Grouping()

    assert grouping.restore(marks, START_MS + 1_000) == [claimed]
    for key in "abcd":
        grouping.add("lead", notice(key), ("floor.alerts", 0, 0), START_MS + 1_000)

    assert keys(due(grouping, START_MS + 9_000)) == [["d"]]


def test_an_old_claim_is_not_sent_again() -> None:
    """A process that was down for an hour does not send what nobody needs."""
    mark = Mark(state="claimed", message=message_of("lead", [notice("a")]))

    assert Grouping().restore([mark], START_MS + LATEST_MS + 1) == []


def test_an_old_claim_with_something_younger_is_sent_again_whole() -> None:
    """P4: what is told in it is told by no other message, so the younger notice would be lost with the older one."""
    claimed = message_of("lead", [notice("old"), notice("young", START_MS + LATEST_MS - 60_000)])
    grouping, now_ms = Grouping(), START_MS + LATEST_MS + 1

    assert grouping.restore([Mark(state="claimed", message=claimed)], now_ms) == [claimed]
    grouping.add("lead", notice("young", START_MS + LATEST_MS - 60_000), ("floor.alerts", 0, 1), now_ms)
    assert due(grouping, now_ms + 5_000) == []


def test_what_a_message_told_is_known_for_as_long_as_it_can_be_read_again() -> None:
    """Counted from its own instant: the young notice is not told twice when that of the old one is forgotten."""
    young_ms = START_MS + LATEST_MS + 60_000
    sent = message_of("lead", [notice("old"), notice("young", young_ms)])
    grouping = Grouping()
    grouping.restore([Mark(state="sent", message=sent)], young_ms)

    due(grouping, START_MS + 2 * LATEST_MS + 1)
    grouping.add("lead", notice("young", young_ms), ("floor.alerts", 0, 1), START_MS + 2 * LATEST_MS + 1)

    assert due(grouping, START_MS + 2 * LATEST_MS + 10_000) == []


def test_what_grew_too_late_behind_a_slow_receiver_is_counted() -> None:
    """Nobody is told of it any more, so the log has to say that there was something."""
    grouping = waiting("a", "b")

    assert grouping.due(START_MS + LATEST_MS, lambda receiver: False) == []
    assert grouping.take_dropped() == 0
    assert grouping.due(START_MS + LATEST_MS + 1, lambda receiver: False) == []
    assert (grouping.take_dropped(), grouping.take_dropped()) == (2, 0)
