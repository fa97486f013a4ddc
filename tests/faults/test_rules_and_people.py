"""F21 to F23: rules change, agents log off and two people act while alerts fire and workers die (P3)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from floorpulse.commands import Outcome, new_command_id, send_command
from floorpulse.publish import publish_rules
from schemas.records import AcknowledgeCase
from tests.faults.conftest import MakeFloor
from tests.faults.harness.floor import RULES, FaultFloor, said
from tests.faults.harness.runs import Run
from tests.faults.harness.seen import Note
from tests.faults.harness.sendings import Feed, Simulated
from tests.faults.harness.waiting import wait_for

SEED = 21
AWAY_S = 600
STEPS = (
    "SELECT subject, groupArray((toString(state), toString(reason))) FROM (SELECT * FROM alert_transitions FINAL"
    " WHERE rule = 'long-away' ORDER BY alert, sequence) GROUP BY subject"
)


def test_rules_change_and_agents_log_off_while_alerts_fire(make_floor: MakeFloor, note: Note) -> None:
    """F21, F22: each episode ends once, with its reason, although the worker dies around every step."""
    clock = Simulated()
    feed = Feed(SEED, clock, away_ms=AWAY_S * 1000)
    with make_floor(away_s=AWAY_S) as floor:
        run = Run(floor, feed, clock)
        floor.send([feed.state(agent, "away") for agent in ("stays", "leaves", "logs-off")])
        pass_minutes(run, 12)
        run.crash("after_subjects:1", batch=5)
        floor.start()
        wait_for(lambda: floor.number("SELECT count() FROM alert_transitions WHERE rule = 'long-away'") >= 3, 60)
        floor.send([feed.state("leaves", "ready"), feed.state("logs-off", "offline")])
        pass_minutes(run, 1)
        floor.drained()
        floor.kill()
        publish_rules(floor.settings, RULES.read_text().replace("AWAY_S", "1200"), "tests")
        floor.rules_changed = True
        run.crash("after_events:1", batch=5)
        run.crash("before_subjects:2", batch=5)
        pass_minutes(run, 20)
        floor.start()
        run.finish()
        steps = {str(subject): found for subject, found in floor.client.query(STEPS).result_rows}
        found = floor.judged()
    fired = ("firing", "breached")
    assert steps["agent:leaves"] == [fired, ("resolved", "state_left")]
    assert steps["agent:logs-off"] == [fired, ("resolved", "logged_off")]
    assert steps["agent:stays"] == [fired, ("resolved", "rule_changed"), fired]
    assert found == [], said(found, SEED)
    note("F21 F22", deaths=floor.deaths)


def pass_minutes(run: Run, minutes: int) -> None:
    """Let time pass, minute by minute."""
    for _ in range(minutes):
        run.clock.now_ms += 60_000
        run.floor.tick(run.clock.now_ms)


def test_two_people_act_on_one_case(make_floor: MakeFloor, note: Note) -> None:
    """F23: of two who saw the same version one is refused, both stand in the ledger, whenever the worker dies."""
    clock = Simulated()
    feed = Feed(SEED, clock, away_ms=AWAY_S * 1000)
    with make_floor(away_s=AWAY_S) as floor:
        run = Run(floor, feed, clock)
        floor.send([feed.fatal_item("a0412")])
        floor.end_minute(clock)
        floor.start()
        wait_for(lambda: floor.number("SELECT count() FROM record_events") > 0, 60, "a case")
        floor.kill()
        ((case, stream),) = floor.client.query("SELECT record, stream FROM record_events FINAL").result_rows
        with ThreadPoolExecutor(2) as people:
            asked = [people.submit(acknowledge(floor, case, stream, who)) for who in ("lead-1", "lead-2")]
            run.crash("after_ledger:1", batch=5)
            floor.start()
            outcomes = [one.result(60) for one in asked]
        run.finish()
        sql = "SELECT kind, by FROM record_events FINAL WHERE stream = 'agent:a0412'"
        kinds = floor.client.query(sql).result_rows
        found = floor.judged()
    assert sorted(kind for kind, _ in kinds) == ["case_acknowledged", "case_opened", "command_refused"]
    assert {by for _, by in kinds} == {"rule:fatal-item", "lead-1", "lead-2"}
    assert {outcome.status for outcome in outcomes} <= {"accepted", "refused", "pending"}
    assert found == [], said(found, SEED)
    note("F23", outcomes=sorted(outcome.status for outcome in outcomes))


def acknowledge(floor: FaultFloor, case: str, stream: str, who: str) -> Callable[[], Outcome]:
    """A lead takes on a case in the version that both saw."""
    command = AcknowledgeCase(id=new_command_id(), stream=stream, by=who, record=case, expected_version=1)
    return lambda: send_command(floor.settings, command)
