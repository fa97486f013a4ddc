"""A command imports what it is made of, and nothing of the others."""

from __future__ import annotations

import subprocess
import sys
from itertools import chain
from typing import Any

import pytest
import typer

from floorpulse.cli.main import NOUNS, make_app

WORDS = sorted(set(chain.from_iterable(NOUNS.values())))


def commands(app: typer.Typer) -> dict[str, Any]:
    """The first words of an app."""
    found: Any = typer.main.get_command(app)
    return dict(found.commands)


def test_the_words_are_those_of_the_whole_program() -> None:
    """A command of a module that the table does not name would not be found by its word."""
    assert sorted(commands(make_app())) == WORDS


@pytest.mark.parametrize("word", WORDS)
def test_a_word_has_the_commands_that_it_has_among_all(word: str) -> None:
    """What is left out is nothing of its own, even where two modules make one group."""
    alone, among_all = commands(make_app(word))[word], commands(make_app())[word]

    assert sorted(getattr(alone, "commands", {})) == sorted(getattr(among_all, "commands", {}))
    assert [option.name for option in alone.params] == [option.name for option in among_all.params]


def test_the_worker_imports_nothing_of_the_demo() -> None:
    """A part of a floor would pay a third of a second for all commands at each start."""
    asked = "from floorpulse.cli.main import make_app; make_app('worker')"
    told = "import sys; print('floorpulse.cli.demo' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", f"{asked}; {told}"], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"
