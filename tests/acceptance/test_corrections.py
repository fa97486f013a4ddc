"""Wrong numbers come right on a whole floor: panes damaged by hand, and an import that was wrong."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from floorpulse.settings import load_settings
from floorpulse.wiring import clickhouse_client
from streams.core.versions import version_of
from tests.acceptance.conftest import MakeFloor
from tests.acceptance.floors import Answer, WholeFloor

MORNING = datetime(2026, 3, 2, 9, tzinfo=UTC)
EVENING = datetime(2026, 3, 2, 23, 30, tzinfo=UTC)
DAY = ("--from", "2026-03-02", "--to", "2026-03-03")
OF_A1 = ("explain", "aht_s", "--agent", "a1", *DAY)

pytestmark = pytest.mark.timeout(600)


@dataclass(frozen=True)
class Story:
    """What commands said, one after the other."""

    damaged: Answer
    damaged_figure: Answer
    repaired: Answer
    first_alone: Any
    both: Any
    dry_run: Answer
    retracted: Answer
    after: Any
    explained: Any
    again: Answer
    proof: Answer
    resent: Any


@pytest.fixture(scope="module")
def story(make_floor: MakeFloor, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """One file; panes are damaged and repaired; a second file comes, is taken back, and comes once more."""
    floor = make_floor("--clock", "event")
    folder = tmp_path_factory.mktemp("files")
    first, second = folder / "first.jsonl", folder / "second.jsonl"
    write(first, [*contacts("one", "a1", 60), *contacts("two", "a2", 90), *states("a1")])
    write(second, [*contacts("wrong", "a1", 300), *contacts("one", "a1", 600, revision=1)[:1]])

    send(floor, first)
    damage(floor, MORNING)
    damage(floor, EVENING)
    damaged, damaged_figure = floor.run("reconcile"), floor.run(*OF_A1)
    repaired = floor.run("reconcile", "--repair")
    first_alone = kpis(floor)

    send(floor, second)
    both = kpis(floor)
    dry_run = floor.run("retract", "--ingest", "2", "--dry-run")
    retracted = floor.run("retract", "--ingest", "2", "--yes")
    drain(floor)
    after, explained = kpis(floor), floor.ask(*OF_A1)
    again, proof = floor.run("retract", "--ingest", "2", "--yes"), floor.run("reconcile")

    send(floor, second)
    return Story(
        damaged, damaged_figure, repaired, first_alone, both, dry_run, retracted, after, explained, again, proof,
        kpis(floor),
    )  # fmt: skip


def contacts(name: str, agent: str, talk_s: int, **changes: Any) -> list[dict[str, Any]]:
    """A contact in the morning, which is long gone from memory at the end of the day, and one late in the evening."""
    return [
        {
            "type": "contact_handled", "source": "crm", "id": f"{name}-{at.hour}", "contact": f"{name}-{at.hour}",
            "at": at.isoformat(), "started_at": (at - timedelta(seconds=talk_s)).isoformat(), "agent": agent,
            "queue": "sales", "talk_s": talk_s,
        } | changes
        for at in (MORNING, EVENING)
    ]  # fmt: skip


def states(agent: str) -> list[dict[str, Any]]:
    """Ready from eight to half past eight."""
    told = [(MORNING - timedelta(hours=1), "ready"), (MORNING - timedelta(minutes=30), "offline")]
    return [
        {"type": "state_changed", "source": "crm", "id": state, "agent": agent, "state": state, "at": at.isoformat()}
        for at, state in told
    ]


def write(file: Path, events: list[dict[str, Any]]) -> None:
    file.write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")


def send(floor: WholeFloor, file: Path) -> None:
    sent = floor.run("ingest", "jsonl", str(file))
    assert sent.code == 0, sent.err
    drain(floor)


def drain(floor: WholeFloor) -> None:
    drained = floor.run("drain")
    assert drained.code == 0, drained.err


def damage(floor: WholeFloor, at: datetime) -> None:
    """Overwrite the pane of a minute of a1, and make one up beside it, as nobody may."""
    client = clickhouse_client(load_settings(floor.data))
    rows = [["a1", at, queue, "voice", 9, 9_000, version_of(1, 0)] for queue in ("sales", "nowhere")]
    names = ["agent", "minute", "queue", "channel", "handled", "talk_ms", "version"]
    client.command("OPTIMIZE TABLE agent_minutes FINAL")
    client.command(
        "DELETE FROM agent_minutes WHERE agent = 'a1' AND queue = 'sales' AND minute = {at:DateTime('UTC')}",
        parameters={"at": at},
    )
    client.insert("agent_minutes", rows, column_names=names)
    client.close()


def kpis(floor: WholeFloor) -> Any:
    return floor.ask("kpi", "--by", "agent", *DAY, "--step", "1h")


def test_damage_is_found_and_told(story: Story) -> None:
    """Two panes that were changed and two that were made up; the figure that needs them says so too."""
    assert story.damaged.code == 1
    assert ": 4 differences" in story.damaged.err
    assert story.damaged_figure.code == 1
    assert "stored panes differ from the raw events" in story.damaged_figure.out


def test_the_owner_repairs_what_is_in_memory_and_what_is_not(story: Story) -> None:
    """Asked for and folded again: no difference is left, and the figures are those of the file."""
    assert story.repaired.code == 0, story.repaired.out
    assert "asked the owners to fold 1 subjects again" in story.repaired.err
    assert ": 0 differences" in story.repaired.err.splitlines()[-1]
    assert [(row["agent"], row["handled"], row["aht_s"]) for row in story.first_alone if row["handled"]] == [
        ("a1", 1, 60.0),
        ("a1", 1, 60.0),
        ("a2", 1, 90.0),
        ("a2", 1, 90.0),
    ]


def test_a_retracted_import_leaves_the_figures_of_the_other_alone(story: Story) -> None:
    """What it added is gone, what it had replaced is back, and the raw events prove it."""
    assert story.both != story.first_alone
    assert story.dry_run.code == story.retracted.code == 0, story.retracted.err
    assert "3 facts" in story.dry_run.err
    assert "1 of them go back to an earlier revision" in story.retracted.err
    assert story.after == story.first_alone
    assert story.proof.code == 0, story.proof.out


def test_the_correction_is_explained(story: Story) -> None:
    """Each fact that was taken back, and the revisions of the one that came back."""
    found = story.explained

    assert (found["value"], found["n"]) == (60.0, 2)
    assert found["stored"]["agree"]
    told = [(step["id"], step["replaced"], step["revision"], step["void"]) for step in found["corrections"]]
    assert sorted(told) == [
        ("one-9", 0, 1, False),
        ("one-9", 1, 2, False),
        ("wrong-23", 0, 1, True),
        ("wrong-9", 0, 1, True),
    ]
    assert {item["why"] for item in found["excluded"] if item["id"].startswith("wrong")} == {"taken back by revision 1"}


def test_a_second_retraction_has_nothing_to_do(story: Story) -> None:
    """And says so."""
    assert story.again.code == 0
    assert "nothing of it counts" in story.again.err


def test_the_same_file_may_come_again(story: Story) -> None:
    """Without `--again`, and what it holds counts."""
    assert story.resent == story.both
