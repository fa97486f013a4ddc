"""The one reader behind all live pages: asks ClickHouse each second and publishes what changed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import structlog
from clickhouse_connect.driver.exceptions import ClickHouseError

from floorpulse.clock import now_ms
from floorpulse.web import queries
from floorpulse.web.alert_views import AlertView, alert_views
from floorpulse.web.areas import alerts_area, board_areas, cases_area, head_area
from floorpulse.web.case_views import case_of_alert, case_rows
from floorpulse.web.fragments import Published, Render, publish
from floorpulse.web.held import Held
from floorpulse.web.queries import MinuteRow, Pulse, SubjectRow, WindowRow
from floorpulse.web.snapshot import FloorRows, build_board
from floorpulse.web.trends import bars_start, trend_start
from schemas.errors import FloorpulseError
from schemas.registry import Floor, Registry
from schemas.times import DAY_MS, MINUTE_MS
from sinks.erasure import keys_of
from sinks.registry import load_registry

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

    from floorpulse.web.metrics import WebMetrics

PERIOD_S = 1.0
"""From poll to poll; a slow store gets a pause as long as the reading took, so that the worker is not crowded out."""
TREND_PAUSE_S = 5.0
RECENT_MS = 2 * DAY_MS
"""Who has been away for longer is on no board: it shows no more of anybody than a day of a site."""


@dataclass(frozen=True, slots=True)
class Live:
    """What the pages stand on at one moment."""

    published: Published = field(default_factory=Published)
    pulse: Pulse = field(default_factory=lambda: Pulse(0, 0, 0, ()))
    registry: Registry = field(default_factory=lambda: Registry(Floor()))
    alerts: tuple[AlertView, ...] = ()
    polled_ms: int = 0
    """When ClickHouse answered last; 0: never."""
    failing_since_ms: int = 0
    """Since when it does not answer; 0: it answers."""


@dataclass(slots=True)
class _Kept:
    """What was read, kept until a mark says that it changed."""

    subjects: list[SubjectRow] = field(default_factory=list)
    windows: list[WindowRow] = field(default_factory=list)
    held: Held = field(default_factory=Held)
    queue_minutes: list[MinuteRow] = field(default_factory=list)
    floor_minutes: list[MinuteRow] = field(default_factory=list)
    agent_bars: list[MinuteRow] = field(default_factory=list)
    trend_minute: int = -1
    trend_read_s: float = 0.0


class Poller:
    """Reads with a client of its own in a thread of its own; `listen` tells of each new `Live`."""

    def __init__(
        self,
        client_factory: Callable[[], Client],
        render: Render,
        metrics: WebMetrics,
        clock: Literal["wall", "event"],
    ) -> None:
        self.live = Live()
        self._client_factory = client_factory
        self._client: Client | None = None
        self._render = render
        self._metrics = metrics
        self._clock = clock
        self._kept = _Kept()
        self._listeners: list[Callable[[Live], None]] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="poller", daemon=True)

    def listen(self, listener: Callable[[Live], None]) -> None:
        """Call `listener` after each poll, in the poller's thread."""
        self._listeners.append(listener)

    def start(self) -> None:
        """Begin to poll."""
        self._thread.start()

    def stop(self) -> None:
        """End within the poll that is under way."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def poll(self) -> None:
        """Read once and publish; a store that does not answer makes the pages stale, not empty."""
        started_s = time.monotonic()
        try:
            if self._client is None:
                self._client = self._client_factory()
            self.live = self._read(self._client)
        except Exception as error:  # noqa: BLE001  half an answer can bring out anything, and later ones must be read
            self._note_failure(error)
        self._metrics.poll_seconds.observe(time.monotonic() - started_s)
        for listener in self._listeners:
            listener(self.live)

    def _run(self) -> None:
        while not self._stopping.is_set():
            started_s = time.monotonic()
            self.poll()
            took_s = time.monotonic() - started_s
            self._stopping.wait(max(PERIOD_S - took_s, took_s))

    def _note_failure(self, error: Exception) -> None:
        self._client = None
        if not self.live.failing_since_ms:
            reason = " ".join(str(error).split())[:300]
            log = structlog.get_logger(__name__)
            expected = isinstance(error, ClickHouseError | FloorpulseError | OSError)
            (log.warning if expected else log.exception)("query_failed", what="board", reason=reason)
        self.live = replace(self.live, failing_since_ms=self.live.failing_since_ms or now_ms())

    def _read(self, client: Client) -> Live:
        before, pulse = self.live, queries.pulse(client)
        registry = before.registry
        if not before.polled_ms or pulse.revision != before.pulse.revision:
            registry = load_registry(client)
        if not before.polled_ms or pulse.marks != before.pulse.marks:
            self._kept.held.read(client, pulse.steps, frozenset(keys_of(registry.erased)))
        clock_ms = pulse.clock_ms if self._clock == "event" else now_ms()
        if not before.polled_ms or pulse != before.pulse:
            recent_ms = max(clock_ms - RECENT_MS, 0)
            self._kept.subjects = queries.subjects(client, recent_ms)
            self._kept.windows = queries.windows(client, recent_ms)
        self._read_trends(client, clock_ms)
        return self._build(pulse, registry, clock_ms)

    def _read_trends(self, client: Client, clock_ms: int) -> None:
        kept, minute = self._kept, clock_ms // MINUTE_MS
        if not clock_ms or minute == kept.trend_minute or time.monotonic() - kept.trend_read_s < TREND_PAUSE_S:
            return
        end_ms = (minute + 1) * MINUTE_MS
        kept.queue_minutes = queries.queue_minutes(client, trend_start(clock_ms), end_ms)
        kept.floor_minutes = queries.floor_minutes(client, trend_start(clock_ms), end_ms)
        kept.agent_bars = queries.handled_by_agent(client, bars_start(clock_ms), end_ms)
        kept.trend_minute, kept.trend_read_s = minute, time.monotonic()

    def _build(self, pulse: Pulse, registry: Registry, clock_ms: int) -> Live:
        kept, now = self._kept, now_ms()
        held = kept.held
        cases = case_rows(held.cases.values())
        alerts = alert_views(held.shown, held.marks, case_of_alert(held.cases), registry, now)
        rows = FloorRows(
            clock_ms=clock_ms,
            registry=registry,
            subjects=kept.subjects,
            windows=kept.windows,
            alerts=alerts,
            queue_minutes=kept.queue_minutes,
            floor_minutes=kept.floor_minutes,
            agent_bars=kept.agent_bars,
        )
        areas = {
            "head": head_area(alerts, held.listed.open_cases),
            **board_areas(build_board(rows), is_empty=not kept.subjects and not pulse.rows),
            "alerts": alerts_area(alerts),
            "cases": cases_area(cases, held.listed.cases),
        }
        published = publish(self.live.published, areas, self._render)
        return Live(published, pulse, registry, tuple(alerts), polled_ms=now)
