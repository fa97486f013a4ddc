"""The supervisor keeps parts alive, tells how they are, and stops them in order."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from floorpulse.embedded import child, launch
from floorpulse.embedded.child import Backoff, last_line
from floorpulse.embedded.parts import Part
from floorpulse.embedded.run_file import PartState, PartStatus, RunFile, read_run_file
from floorpulse.embedded.supervisor import Supervisor
from schemas.errors import ConfigError, Unavailable

Wait = Callable[[Callable[[], object]], None]

SLEEPER = "import signal; signal.pause()"


def python(code: str, *arguments: str) -> tuple[str, ...]:
    """The command of a dummy part; isolated and bare, so that it starts at once."""
    return (sys.executable, "-I", "-S", "-c", code, *arguments)


def part(name: str, code: str = SLEEPER, *arguments: str) -> Part:
    """A dummy part that is ready as soon as it runs."""
    return Part(name, python(code, *arguments), ready=lambda: True, settle_s=0.0, stop_s=5.0)


class Floor:
    """A supervisor of dummy parts, driven by a thread-free loop in the tests."""

    def __init__(self, data: Path, base: list[Part], product: list[Part], prepare: Callable[[], None]) -> None:
        self.data = data
        self.supervisor = Supervisor(base, prepare, product, logs=data, changed=self._write)

    def _write(self, parts: list[PartStatus]) -> None:
        RunFile(supervisor=os.getpid(), parts=parts, settings={"web_port": 1}).write(self.data)

    def tick(self) -> dict[str, PartStatus]:
        """One round, then the parts as the run file shows them."""
        self.supervisor.tick(time.monotonic())
        floor = read_run_file(self.data)
        assert floor is not None
        return {part.name: part for part in floor.parts}

    def is_ready(self) -> bool:
        """One round, then whether all parts are ready by the run file."""
        return all(part.state is PartState.READY for part in self.tick().values())


@contextmanager
def floor_of(
    data: Path, base: list[Part], product: list[Part], prepare: Callable[[], None] = lambda: None
) -> Iterator[Floor]:
    """A floor that is stopped at the end."""
    floor = Floor(data, base, product, prepare)
    with floor.supervisor:
        yield floor


def test_a_killed_part_is_back_within_half_a_second(tmp_path: Path, wait_until: Wait) -> None:
    """After kill -9 the run file soon names another pid, and counts the restart."""
    with floor_of(tmp_path, [part("kafka")], [part("worker")]) as floor:
        wait_until(floor.is_ready)
        pid = floor.tick()["worker"].pid
        assert pid is not None

        os.kill(pid, signal.SIGKILL)
        killed = time.monotonic()
        wait_until(lambda: floor.tick()["worker"].pid not in {None, pid})

        assert time.monotonic() - killed < 0.5
        assert floor.tick()["worker"].restarts == 1
        assert floor.tick()["kafka"].restarts == 0


def test_product_parts_wait_for_base_and_preparation(tmp_path: Path, wait_until: Wait) -> None:
    """Nothing of the product starts before Kafka and the store answer and the floor is prepared."""
    answered, prepared = threading.Event(), threading.Event()
    base = Part("kafka", python(SLEEPER), ready=answered.is_set, settle_s=0.0)

    def prepare() -> None:
        assert answered.is_set()
        assert prepared.wait(10)

    with floor_of(tmp_path, [base], [part("worker")], prepare) as floor:
        wait_until(lambda: floor.tick()["kafka"].state is PartState.STARTING)
        assert floor.tick()["worker"] == PartStatus(name="worker")

        answered.set()
        wait_until(lambda: floor.tick()["kafka"].state is PartState.READY)
        assert floor.tick()["worker"].state is PartState.WAITING

        prepared.set()
        wait_until(floor.is_ready)


def test_preparation_is_tried_again_when_nobody_answers(tmp_path: Path, wait_until: Wait) -> None:
    """A broker that is not quite there yet does not end the floor."""
    failures = [Unavailable("Kafka does not answer")] * 2

    def prepare() -> None:
        if failures:
            raise failures.pop()

    with floor_of(tmp_path, [part("kafka")], [part("worker")], prepare) as floor:
        wait_until(floor.is_ready)

    assert not failures


def test_a_failed_preparation_ends_the_floor(tmp_path: Path) -> None:
    """What cannot be prepared is raised where the supervisor runs, and the parts end."""

    def prepare() -> None:
        raise ConfigError("partition count differs")

    with (
        pytest.raises(ConfigError, match="partition count differs"),
        floor_of(tmp_path, [part("kafka")], [], prepare) as floor,
    ):
        floor.supervisor.run()


def test_parts_stop_in_reverse_order(tmp_path: Path, wait_until: Wait) -> None:
    """The web goes first and Kafka last, each one only when the one before has ended."""
    order = tmp_path / "order"
    code = (
        "import signal, sys\n"
        "def end(*_):\n    open(sys.argv[1], 'a').write(sys.argv[2] + ' '); sys.exit()\n"
        "signal.signal(signal.SIGTERM, end); open(sys.argv[1] + sys.argv[2], 'w'); signal.pause()"
    )
    parts = [part(name, code, str(order), name) for name in ("kafka", "store", "worker", "web")]

    with floor_of(tmp_path, parts[:2], parts[2:]) as floor:
        wait_until(floor.is_ready)
        wait_until(lambda: len(list(tmp_path.glob("order*"))) == 4)

    assert order.read_text().split() == ["web", "worker", "store", "kafka"]


def test_a_part_that_does_not_stop_is_killed(tmp_path: Path, wait_until: Wait) -> None:
    """Deaf to SIGTERM, a part ends by SIGKILL after its time to stop."""
    code = "import signal; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True)\nwhile 1: signal.pause()"
    deaf = Part("worker", python(code), ready=lambda: True, settle_s=0.0, stop_s=0.2)

    with floor_of(tmp_path, [deaf], []) as floor:
        wait_until(lambda: floor.tick() and last_line(tmp_path / "worker.log") == "deaf")
        pid = floor.tick()["worker"].pid
        assert pid is not None

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_part_that_cannot_start_is_shown_as_restarting(tmp_path: Path, wait_until: Wait) -> None:
    """A part that ends at once is tried again, its words are in its log, the others go on."""
    broken = part("web", "import sys; sys.exit('no such command')")
    with floor_of(tmp_path, [part("kafka")], [broken]) as floor:
        wait_until(lambda: floor.tick()["web"].restarts >= 2)

        assert floor.tick()["kafka"].state is PartState.READY

    assert last_line(tmp_path / "web.log") == "no such command"


def test_a_full_disk_does_not_end_a_floor(tmp_path: Path, wait_until: Wait, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run file is written when there is room again, and a log that cannot be turned stays as it is."""
    monkeypatch.setattr(child, "LARGEST_LOG", 100)
    monkeypatch.setattr(child, "LOOK_EVERY_S", 0.0)
    log, fresh = tmp_path / "worker.log", tmp_path / ".run.json.new"
    with floor_of(tmp_path, [part("worker")], []) as floor:
        wait_until(floor.is_ready)
        log.with_suffix(".log.1").symlink_to("/dev/full")
        fresh.symlink_to("/dev/full")
        log.write_bytes(b"x" * 1_000)
        os.kill(floor.tick()["worker"].pid or 0, signal.SIGKILL)

        wait_until(lambda: floor.tick() and floor.supervisor._base[0].restarts == 1)
        assert floor.tick()["worker"].restarts == 0

        fresh.unlink()
        wait_until(lambda: floor.tick()["worker"].restarts == 1)

    assert log.stat().st_size == 1_000


