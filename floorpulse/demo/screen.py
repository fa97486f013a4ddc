"""What a demo shows on the terminal: one moving line for the phase that runs, and lines that stay above it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn

_SAY_EVERY_S = 60.0


class Screen:
    """Writes to stderr; where that is no terminal, only the lines that stay are written."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True, highlight=False)
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(24),
            TextColumn("{task.fields[detail]}"),
        )
        is_terminal = self.console.is_terminal
        self._bar = Progress(*columns, console=self.console, transient=True, disable=not is_terminal)
        self._task: TaskID | None = None
        self.phases: list[tuple[str, float]] = []
        self._said_at = -_SAY_EVERY_S

    def __enter__(self) -> Screen:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def say(self, line: str) -> None:
        """A line that stays."""
        self.console.print(line, markup=False, soft_wrap=True)

    @contextmanager
    def phase(self, name: str, words: str) -> Iterator[None]:
        """Time a phase, and show it while it runs."""
        began = time.monotonic()
        self._task = self._bar.add_task(words, total=None, detail="")
        try:
            yield
        finally:
            self._bar.remove_task(self._task)
            self._task = None
            self.phases.append((name, time.monotonic() - began))

    def show(self, detail: str, done: float | None = None, total: float | None = None) -> None:
        """How far the phase is; without `total` nobody knows."""
        if self._task is not None:
            self._bar.update(self._task, detail=detail, completed=done or 0, total=total)

    def show_live(self, detail: str) -> None:
        """The line of a phase without end; where nothing moves it is said once a minute."""
        self.show(detail)
        now = time.monotonic()
        if not self.console.is_terminal and now - self._said_at >= _SAY_EVERY_S:
            self._said_at = now
            self.say(detail)
