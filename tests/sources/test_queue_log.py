"""Asterisk's queue_log, verb by verb."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from schemas.errors import InputError
from schemas.events import ContactFlowedOut, ContactHandled, ContactRejected, FloorEvent, StateChanged
from schemas.times import to_ms
from sources.core.parsed import Accepted, Parsed, Rejected, Resolve, Skipped
from sources.core.queue_log import QueueLogParser
from sources.core.queue_log_memory import Memory

DAY = """\
1366720300|NONE|NONE|NONE|QUEUESTART|
1366720310|MANAGER|support|SIP/8007|ADDMEMBER|
1366720330|1366720330.303260|support|NONE|ENTERQUEUE||5551234567|1
1366720340|1366720330.303260|support|SIP/8007|RINGNOANSWER|10000
1366720352|1366720330.303260|support|Alice|CONNECT|22|1366720341.303267|4
1366720652|1366720330.303260|support|Alice|COMPLETECALLER|22|300|1
1366720660|NONE|support|Alice|PAUSE|Lunch
1366720660|NONE|NONE|Alice|PAUSEALL|Lunch
1366720900|1366720900.303270|support|NONE|ENTERQUEUE||5557654321|1
1366720914|1366720900.303270|support|NONE|ABANDON|1|1|14
1366721000|1366720960.303280|support|Alice|BLINDTRANSFER|300|from-internal|12|28|1
1366721100|1366721000.303290|support|Alice|ATTENDEDTRANSFER|BRIDGE|6f0b|9|61|1
"""
CALL = """\
100|c1|q|NONE|ENTERQUEUE||5550|1
110|c1|q|A|CONNECT|10|x|2
170|c1|q|A|COMPLETEAGENT|10|60|1
"""

BASE_S = 1_366_720_000
"""What times of up to three digits count from."""

Parse = Callable[..., list[Parsed]]


def dated(text: str) -> bytes:
    """A log with all times in unix seconds."""
    return re.sub(r"^(\d{1,3})\|", lambda time: f"{BASE_S + int(time[1])}|", text, flags=re.MULTILINE).encode()


@pytest.fixture
def parse(nobody: Resolve) -> Parse:
    """Parses a log, with a fixed wrap where one is given."""

    def run(text: str, wrap_s: int = 0) -> list[Parsed]:
        return list(QueueLogParser(nobody, wrap_s=wrap_s).parse(dated(text).splitlines(keepends=True)))

    return run


def events(parsed: list[Parsed]) -> list[FloorEvent]:
    return [p.event for p in parsed if isinstance(p, Accepted)]


def of(parsed: list[Parsed], kind: type[Any]) -> list[Any]:
    return [event for event in events(parsed) if isinstance(event, kind)]


def states(parsed: list[Parsed]) -> list[tuple[int, str, str, str | None]]:
    return [(to_ms(e.at) // 1000 - BASE_S, e.agent.split(":")[1], e.state, e.reason) for e in of(parsed, StateChanged)]


def test_a_day_of_every_usual_verb(parse: Parse) -> None:
    """The lines of the format's description become these facts and no others."""
    kinds = [e.type for e in events(parse(DAY)) if not isinstance(e, StateChanged)]

    assert kinds == [
        "contact_offered", "contact_rejected", "contact_answered", "contact_accepted", "contact_handled",
        "contact_offered", "contact_abandoned", "contact_handled", "contact_handled",
    ]  # fmt: skip


def test_ring_no_answer_counts_in_milliseconds(parse: Parse) -> None:
    """10000 is ten seconds, where CONNECT's ring time is in seconds."""
    (missed,) = of(parse(DAY), ContactRejected)

    assert missed.rang_s == 10


def test_a_call_that_was_dumped_rang_for_no_known_time(parse: Parse) -> None:
    """AGENTDUMP has no ring time: the contact was not taken all the same."""
    (dumped,) = of(parse("115|c1|q|A|AGENTDUMP|\n"), ContactRejected)

    assert (dumped.contact, dumped.rang_s) == ("c1", 0)


