"""Servers for fault runs that may be stopped and killed, and how much is run: 3 seeds, or 20 with `--soak`."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from floorpulse.embedded.ports import PortClaims
from floorpulse.settings import Settings
from tests.faults.harness.floor import FaultFloor, own_floor
from tests.faults.harness.proxy import Proxy, proxy_before
from tests.faults.harness.seen import Seen
from tests.faults.harness.servers import Broker, Store

SEED = "FLOORPULSE_FAULT_SEED"
SHORT_SEEDS = 3
SOAK_SEEDS = 20
FIRST_SEED = 1_001

CRASHES = "test_killed_at_every_point"
MakeFloor = Callable[..., AbstractContextManager[FaultFloor]]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a test that takes a `seed` the seeds of this run."""
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", seeds(metafunc.config), scope="module")


def seeds(config: pytest.Config) -> list[int]:
    """The seed of the environment, else the first few."""
    if SEED in os.environ:
        return [int(os.environ[SEED])]
    return list(range(FIRST_SEED, FIRST_SEED + (SOAK_SEEDS if is_soak(config) else SHORT_SEEDS)))


def is_soak(config: pytest.Config) -> bool:
    """Whether the long runs were asked for."""
    return bool(config.getoption("--soak"))


_SEEN = pytest.StashKey[Seen]()


def pytest_configure(config: pytest.Config) -> None:
    """A place for what runs see."""
    config.stash[_SEEN] = Seen()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep the outcome of each fault run."""
    report = yield
    if (report.when == "call" or report.failed) and "test_catalogue.py" not in item.nodeid:  # it checks the page only
        item.config.stash[_SEEN].outcomes[item.nodeid] = report.outcome
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """After a whole long run: write down what it saw, and the page. A lane of several hands on what it saw."""
    seen = session.config.stash.get(_SEEN, Seen())
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["seen"] = (seen.notes, seen.outcomes)
    elif is_soak(session.config) and any(CRASHES in name for name in seen.outcomes):
        from tests.faults import page

        page.write(seen.summary(seeds=len(seeds(session.config))))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """A lane is through."""
    if "seen" in node.workeroutput:
        node.config.stash[_SEEN].add(*node.workeroutput["seen"])


@pytest.fixture(scope="session")
def note(request: pytest.FixtureRequest) -> Seen:
    """Keeps what runs have seen."""
    return request.config.stash[_SEEN]


@pytest.fixture(scope="package")
def broker(tmp_path_factory: pytest.TempPathFactory, port_claims: PortClaims) -> Iterator[Broker]:
    """A Kafka that only fault runs use."""
    server = Broker(tmp_path_factory.mktemp("broker"), port_claims)
    server.start(wait=False)
    yield server
    server.kill()


@pytest.fixture(scope="package")
def store(tmp_path_factory: pytest.TempPathFactory, port_claims: PortClaims) -> Iterator[Store]:
    """A store that only fault runs use."""
    server = Store(tmp_path_factory.mktemp("servers") / "store", port_claims)
    server.start(wait=False)
    yield server
    server.kill()


@pytest.fixture(scope="package")
def base(broker: Broker, store: Store, port_claims: PortClaims) -> Settings:
    """Settings of both servers, for short flushes."""
    broker.wait()
    store.wait()
    return Settings().model_copy(
        update={
            "kafka_bootstrap": broker.bootstrap,
            "clickhouse_url": f"http://127.0.0.1:{store.port}",
            "clickhouse_password": store.password,
            "partitions": 3,
            "flush_interval_s": 0.1,
            "dead_letters_in_a_row": 0,
            "dead_letters_percent": 100.0,
            "metrics_port": port_claims.claim(28_400),
            "gateway_port": port_claims.claim(28_500),
        }
    )


@pytest.fixture
def make_floor(base: Settings, tmp_path: Path) -> MakeFloor:
    """Makes a floor of its own; `clock`, `away_s`, `proxy` and settings as named."""

    def make(*, clock: str = "event", away_s: float = 600, **changed: Any) -> AbstractContextManager[FaultFloor]:
        return own_floor(base, tmp_path / "floor", away_s=away_s, clock=clock, **changed)

    return make


@pytest.fixture
def proxy(store: Store) -> Iterator[Proxy]:
    """A proxy before the store."""
    with proxy_before(store.port) as found:
        yield found
