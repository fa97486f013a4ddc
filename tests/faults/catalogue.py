"""Every fault of the matrix, what must hold then, and which tests prove it. `docs/run/faults.md` is made of this."""

from __future__ import annotations

from dataclasses import dataclass

from tests.faults.harness.runs import CONTROLS

CRASHES = "tests/faults/test_crash_points.py::test_killed_at_every_point"
_STORE = "tests/faults/test_store_faults.py::"
_WORKERS = "tests/faults/test_workers.py::"
_POISON = "tests/faults/test_poison.py::"
_RULES = "tests/faults/test_rules_and_people.py::"
_COURIERS = "tests/delivery/test_couriers.py::"
_GATEWAY = "tests/sources/test_gateway.py::"
BROKER = "tests/faults/test_broker_faults.py::test_the_broker_is_killed_and_comes_back"
NEGATIVE = "tests/faults/test_negative_controls.py::test_a_planted_bug_is_found"


@dataclass(frozen=True, slots=True)
class Row:
    """A fault: what is done to the floor, what must hold, where that is proved, and what is not shown here."""

    id: str
    fault: str
    must: str
    proof: tuple[str, ...]
    limit: str = ""


ROWS: tuple[Row, ...] = (
    Row(
        "F1", "kill -9 of the worker between any two steps", "it goes on from its checkpoint",
        (CRASHES, _WORKERS + "test_a_worker_dies_as_an_alert_is_stored"),
    ),
    Row(
        "F2", "three workers stopped and started in turn", "they end with 0, no alert flaps",
        (_WORKERS + "test_a_rolling_restart_of_three_workers",),
    ),
    Row(
        "F3", "a bug of our own: the fold raises on an event",
        "the worker ends with 70 and acknowledges nothing; the mended one takes everything",
        (_POISON + "test_a_bug_in_the_fold_stops_the_worker_and_loses_nothing",
         "tests/streams/test_flushing.py::test_without_the_brokers_word_nothing_is_written"),
    ),
    Row(
        "F4", "the broker is killed and comes back",
        "202 only for what it has, 503 else; what is sent again counts once", (BROKER,),
        "One broker: a change of leader cannot be had.",
    ),
    Row(
        "F5", "the broker is away for minutes", "the gateway says 503 and when to come again, the floor waits",
        (BROKER, _GATEWAY + "test_without_acknowledgement_the_answer_is_503",
         _GATEWAY + "test_a_broker_that_hangs_is_not_waited_for"),
        "The gateway keeps nothing itself.",
    ),
    Row(
        "F6", "ClickHouse is killed for ten minutes; away for longer than the buffer holds",
        "alerts as fast as before, memory stays; then reading pauses; everything is there afterwards",
        (
            _STORE + "test_alerts_go_on_while_the_store_is_away",
            _STORE + "test_a_full_buffer_pauses_reading",
            _WORKERS + "test_partitions_are_taken_over_while_the_store_is_away",
        ),
    ),
    Row(
        "F7", "the answer of an insert that was done is lost", "the same flush again, no double rows",
        (_STORE + "test_an_insert_goes_wrong",),
    ),
    Row(
        "F8", "too many parts, memory limit", "the same flush again, no dead letters of it, the worker lives",
        (_STORE + "test_an_insert_goes_wrong",),
    ),
    Row(
        "F9", "the disk is full", "an insert that finds no room is tried again; a floor without room does not start",
        (_STORE + "test_an_insert_goes_wrong", _STORE + "test_a_disk_that_is_full",
         "tests/embedded/test_store_limits.py::test_a_full_disk_is_the_engines_code",
         "tests/embedded/test_floor.py::test_a_full_disk_is_refused_at_the_start"),
        "The worker keeps nothing on disk. The disk of Kafka is not filled.",
    ),
    Row(
        "F10", "poison of every kind among good events",
        "each in the dead letters byte for byte, every good one counted",
        (_POISON + "test_one_bad_message_never_blocks_the_good",
         _POISON + "test_the_largest_message_a_broker_takes_becomes_a_letter"),
    ),
    Row(
        "F11", "everything comes again; other content under the same id",
        "counted once; the other content is a dead letter", (NEGATIVE, CRASHES),
    ),
    Row(
        "F12", "ten minutes of disorder, facts that are hours late", "every pane is corrected",
        ("tests/faults/test_lost_state.py::test_disorder_changes_nothing", CRASHES),
    ),
    Row(
        "F13", "clocks an hour ahead or behind, at senders and at the worker",
        "what is ahead is a dead letter `future` and moves nobody's time; the rest counts where it belongs",
        (_WORKERS + "test_clocks_that_are_wrong", _POISON + "test_one_bad_message_never_blocks_the_good",
         "tests/sinks/test_kpi_views.py::test_a_day_of_23_hours"),
    ),
    Row(
        "F14", "workers join and are killed again and again", "work goes on, every alert has one id",
        (_WORKERS + "test_workers_come_and_go_all_the_time",),
    ),
    Row(
        "F15", "a receiver hangs, fails, says 429", "the others are told in time",
        ("tests/faults/test_delivery_process.py::test_delivery_is_killed_while_a_receiver_hangs",
         _COURIERS + "test_a_slow_receiver_delays_nobody_else"),
    ),
    Row(
        "F16", "a receiver answers after our time was up", "the same message again under the same id",
        (_COURIERS + "test_a_failure_that_may_pass_is_tried_again_under_the_same_id",),
    ),
    Row(
        "F17", "delivery is killed between sending and noting it", "the same message again, never none",
        ("tests/faults/test_delivery_process.py::test_delivery_is_killed_while_a_receiver_hangs",
         _COURIERS + "test_a_crash_between_send_and_mark_sends_the_same_message_again"),
    ),
    Row(
        "F18", "older and newer senders: unknown field, value or type, a required field gone",
        "a dead letter that names the field, byte for byte, to be sent again after an upgrade",
        (_POISON + "test_one_bad_message_never_blocks_the_good",),
        "Additive fields are refused too, until a release knows them.",
    ),
    Row(
        "F19", "ten times the usual rate", "alerts in time, the lag is gone soon after",
        ("tests/faults/test_burst.py::test_a_burst_of_ten_times_the_usual_rate",),
    ),
    Row(
        "F20", "checkpoints, panes, windows and alert steps are gone", "all made again from the log",
        ("tests/faults/test_lost_state.py::test_lost_state_is_made_again_from_the_log",),
    ),
    Row(
        "F21", "the rules change while an alert fires", "its episode ends once, with the reason `rule_changed`",
        (_RULES + "test_rules_change_and_agents_log_off_while_alerts_fire",
         "tests/alerting/test_changed_rules.py::test_changed_rule_ends_its_episode"),
    ),
    Row(
        "F22", "an agent logs off while an alert fires", "its episode ends once, with the reason `logged_off`",
        (_RULES + "test_rules_change_and_agents_log_off_while_alerts_fire",
         "tests/alerting/test_rule_judge.py::test_logged_off"),
    ),
    Row(
        "F23", "two people act on one case in the same version", "one is refused (409), both stand in the ledger",
        (_RULES + "test_two_people_act_on_one_case",
         "tests/web/test_forms.py::test_a_stale_version_is_refused_and_what_was_typed_stays"),
    ),
    Row(
        "F24", "a person is erased while events of them are under way, and the worker dies around it",
        "no row comes back: every column of every table is looked through",
        ("tests/faults/test_erasure.py::test_no_row_of_an_erased_person_comes_back",
         "tests/streams/test_erasing.py::test_nothing_of_an_erased_person_is_left_or_comes_back",
         "tests/sinks/test_erasure.py::test_what_a_worker_thought_dead_writes_is_swept"),
        "Kafka keeps what it has until its retention is over.",
    ),
)  # fmt: skip

PLANTED: tuple[str, ...] = tuple(CONTROLS)
"""The bugs that the harness must find."""