def test_transfers_end_the_leg_and_count_their_fields_from_the_right(parse: Parse) -> None:
    """Blind, attended over a bridge and attended over a link differ in length."""
    link = "200|c9|q|A|ATTENDEDTRANSFER|LINK|ch1|ch2|7|33|1\n"

    transferred = [e for e in of(parse(DAY + link), ContactHandled) if e.transferred]

    assert [(e.waited_s, e.talk_s) for e in transferred] == [(12, 28), (9, 61), (7, 33)]


def test_hold_lies_inside_the_call_time(parse: Parse) -> None:
    """talk_s is the whole call time, hold 0, wrap 0 unless the floor has one."""
    (handled,) = of(parse(CALL), ContactHandled)

    assert (handled.talk_s, handled.hold_s, handled.wrap_s, handled.waited_s) == (60, 0, 0, 10)
    assert to_ms(handled.started_at) // 1000 - BASE_S == 110


def test_a_pause_in_three_queues_is_one_state(parse: Parse) -> None:
    """Each queue writes its line in the same second, after PAUSEALL, which has no reason and another name."""
    log = "100|NONE|NONE|SIP/7|PAUSEALL|\n100|NONE|q1|A|PAUSE|Lunch\n100|NONE|q2|A|PAUSE|Lunch\n"
    back = "900|NONE|NONE|SIP/7|UNPAUSEALL|\n900|NONE|q1|A|UNPAUSE|\n900|NONE|q2|A|UNPAUSE|\n"

    assert states(parse(log + back)) == [(100, "A", "away", "Lunch"), (900, "A", "ready", None)]


@pytest.mark.parametrize(("wrap_s", "after"), [(0, [(300, "offline")]), (20, [(300, "wrap"), (320, "offline")])])
def test_who_logs_out_during_a_call_is_offline_after_it(
    parse: Parse, wrap_s: int, after: list[tuple[int, str]]
) -> None:
    """
    The call goes on, and nobody is ready when it ends.

    log    ADDMEMBER  CONNECT     REMOVEMEMBER  COMPLETECALLER
    state  ready      on_contact                offline
    """
    log = "100|M|q|A|ADDMEMBER|\n115|c|q|A|CONNECT|5|x|2\n200|M|q|A|REMOVEMEMBER|\n300|c|q|A|COMPLETECALLER|5|185|1\n"

    said = [(second, state) for second, _, state, _ in states(parse(log, wrap_s=wrap_s))]

    assert said == [(100, "ready"), (115, "on_contact"), *after]


def test_who_logs_in_again_during_the_call_stays(parse: Parse) -> None:
    """The logout is no longer true when the call ends."""
    log = "115|c|q|A|CONNECT|5|x|2\n200|M|q|A|REMOVEMEMBER|\n210|M|q|A|ADDMEMBER|\n300|c|q|A|COMPLETECALLER|5|185|1\n"

    assert [state for _, _, state, _ in states(parse(log))] == ["on_contact", "ready"]


def test_facts_keep_their_ids_when_the_roster_changes(parse: Parse) -> None:
    """Who an agent is decides whom a fact counts for, not which fact it is: sent again it is a duplicate."""
    lines = dated(DAY).splitlines(keepends=True)

    known = list(QueueLogParser(lambda *_: "a0001").parse(lines))

    assert [e.id for e in events(known)] == [e.id for e in events(parse(DAY))]
    assert {e.agent for e in of(known, StateChanged)} == {"a0001"}


def test_two_names_of_one_person_are_one_agent() -> None:
    """
    Asterisk writes logins by the interface and all else by the member's name, unless it is told otherwise.

    log    ADDMEMBER SIP/7  PAUSE Al  REMOVEMEMBER SIP/7  ADDMEMBER SIP/7  CONNECT Al   COMPLETE Al  PAUSE Al
    state  ready            away      offline             ready            on_contact   ready        away
    """
    log = (
        "100|M|q|SIP/7|ADDMEMBER|\n110|NONE|q|Al|PAUSE|Lunch\n120|M|q|SIP/7|REMOVEMEMBER|\n200|M|q|SIP/7|ADDMEMBER|\n"
        "210|c1|q|Al|CONNECT|5|x|2\n220|c1|q|Al|COMPLETECALLER|5|10|1\n230|NONE|q|Al|PAUSE|Lunch\n"
    )

    parsed = list(QueueLogParser(lambda *_: "a:1").parse(dated(log).splitlines(keepends=True)))

    said = ["ready", "away", "offline", "ready", "on_contact", "ready", "away"]
    assert [s[2] for s in states(parsed)] == said
    assert {e.agent for e in of(parsed, StateChanged)} == {"a:1"}


