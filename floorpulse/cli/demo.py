"""`floorpulse demo`: a whole floor with a simulated day, for somebody who has never seen it."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import structlog
import typer

from floorpulse.cli.exits import guarded

if TYPE_CHECKING:
    from floorpulse.demo.run import Plan
    from floorpulse.demo.screen import Screen

NOT_FOUND_OR_NOT_EQUAL = 1


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(guarded(demo))


def demo(
    data: Annotated[
        Path | None, typer.Option("--data", help="A new folder; default: .floorpulse-demo/floor, made anew each time.")
    ] = None,
    until_done: Annotated[
        bool, typer.Option("--until-done", help="End after the hours, with a summary; else go on in real time.")
    ] = False,
    teams: Annotated[int, typer.Option(min=1, max=100, help="Teams of 13 agents.")] = 10,
    hours: Annotated[int, typer.Option(min=4, max=24, help="Hours up to now that are sent at full speed.")] = 8,
    seed: Annotated[int, typer.Option(help="The same seed plays the same day.")] = 7,
    timezone: Annotated[str | None, typer.Option(help="Time zone of the site, an IANA name.")] = None,
) -> None:
    """
    Watch a simulated floor: hours of calls in seconds, the board, alerts and cases as they come.

    With --until-done: exit code 0 when every planted problem was found and all numbers could be proved, else 1.

    Example: floorpulse demo --until-done
    """
    from floorpulse.cli.up import install
    from floorpulse.demo.place import demo_folder
    from floorpulse.demo.run import Plan
    from floorpulse.demo.screen import Screen
    from floorpulse.settings import load_settings, zone

    named = timezone or load_settings(data).timezone
    zone(named)
    install()
    _quiet_logs()
    with _any_end_is_an_interrupt(), demo_folder(data) as folder, Screen() as screen:
        plan = Plan(folder, teams, hours, seed, named, until_done)
        if until_done:
            _play_to_the_end(plan, screen)
        else:
            _play_on(plan, screen)


@contextmanager
def _any_end_is_an_interrupt() -> Iterator[None]:
    """SIGTERM and a closed terminal stop the floor as Ctrl-C does."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, signal.default_int_handler) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _quiet_logs() -> None:
    """Between the lines of a demo only errors are of interest; the parts have logs of their own."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    logging.getLogger().setLevel(logging.ERROR)


def _play_to_the_end(plan: Plan, screen: Screen) -> None:
    from floorpulse.demo.run import started_demo
    from floorpulse.drain import NotDrained

    began = time.monotonic()
    try:
        with started_demo(plan, screen) as played:
            played.send_the_day()
            summary = played.finish()
            typer.echo("\n".join(summary.lines()))
    except NotDrained as error:
        screen.say(f"{error} (logs: {plan.data / 'logs'})")
        raise typer.Exit(NOT_FOUND_OR_NOT_EQUAL) from None
    screen.say(f"stopped; {time.monotonic() - began:.0f} s in all")
    if not summary.is_good:
        raise typer.Exit(NOT_FOUND_OR_NOT_EQUAL)


def _play_on(plan: Plan, screen: Screen) -> None:
    """Until somebody interrupts, which is the ordinary end."""
    from floorpulse.demo.run import started_demo

    try:
        with started_demo(plan, screen) as played:
            played.send_the_day()
            played.go_on()
    except KeyboardInterrupt:
        screen.say("stopped")
