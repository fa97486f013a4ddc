"""Where a demo lives: a folder of its own, and the floor that runs in it for as long as the demo does."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path

from floorpulse.embedded import gate
from floorpulse.embedded.floor import RESTARTS_THAT_FAIL, Choice, start_in_background, stop_floor
from floorpulse.embedded.run_file import PartState, RunFile, read_run_file
from schemas.errors import InputError

HOME = Path(".floorpulse-demo")
LOCK_FILE = "demo.lock"
_LOOK_EVERY_S = 0.2

Starting = Callable[[RunFile], None]


@contextmanager
def demo_folder(given: Path | None, home: Path = HOME) -> Iterator[Path]:
    """
    The data folder of one demo: the given one, which must be new or empty, else a fresh one below `home`.

    The one below `home` stays until the next demo, which clears it. InputError: a demo runs there, or the given
    folder holds something.
    """
    if given is not None:
        yield _empty(given)
        return
    folder = gate.made_folder(home) / "floor"
    with gate.lock(home / LOCK_FILE, _refusal(folder)):
        (home / ".gitignore").write_text("*\n", encoding="utf-8")
        stop_floor(folder)  # of a demo that was killed
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        yield folder


@contextmanager
def running_floor(choice: Choice, starting: Starting) -> Iterator[RunFile]:
    """
    A floor in the background that ends with the context; `starting` is told how far its start is.

    InputError: it does not start.
    """
    with ThreadPoolExecutor(1) as pool:
        started = pool.submit(start_in_background, choice)
        try:
            while not wait([started], _LOOK_EVERY_S).done:
                if floor := read_run_file(choice.data):
                    starting(floor)
            floor = started.result()
            starting(floor)
            yield floor
        finally:
            _stop(choice.data, started)


def refuse_failing(data: Path) -> None:
    """InputError when the floor has ended, or one of its parts ends again and again."""
    floor = read_run_file(data)
    if floor is None:
        raise InputError(f"{data}: the floor has ended: see {data / 'logs' / 'supervisor.log'}")
    for part in floor.parts:
        if part.restarts >= RESTARTS_THAT_FAIL and part.state is not PartState.READY:
            raise InputError(f"{part.name} ends again and again: see {data / 'logs' / f'{part.name}.log'}")


def _stop(data: Path, started: Future[RunFile]) -> None:
    """A floor in the middle of its start is stopped as soon as it can be found."""
    while not wait([started], _LOOK_EVERY_S).done:
        stop_floor(data)
    stop_floor(data)


def _empty(folder: Path) -> Path:
    if folder.is_dir() and any(folder.iterdir()):
        raise InputError(f"{folder}: not empty: a demo needs a new folder of its own")
    return gate.made_folder(folder)


def _refusal(folder: Path) -> str:
    """What is said when a demo runs already."""
    floor = read_run_file(folder)
    where = f", its board is at {floor.board()}" if floor else ""
    return f"a demo already runs here{where}: end it with Ctrl-C, or give this one a folder with --data"