def test_a_new_reason_while_paused_is_a_new_state(parse: Parse) -> None:
    """No UNPAUSE comes in between."""
    assert states(parse("100|NONE|q|A|PAUSE|Lunch\n160|NONE|q|A|PAUSE|Coaching\n")) == [
        (100, "A", "away", "Lunch"),
        (160, "A", "away", "Coaching"),
    ]


def test_a_state_that_is_entered_twice_in_a_second_is_two_facts(parse: Parse) -> None:
    """With one id the second would be a duplicate, and the agent away until something else happens."""
    found = parse(CALL + "170|NONE|q|A|PAUSE|acw\n170|NONE|q|A|UNPAUSE|\n171|NONE|q|A|PAUSE|acw\n")

    states = [(e.state, e.id.removeprefix(f"A-{BASE_S + 170}")) for e in events(found) if isinstance(e, StateChanged)]
    assert states[1:4] == [("ready", "-ready-"), ("away", "-away-acw"), ("ready", "-ready--2")]
    assert states[4] == ("away", f"A-{BASE_S + 171}-away-acw")


def test_a_pause_during_a_call_begins_after_it(parse: Parse) -> None:
    """The agent is on the contact until it ends."""
    log = CALL.replace("170|", "120|NONE|q|A|PAUSE|Lunch\n170|", 1)

    assert [s[:3] for s in states(parse(log))] == [(110, "A", "on_contact"), (170, "A", "away")]


