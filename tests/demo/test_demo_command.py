"""`floorpulse demo`: what it refuses before anything is started, and its exit codes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import structlog
import typer
from typer.testing import CliRunner

import floorpulse.demo.run
from floorpulse.cli import demo, up
from floorpulse.demo.run import Plan
from floorpulse.demo.summary import Comparison, Figures, Summary
from floorpulse.drain import NotDrained
from sources.readers.simulator.roster import Planted

MISSED = Planted("long_away", "agent:a21", "long-away", 0, 1, "a break of 55 min")
GOOD = Summary(10, Figures(10, 0, 3, 3, {}, {}, set()), Comparison(3, 10, 0), (), (), ())

Ended = tuple[int, str, str]
Invoke = Callable[..., Ended]


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Invoke]:
    """Runs the command in an empty folder; (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(up, "install", lambda: None)
    app = typer.Typer()
    demo.register(app)

    def run(*args: str) -> Ended:
        result = CliRunner().invoke(app, args)
        return result.exit_code, result.stdout, result.stderr

    yield run
    structlog.reset_defaults()
    logging.getLogger().setLevel(logging.WARNING)


@dataclass
class FakeDemo:
    """A demo whose floor costs nothing. `ends` is its summary, or what is raised instead."""

    ends: Summary | BaseException
    plan: Plan | None = None
    stopped: bool = False

    @contextmanager
    def started(self, plan: Plan, _screen: object) -> Iterator[FakeDemo]:
        self.plan = plan
        try:
            yield self
        finally:
            self.stopped = True

    def send_the_day(self) -> None:
        """Nothing is sent."""

    def finish(self) -> Summary:
        if isinstance(self.ends, BaseException):
            raise self.ends
        return self.ends

    def go_on(self) -> None:
        self.finish()


@pytest.fixture
def play(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ended]:
    """Runs the command with a fake demo."""

    def run(fake: FakeDemo, *args: str) -> Ended:
        monkeypatch.setattr(floorpulse.demo.run, "started_demo", fake.started)
        return invoke(*args)

    return run


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--timezone", "Mars/Olympus"), "unknown time zone 'Mars/Olympus'"),
        (("--hours", "3"), "--hours"),
        (("--teams", "0"), "--teams"),
    ],
)
def test_what_cannot_be_played_is_refused(invoke: Invoke, args: tuple[str, ...], said: str) -> None:
    """Before anything is started: exit code 2."""
    code, _out, err = invoke(*args)

    assert code == 2
    assert said in err


@pytest.mark.parametrize(
    ("summary", "code"),
    [
        (GOOD, 0),
        (replace(GOOD, missed=(MISSED,)), 1),
        (replace(GOOD, comparison=Comparison(3, 10, 2)), 1),
    ],
)
def test_the_exit_code_says_whether_all_was_found(play: Callable[..., Ended], summary: Summary, code: int) -> None:
    """The summary is on stdout in either case."""
    assert play(FakeDemo(summary), "--until-done")[:2] == (code, "\n".join(summary.lines()) + "\n")


def test_a_floor_that_does_not_keep_up_fails(play: Callable[..., Ended], tmp_path: Path) -> None:
    """One line says what is missing and where the logs are; the floor is stopped all the same."""
    fake = FakeDemo(NotDrained("records not stored yet: floor.events:0 7"))

    code, out, err = play(fake, "--until-done", "--data", str(tmp_path / "d"))

    assert (code, out, fake.stopped) == (1, "", True)
    assert f"floor.events:0 7 (logs: {tmp_path / 'd' / 'logs'})" in err


def test_ctrl_c_is_the_ordinary_end_of_real_time(play: Callable[..., Ended]) -> None:
    """Exit code 0, and the floor is stopped; before the summary it is an interruption."""
    live, broken_off = FakeDemo(KeyboardInterrupt()), FakeDemo(KeyboardInterrupt())

    assert play(live)[0] == 0
    assert play(broken_off, "--until-done")[0] == 130
    assert live.stopped
    assert broken_off.stopped


def test_what_is_asked_for_is_played(play: Callable[..., Ended]) -> None:
    """Every option arrives in the plan."""
    fake = FakeDemo(GOOD)

    play(fake, "--until-done", "--teams", "3", "--hours", "5", "--seed", "9", "--timezone", "Asia/Manila")

    assert fake.plan
    assert replace(fake.plan, data=Path()) == Plan(Path(), 3, 5, 9, "Asia/Manila", until_done=True)
