"""Where a demo lives: a new folder, one demo at a time, and a floor that is left is stopped."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from floorpulse.demo.place import demo_folder, refuse_failing
from floorpulse.embedded.run_file import PartState, PartStatus, RunFile
from schemas.errors import InputError


def run_file(*parts: PartStatus) -> RunFile:
    return RunFile(supervisor=os.getpid(), parts=list(parts), settings={"web_port": 8321})


def test_each_demo_begins_with_an_empty_folder(tmp_path: Path) -> None:
    """What the demo before left is gone."""
    with demo_folder(None, tmp_path) as first:
        (first / "kafka").mkdir()

    with demo_folder(None, tmp_path) as second:
        assert second == first
        assert not list(second.iterdir())


def test_what_a_demo_leaves_is_nothing_for_git(tmp_path: Path) -> None:
    """The home of demos ignores itself."""
    with demo_folder(None, tmp_path):
        assert (tmp_path / ".gitignore").read_text(encoding="utf-8") == "*\n"


def test_a_second_demo_is_refused_with_the_address_of_the_first(tmp_path: Path) -> None:
    """One line says where it runs and what to do."""
    with demo_folder(None, tmp_path) as folder:
        run_file().write(folder)

        with pytest.raises(InputError, match=r"already runs here, its board is at http://127\.0\.0\.1:8321/"):
            demo_folder(None, tmp_path).__enter__()


def test_a_folder_with_something_in_it_is_refused(tmp_path: Path) -> None:
    """A demo never writes into somebody's floor."""
    (tmp_path / "events.csv").touch()

    with pytest.raises(InputError, match="not empty: a demo needs a new folder"):
        demo_folder(tmp_path).__enter__()


def test_a_given_folder_is_made(tmp_path: Path) -> None:
    """And may exist as long as it is empty."""
    for _ in range(2):
        with demo_folder(tmp_path / "new") as folder:
            assert folder.is_dir()


def test_a_part_that_does_not_come_back_ends_the_demo(tmp_path: Path) -> None:
    """Better a line with its log than a wait for ever; a part that came back is fine."""
    back = PartStatus(name="worker", restarts=9, state=PartState.READY)
    run_file(back).write(tmp_path)
    refuse_failing(tmp_path)

    run_file(back.model_copy(update={"state": PartState.RESTARTING})).write(tmp_path)

    with pytest.raises(InputError, match=r"worker ends again and again: see .*worker\.log"):
        refuse_failing(tmp_path)


def test_a_floor_that_has_gone_ends_the_demo(tmp_path: Path) -> None:
    """Somebody stopped it."""
    with pytest.raises(InputError, match="the floor has ended"):
        refuse_failing(tmp_path)