def test_wrap_ends_by_time_alone(parse: Parse) -> None:
    """Wrap from the end of the call, then ready; the contact is finished when its wrap is."""
    parsed = parse(CALL, wrap_s=30)

    assert [s[:3] for s in states(parsed)] == [(110, "A", "on_contact"), (170, "A", "wrap"), (200, "A", "ready")]
    assert [to_ms(e.at) // 1000 - BASE_S for e in of(parsed, ContactHandled)] == [200]


def test_a_call_in_wrap_takes_its_end_away(parse: Parse) -> None:
    """Who gets the next call while wrapping does not become ready in between."""
    parsed = parse(CALL + "180|c2|q|A|CONNECT|1|x|1\n300|c2|q|A|COMPLETECALLER|1|120|1\n", wrap_s=30)

    assert [s[2] for s in states(parsed)] == ["on_contact", "wrap", "on_contact", "wrap", "ready"]


def test_a_login_to_another_queue_ends_no_wrap(parse: Parse) -> None:
    """
    Only the first login makes ready; the wrap goes on to its own end.

    log    ADDMEMBER q          CONNECT     COMPLETEAGENT  ADDMEMBER q2
    state  ready 90             110         wrap 170                     ready 200
    """
    parsed = parse("90|M|q|A|ADDMEMBER|\n" + CALL + "180|M|q2|A|ADDMEMBER|\n", wrap_s=30)

    assert [s[::2] for s in states(parsed)] == [(90, "ready"), (110, "on_contact"), (170, "wrap"), (200, "ready")]


def test_a_bad_line_takes_no_end_of_a_wrap_away(parse: Parse) -> None:
    """The line is refused; that a wrap ended before it is true all the same."""
    parsed = parse(CALL + "210|c2|q|NONE|ABANDON|x\n", wrap_s=30)

    assert [s[::2] for s in states(parsed)] == [(110, "on_contact"), (170, "wrap"), (200, "ready")]
    assert [type(one) for one in parsed[-2:]] == [Accepted, Rejected]


def test_every_wrap_ends_where_the_log_does(parse: Parse) -> None:
    """Each at its own time, however long after the last line."""
    parsed = parse(CALL + CALL.replace("c1", "c2").replace("|A|", "|B|").replace("170|", "190|"), wrap_s=30)

    assert [s[:3] for s in states(parsed)[-2:]] == [(200, "A", "ready"), (220, "B", "ready")]


@pytest.mark.parametrize(
    ("line", "why", "waited"),
    [
        ("190|c1|q|NONE|EXITWITHTIMEOUT|1|1|90", "timeout", 90),
        ("190|c1|q|NONE|EXITWITHKEY|2|1|1|90", "key", 90),
        ("190|c1|q|NONE|EXITWITHKEY|2|1", "key", 90),
        ("190|c1|q|NONE|EXITEMPTY|1|1|90", "empty", 90),
        ("190|c1|q|NONE|WITHDRAW|1|1|90|by hand", "withdrawn", 90),
        ("190|c1|q|A|SYSCOMPAT|", "other", 90),
    ],
)
def test_leaving_the_queue_otherwise_is_no_abandon(parse: Parse, line: str, why: str, waited: int) -> None:
    """Each verb has its reason; without a wait time it is counted from ENTERQUEUE."""
    (left,) = of(parse(f"100|c1|q|NONE|ENTERQUEUE||5550|1\n{line}\n"), ContactFlowedOut)

    assert (left.why, left.waited_s) == (why, waited)


def test_a_restart_ends_everything_that_is_open(parse: Parse) -> None:
    """Waiting calls flow out, calls in hand are handled, agents are offline."""
    parsed = parse("90|MANAGER|q|B|ADDMEMBER|\n" + CALL[: CALL.index("170|")] + (
        "120|c2|q|NONE|ENTERQUEUE||5551|1\n150|NONE|NONE|NONE|QUEUESTART|\n"
    ))  # fmt: skip

    assert [e.waited_s for e in of(parsed, ContactFlowedOut)] == [30]
    assert [(e.talk_s, e.outcome) for e in of(parsed, ContactHandled)] == [(40, "restart")]
    assert [s[1:3] for s in states(parsed)[-2:]] == [("B", "offline"), ("A", "offline")]


def test_who_is_connected_has_left_the_call_before(parse: Parse) -> None:
    """
    Its end is told late, as after a transfer over a Local channel, or never: the agent goes on all the same.

    log    CONNECT c1   CONNECT c2   COMPLETE c2   PAUSE    UNPAUSE    COMPLETE c1
    state  on_contact                wrap          away     ready
    """
    log = CALL.replace("c1", "c2").replace("110|", "109|c1|q|A|CONNECT|9|x|2\n110|")
    late = "180|NONE|q|A|PAUSE|Lunch\n300|NONE|q|A|UNPAUSE|\n400|c1|q|A|COMPLETECALLER|9|291|1\n"

    parsed = parse(log + late, wrap_s=30)

    said = [(second, state) for second, _, state, _ in states(parsed)]
    assert said == [(109, "on_contact"), (170, "wrap"), (180, "away"), (300, "ready")]
    assert [e.talk_s for e in of(parsed, ContactHandled)] == [60, 291]


def test_a_call_whose_end_was_lost_does_not_last_for_ever(parse: Parse) -> None:
    """The agent of yesterday's call is ready when they come, away when they pause; a restart makes no talk of it."""
    day = 24 * 3600
    next_ = f"{BASE_S + day}|M|q|A|ADDMEMBER|\n{BASE_S + day + 60}|NONE|q|A|PAUSE|Lunch\n"

    parsed = parse(f"110|c1|q|A|CONNECT|10|x|2\n{next_}{BASE_S + day + 90}|NONE|NONE|NONE|QUEUESTART|\n")

    assert [s[2] for s in states(parsed)] == ["on_contact", "ready", "away", "offline"]
    assert of(parsed, ContactHandled) == []


def test_another_agents_call_of_the_same_id_goes_on(parse: Parse) -> None:
    """A call that came to the queue again is in other hands by now, when the end of the first talk is told."""
    log = "100|c1|q|A|CONNECT|1|x|1\n150|c1|q|B|CONNECT|1|x|1\n160|c1|q|A|COMPLETEAGENT|1|60|1\n170|NONE|q|B|PAUSE|x\n"

    assert [s[:3] for s in states(parse(log))] == [
        (100, "A", "on_contact"),
        (150, "B", "on_contact"),
        (160, "A", "ready"),
    ]


def test_who_logs_in_paused_is_away(parse: Parse) -> None:
    """Nobody is ready before the pause ends."""
    log = "100|M|q|A|ADDMEMBER|PAUSED\n160|M|q|A|UNPAUSE|\n"

    assert states(parse(log)) == [(100, "A", "away", None), (160, "A", "ready", None)]


def test_leaving_the_last_queue_is_offline(parse: Parse) -> None:
    """Membership is by queue; the first makes ready, the last offline."""
    log = "".join(f"{t}|MANAGER|{q}|A|{v}|\n" for t, q, v in [
        (1, "q1", "ADDMEMBER"), (2, "q2", "ADDMEMBER"), (3, "q1", "REMOVEMEMBER"), (4, "q2", "REMOVEMEMBER"),
    ])  # fmt: skip

    assert [s[::2] for s in states(parse(log))] == [(1, "ready"), (4, "offline")]


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("x|c|q|A|CONNECT|1|x|1", "time: expected unix seconds, found 'x'"),
        ("1|c|q|A|CONNECT|one|x|1", "holdtime: expected a whole number, found 'one'"),
        ("1|c|q|A|CONNECT|", "holdtime: expected a whole number, found ''"),
        ("1|c|q|NONE|CONNECT|1|x|1", "agent: expected the name of an agent, found 'NONE'"),
        ("1|NONE|q|A|CONNECT|1|x|1", "call: expected the id of a call, found 'NONE'"),
        ("1|c|q", f"row: expected unix seconds|call|queue|agent|verb|data, found '{BASE_S + 1}|c|q'"),
    ],
)
def test_a_bad_line_names_its_field(parse: Parse, line: str, text: str) -> None:
    """It is refused alone; the lines around it stay."""
    parsed = parse(f"{CALL}{line}\n{CALL.replace('c1', 'c2')}")

    assert [(p.line, p.text) for p in parsed if isinstance(p, Rejected)] == [(4, text)]
    assert len(of(parsed, ContactHandled)) == 2