def test_a_part_that_cannot_be_launched_is_tried_again(tmp_path: Path, wait_until: Wait) -> None:
    """No room for its log, no memory, too many processes: there may be some soon, and the others go on."""
    (tmp_path / "web.log").symlink_to(tmp_path / "away" / "web.log")
    with floor_of(tmp_path, [part("kafka")], [part("web")]) as floor:
        wait_until(lambda: floor.tick()["web"].restarts == 1)
        (tmp_path / "away").mkdir()

        wait_until(floor.is_ready)

        restarts = {name: status.restarts for name, status in floor.tick().items()}
    assert restarts == {"kafka": 0, "web": 1}


def test_a_signal_ends_the_floor_whenever_it_comes(tmp_path: Path) -> None:
    """Also between two instructions of the wait for the next round."""
    code = """
import signal, sys
from pathlib import Path
from floorpulse.embedded import supervisor
supervisor.TICK_S = 0.00001
for number in range(200):
    floor = supervisor.Supervisor([], lambda: None, [], logs=Path(sys.argv[1]), changed=lambda parts: None)
    signal.signal(signal.SIGALRM, lambda *_: floor.request_stop())
    signal.setitimer(signal.ITIMER_REAL, 0.005 + number / 100_000)
    with floor:
        floor.run()
"""

    ended = subprocess.run([sys.executable, "-c", code, str(tmp_path)], timeout=20, check=False)

    assert ended.returncode == 0


