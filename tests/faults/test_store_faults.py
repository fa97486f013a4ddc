"""F6 to F9: ClickHouse is away or full, or its answer is lost: alerts go on, nothing is lost or doubled (P1, P5)."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from floorpulse.embedded.ports import PortClaims
from tests.faults.conftest import MakeFloor
from tests.faults.harness.floor import said
from tests.faults.harness.pouring import ALERT_WITHIN_S, pour
from tests.faults.harness.proxy import DISK_FULL, MEMORY_LIMIT, TOO_MANY_PARTS, Proxy
from tests.faults.harness.runs import Run
from tests.faults.harness.seen import Note
from tests.faults.harness.sendings import Feed, Simulated, now_ms
from tests.faults.harness.servers import Store
from tests.faults.harness.waiting import pause, wait_for
from tests.faults.harness.watching import watched

SEED = 6
AWAY_S = 600
GROWS_BY_MB = 60
DISK_BYTES = 400 * 2**20
LEFT_BYTES = 64 * 1024

pytestmark = pytest.mark.timeout(1500)


def test_alerts_go_on_while_the_store_is_away(make_floor: MakeFloor, store: Store, soak: bool, note: Note) -> None:
    """F6: the store is killed; alerts come as fast as before, memory stays, and afterwards everything is there."""
    away_s, rate = (600.0, 100) if soak else (9.0, 60)
    feed = Feed(SEED, now_ms, away_ms=AWAY_S * 1000, is_plain=True)
    with (
        make_floor(clock="wall", away_s=AWAY_S) as floor,
        watched(floor.settings.kafka_bootstrap) as seen,
    ):
        worker = floor.start()
        pour(floor, feed, 2.0, rate, seen)
        wait_for(lambda: not seen.missing(), 30, "alerts before")
        floor.drained()
        before_mb = worker.memory_mb()
        store.kill()
        try:
            pour(floor, feed, away_s, rate, seen)
            late = [s for s in seen.missing() if time.monotonic() - seen.sent[s] > ALERT_WITHIN_S]
            latencies, after_mb = seen.latencies(), worker.memory_mb()
        finally:
            store.start()
        back_s = floor.drained()
        found, counted = floor.judged(), floor.counted()
    assert late == []
    assert counted.deaths == 0
    assert max(latencies) <= ALERT_WITHIN_S
    assert after_mb - before_mb < (GROWS_BY_MB if not soak else 4 * GROWS_BY_MB)
    assert found == [], said(found, SEED)
    note(
        "F6", away_s=away_s, rate=rate, alert_max_s=max(latencies), memory_mb=(before_mb, after_mb), back_s=back_s,
        events=counted.events,
    )  # fmt: skip


def test_a_full_buffer_pauses_reading(make_floor: MakeFloor, proxy: Proxy, note: Note) -> None:
    """F6: away for longer than the buffer holds: consumption pauses, the rest waits in Kafka, nothing is lost."""
    clock = Simulated(step_ms=300)
    feed = Feed(SEED, clock, away_ms=AWAY_S * 1000, is_plain=True)
    with make_floor(away_s=AWAY_S, proxy=proxy, buffer_rows=1_000) as floor:
        worker = floor.start()
        run = Run(floor, feed, clock, proxy)
        run.send()
        floor.drained()
        proxy.turn("away")
        for _ in range(12):
            run.send(500)
        wait_for(lambda: floor.metric("floorpulse_paused") == 1, 60, "paused")
        held = floor.metric("floorpulse_buffered_rows")
        pause(1.0)
        still = floor.metric("floorpulse_buffered_rows")
        proxy.turn("pass")
        run.finish()
        found, counted = floor.judged(), floor.counted()
    assert worker.said("consumption_paused") > 0
    assert worker.said("consumption_resumed") > 0
    assert still == held, "the buffer grows while reading is paused"
    assert found == [], said(found, SEED)
    note("F6", buffer_rows=1_000, held=held, events=counted.events)


@pytest.mark.parametrize(
    ("row", "mode", "error"),
    [
        ("F7", "cut", TOO_MANY_PARTS),
        ("F8", "refuse", TOO_MANY_PARTS),
        ("F8", "refuse", MEMORY_LIMIT),
        ("F9", "refuse", DISK_FULL),
    ],
    ids=["answer lost", "too many parts", "memory limit", "disk full"],
)
def test_an_insert_goes_wrong(
    row: str, mode: str, error: tuple[int, str], make_floor: MakeFloor, proxy: Proxy, note: Note
) -> None:
    """The same flush is tried again until it is taken: no double rows, no dead letters of it, no end of the worker."""
    clock = Simulated()
    feed = Feed(SEED, clock, away_ms=AWAY_S * 1000)
    with make_floor(away_s=AWAY_S, proxy=proxy) as floor:
        worker = floor.start()
        run = Run(floor, feed, clock, proxy)
        run.send()
        floor.drained()
        proxy.turn(mode, times=6, error=error)  # type: ignore[arg-type]
        run.send()
        wait_for(lambda: proxy.hit >= 6, 60, "six inserts went wrong")
        run.finish()
        found, counted = floor.judged(), floor.counted()
    assert worker.said("flush_retried") >= 2
    assert counted.deaths == 0
    assert (counted.replayed > 0) == (mode == "cut"), counted
    assert found == [], said(found, SEED)
    note(row, fault=mode, code=error[0] if mode == "refuse" else 0, hit=6, replayed=counted.replayed)


def test_a_disk_that_is_full(make_floor: MakeFloor, small_disk: Path, port_claims: PortClaims, note: Note) -> None:
    """F9: ClickHouse finds no room for an insert; the flush is tried again until there is some."""
    store = Store(small_disk / "store", port_claims)
    store.start()
    ballast = small_disk / "ballast"
    clock = Simulated()
    feed = Feed(SEED, clock, away_ms=AWAY_S * 1000)
    url = f"http://127.0.0.1:{store.port}"
    try:
        with make_floor(away_s=AWAY_S, clickhouse_url=url, clickhouse_password=store.password) as floor:
            worker = floor.start()
            run = Run(floor, feed, clock)
            run.send()
            floor.drained()
            ballast.write_bytes(bytes(shutil.disk_usage(small_disk).free - LEFT_BYTES))
            run.send(400)
            wait_for(lambda: worker.said("flush_retried") >= 2, 60, "no room")
            ballast.unlink()
            run.finish()
            found, counted = floor.judged(), floor.counted()
    finally:
        store.kill()
    assert counted.deaths == 0
    assert found == [], said(found, SEED)
    note("F9", retries=worker.said("flush_retried"))


@pytest.fixture
def small_disk(tmp_path: Path, soak: bool) -> Iterator[Path]:
    """A file system of its own; only an administrator may mount one."""
    if not soak or os.geteuid() != 0:
        pytest.skip("with --soak and as root only: mounts a file system")
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
