"""Sparklines as SVG path data, made on the server: a line for figures, bars for counts."""

from __future__ import annotations

from collections.abc import Sequence

WIDTH, HEIGHT, EDGE = 100, 24, 2


def line(values: Sequence[float | None]) -> str:
    """The path of a line over evenly spaced values; it breaks where a value is missing, `''` where all are."""
    known = [value for value in values if value is not None]
    if not known:
        return ""
    low, high = min(known), max(known)
    step = WIDTH / max(1, len(values) - 1)
    commands, pen_down = [], False
    for index, value in enumerate(values):
        if value is None:
            pen_down = False
            continue
        lone = not pen_down and (index + 1 == len(values) or values[index + 1] is None)
        commands.append(f"{'L' if pen_down else 'M'}{index * step:.1f} {_y(value, low, high):.1f}")
        if lone:  # a single point would draw nothing
            commands.append("h0.1")
        pen_down = True
    return "".join(commands)


def bars(values: Sequence[float]) -> str:
    """The path of one bar for each value from the bottom up; `''` when all are zero."""
    top = max(values, default=0)
    if top <= 0:
        return ""
    slot = WIDTH / len(values)
    wide = slot * 0.7
    return "".join(
        f"M{index * slot:.1f} {HEIGHT}h{wide:.1f}v{-max(1.5, value / top * (HEIGHT - EDGE)):.1f}h{-wide:.1f}z"
        for index, value in enumerate(values)
        if value > 0
    )


def _y(value: float, low: float, high: float) -> float:
    """Top is high; a flat line runs in the middle."""
    if high == low:
        return HEIGHT / 2
    return HEIGHT - EDGE - (value - low) / (high - low) * (HEIGHT - 2 * EDGE)