def test_a_floor_without_its_base_ends(tmp_path: Path) -> None:
    """When the store cannot start at all, the floor ends with the store's own last words."""
    broken = replace(part("store", "import sys; sys.exit('the disk is full')"), ready=lambda: False)

    with (
        pytest.raises(ConfigError, match="store does not start: the disk is full"),
        floor_of(tmp_path, [part("kafka"), broken], []) as floor,
    ):
        floor.supervisor.run()


def test_parts_do_not_outlive_a_killed_supervisor(tmp_path: Path, wait_until: Wait) -> None:
    """When the supervisor dies without a word, the kernel ends its parts."""
    if sys.platform != "linux":
        pytest.skip("the promise is one of Linux")
    launched = json.dumps(["-I", "-S", launch.__file__])
    code = (
        "import json, os, subprocess, sys\n"
        f"child = subprocess.Popen([sys.executable, *json.loads({launched!r}), str(os.getpid()),"
        f" sys.executable, '-I', '-S', '-c', \"print('up', flush=True); {SLEEPER}\"], stdout=sys.stdout)\n"
        "print(child.pid, flush=True)\n" + SLEEPER
    )
    supervisor = subprocess.Popen(python(code), stdout=subprocess.PIPE, text=True)
    assert supervisor.stdout is not None
    lines = {supervisor.stdout.readline().strip(), supervisor.stdout.readline().strip()}
    child = int((lines - {"up"}).pop())

    supervisor.kill()
    supervisor.wait()

    wait_until(lambda: not is_alive(child))
    supervisor.stdout.close()


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that has ended and is not yet collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_waits_double_up_to_ten_seconds() -> None:
    """The first restart comes within half a second, and no wait is longer than 10 s."""
    backoff = Backoff()

    waits = [backoff.after_life_of(0.1) for _ in range(8)]

    assert waits == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0])


def test_a_steady_life_forgets_earlier_deaths() -> None:
    """A part that lived for 30 s is restarted at once again."""
    backoff = Backoff()
    for _ in range(5):
        backoff.after_life_of(1)

    assert backoff.after_life_of(30) == pytest.approx(0.2)


def test_the_log_of_a_part_that_never_ends_stays_small(
    tmp_path: Path, wait_until: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The part before is kept as `.log.1`, and the part writes on; else a floor fills its disk in the end."""
    monkeypatch.setattr(child, "LARGEST_LOG", 1_000)
    monkeypatch.setattr(child, "LOOK_EVERY_S", 0.0)
    log, before = tmp_path / "worker.log", tmp_path / "worker.log.1"
    code = "import sys, time\nwhile True: print('x' * 99, flush=True); time.sleep(0.01)"

    with floor_of(tmp_path, [part("worker", code)], []) as floor:
        wait_until(lambda: floor.is_ready() and before.exists())
        wait_until(lambda: log.stat().st_size > 0)
        sizes = log.stat().st_size, before.stat().st_size

    assert max(sizes) < 20_000
    assert log.read_bytes().startswith(b"xxx")


def test_a_broken_run_file_is_named(tmp_path: Path) -> None:
    """A run file that is none of ours is one line with its path."""
    (tmp_path / "run.json").write_text('{"supervisor": "x", "parts": [], "settings": {}}')

    with pytest.raises(ConfigError, match=r"run\.json: supervisor: "):
        read_run_file(tmp_path)
