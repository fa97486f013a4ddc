"""A demo from start to end: the floor up, a day sent at speed, then real time or the proof that all was found."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from floorpulse.clock import now_ms
from floorpulse.demo.place import Starting, refuse_failing, running_floor
from floorpulse.demo.screen import Screen
from floorpulse.demo.summary import Comparison, Summary, sort_planted
from floorpulse.demo.watch import AlertTail, floor_now, read_figures
from floorpulse.drain import drain
from floorpulse.embedded.floor import Choice
from floorpulse.embedded.ports import page_address
from floorpulse.embedded.run_file import PartState, RunFile
from floorpulse.publish import publish_registry
from floorpulse.settings import Settings, load_settings, zone
from floorpulse.web.formats import count
from floorpulse.wiring import clickhouse_client, producer
from schemas.events import FloorEvent
from schemas.times import HOUR_MS, MINUTE_MS, iso
from sinks.reconcile import reconcile
from sources.readers.producing import EventProducer
from sources.readers.simulator.engine import Simulator
from sources.readers.simulator.facts import Facts
from sources.readers.simulator.feed import Feed
from sources.readers.simulator.roster import seats
from sources.readers.simulator.spec import FloorSpec

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

BY = "demo"
TICK_S = 5.0
LOOK_EVERY_S = 1.0
DRAINED_WITHIN_S = 600.0
_STRIDE_MS = 2 * MINUTE_MS


@dataclass(frozen=True, slots=True)
class Plan:
    """What the command line says; `timezone` is that of the site."""

    data: Path
    teams: int
    hours: int
    seed: int
    timezone: str
    until_done: bool
    """End after the hours, when everybody signs off; else go on in real time."""


class Demo:
    """One simulated floor on one running embedded floor."""

    def __init__(self, plan: Plan, settings: Settings, client: Client, out: EventProducer, screen: Screen) -> None:
        self._plan, self._settings, self._client, self._screen = plan, settings, client, screen
        self._alerts = AlertTail(client, zone(plan.timezone))
        self._looked_at = 0.0
        self._end = now_ms() // MINUTE_MS * MINUTE_MS
        self._start = self._end - plan.hours * HOUR_MS
        self._simulator = Simulator(FloorSpec(teams=plan.teams, timezone=plan.timezone), plan.seed)
        self._feed = Feed(self._day(), out)
        self.sent = 0

    def _day(self) -> Iterator[FloorEvent]:
        """What happens: without end, or up to the present minute, at which everybody signs off."""
        simulator, spec = self._simulator, self._simulator.spec
        if not self._plan.until_done:
            yield from simulator.events(self._start)
            return
        yield from simulator.events(self._start, self._plan.hours)
        facts = Facts(spec.source, f"closing-{self._end // MINUTE_MS:x}")
        yield from (facts.state(seat.agent, "offline", self._end) for seat in seats(spec))

    def send_the_day(self) -> None:
        """Apply the registry, say what is planted, send the hours up to the present minute at full speed."""
        screen, floor = self._screen, self._simulator.floor()
        publish_registry(self._settings, floor, BY)
        teams = count(self._plan.teams, "team", "teams")
        people = count(len(floor.people), "person", "people")
        screen.say(f"floor      {teams}, {people}, {self._plan.hours} hours up to {iso(self._end)}")
        for problem in self._simulator.planted(self._start):
            screen.say(f"planted    {problem}")
        with screen.phase("send", "sending the day"):
            for until in range(self._start, self._end + 1, _STRIDE_MS):
                self.sent += self._feed.up_to(min(until + _STRIDE_MS, self._end + 1))
                screen.show(f"{self.sent:,} events", until - self._start, self._end - self._start)
                self._look()
            self._feed.flush()

    def go_on(self) -> None:
        """Real time: what happens now, sent each 5 s, until somebody interrupts."""
        board = page_address(self._settings.web_host, self._settings.web_port)
        with self._screen.phase("live", "live"):
            while True:
                self.sent += self._feed.up_to(now_ms())
                self._feed.tick(now_ms())
                self._feed.flush()
                self._screen.show_live(f"{self._standing()}  {board}  (Ctrl-C ends the demo)")
                self._wait_and_look()

    def finish(self) -> Summary:
        """End the input, wait until all is stored, prove it; the summary."""
        with self._screen.phase("fold", "folding, judging, storing"):
            self._feed.end()
            drain(self._settings, DRAINED_WITHIN_S, self._drained)
            self._look(at_once=True)
        with self._screen.phase("reconcile", "comparing with the raw events"):
            result = reconcile(self._client, lambda done, of: self._screen.show(f"{done} of {of} subjects", done, of))
            figures = read_figures(self._client)
        for difference in result.differences[:10]:
            self._screen.say(f"differs    {difference}")
        found, missed = sort_planted(self._simulator.planted(self._start), figures.fired)
        compared = Comparison(result.panes, result.events, len(result.differences))
        return Summary(self.sent, figures, compared, found, missed, tuple(self._screen.phases))

    def _look(self, *, at_once: bool = False) -> None:
        """Say the alerts that came, at most once a second; InputError when a part does not come back."""
        if at_once or time.monotonic() - self._looked_at >= LOOK_EVERY_S:
            refuse_failing(self._plan.data)
            for line in self._alerts.fresh():
                self._screen.say(line)
            self._looked_at = time.monotonic()

    def _drained(self, topic: str, left: int) -> None:
        self._screen.show(f"{left:,} of {topic} to go")
        self._look()

    def _wait_and_look(self) -> None:
        until = time.monotonic() + TICK_S
        while (left_s := until - time.monotonic()) > 0:
            time.sleep(min(left_s, LOOK_EVERY_S))
            self._look()

    def _standing(self) -> str:
        now = floor_now(self._client)
        local = f"{now.at.astimezone(zone(self._plan.timezone)):%H:%M:%S}" if now.at else "--:--:--"
        waiting = count(now.waiting, "customer waits", "customers wait")
        firing = count(now.firing, "alert fires", "alerts fire")
        return f"{local}  {now.events:,} of {self.sent:,} events  {waiting}  {firing}"


@contextmanager
def started_demo(plan: Plan, screen: Screen) -> Iterator[Demo]:
    """
    A demo on a floor of its own, which is stopped at the end of the context.

    InputError: the floor does not start.
    """
    with ExitStack() as stack:
        with screen.phase("start", "starting the floor"):
            stack.enter_context(running_floor(Choice(plan.data, "event", plan.timezone), _starting(screen)))
        settings = load_settings(plan.data)
        client = stack.enter_context(closing(clickhouse_client(settings)))
        sender = stack.enter_context(closing(producer(settings)))
        yield Demo(plan, settings, client, EventProducer(sender), screen)


def _starting(screen: Screen) -> Starting:
    """Shows how many parts are ready, and says the address of the board as soon as it answers."""
    said = False

    def tell(floor: RunFile) -> None:
        nonlocal said
        ready = {part.name for part in floor.parts if part.state is PartState.READY}
        screen.show(f"{len(ready)} of {len(floor.parts)} parts ready", len(ready), len(floor.parts) or None)
        if "web" in ready and not said:
            said = True
            screen.say(f"board      {floor.board()}")

    return tell