def test_an_unknown_verb_is_left_out(parse: Parse) -> None:
    """Anything may be written by the QueueLog application."""
    parsed = parse(CALL + "180|c1|q|A|HELLO|1\n")

    assert [p.reason for p in parsed if isinstance(p, Skipped)] == ["unknown verb"]


def test_blank_lines_are_no_rows(parse: Parse) -> None:
    """They are neither counted nor refused."""
    assert parse(CALL + "\n \r\n") == parse(CALL)


def test_another_format_is_refused_by_its_first_line(parse: Parse) -> None:
    """One line says what was found and expected."""
    with pytest.raises(InputError, match=r"line 1: expected a queue_log line, .*; found 'a,b'"):
        parse("a,b\n1,2\n")


def test_the_same_file_has_the_same_ids(parse: Parse) -> None:
    """Ids come of the lines alone."""
    assert parse(DAY, wrap_s=20) == parse(DAY, wrap_s=20)
    identities = [(e.id, e.type) for e in events(parse(DAY, wrap_s=20))]
    assert len(identities) == len(set(identities))


def test_a_line_in_other_words_has_another_hash(parse: Parse) -> None:
    """Under the same id it is a conflict; a state, which several lines may say, is the same fact for any of them."""
    told, otherwise = ({p.event.type: p.content for p in parse(log) if isinstance(p, Accepted)} for log in (
        CALL, CALL.replace("|60|", "|59|"),
    ))  # fmt: skip

    assert [kind for kind in told if told[kind] != otherwise[kind]] == ["contact_handled"]


def test_memory_carries_over_a_restart_of_the_reader(parse: Parse, nobody: Resolve) -> None:
    """Saved after any line and loaded again, the rest of the log gives the same facts."""
    lines = dated(DAY + CALL).splitlines(keepends=True)
    whole = events(parse(DAY + CALL))

    for cut in range(len(lines)):
        first, second = QueueLogParser(nobody), QueueLogParser(nobody)
        before = [p for n, raw in enumerate(lines[:cut]) for p in first.feed(n, raw)]
        second.memory = Memory.model_validate_json(first.memory.model_dump_json())
        after = [p for n, raw in enumerate(lines[cut:]) for p in second.feed(n, raw)]
        assert events(before + after) == whole
