"""Every random draw of the simulator, from one seeded generator."""

from __future__ import annotations

import random

from schemas.times import HOUR_MS, MINUTE_MS
from sources.readers.simulator.spec import FloorSpec, lognormal_mu

_RING_MS = (1_500, 6_500)
NOT_TAKEN_RING_MS = 15_000


class Chance:
    """Durations in ms; the same seed draws the same."""

    def __init__(self, spec: FloorSpec, seed: int) -> None:
        self._spec = spec
        self._random = random.Random(seed)
        self._talk_mu = lognormal_mu(spec.talk_s, spec.talk_sigma)
        self._wrap_mu = lognormal_mu(spec.wrap_s, spec.wrap_sigma)
        shape = 1 / spec.day_variation**2
        self.day_factor = min(1.12, self._random.gammavariate(shape, 1 / shape))
        """The day's own factor of the arrivals, cut off above so that only planted queues are overrun."""

    def happens(self, share: float) -> bool:
        """True with a probability."""
        return self._random.random() < share

    def gap_ms(self, per_hour: float) -> int:
        """Time to the next arrival."""
        return max(1, round(self._random.expovariate(per_hour) * HOUR_MS))

    def patience_ms(self) -> int:
        """How long a customer waits before giving up."""
        return round(self._random.expovariate(1 / self._spec.patience_s) * 1000)

    def ring_ms(self) -> int:
        """How long it rings until the agent takes it."""
        return self._random.randint(*_RING_MS)

    def talk_ms(self, *, short: bool) -> int:
        """Talk without hold; a short call lasts up to 9 s."""
        if short:
            return self._random.randint(1_500, 9_000)
        return round(self._random.lognormvariate(self._talk_mu, self._spec.talk_sigma) * 1000)

    def hold_ms(self) -> int:
        """One hold."""
        return round(self._random.expovariate(1 / self._spec.hold_s) * 1000) + 1_000

    def wrap_ms(self) -> int:
        """After-call work."""
        return round(self._random.lognormvariate(self._wrap_mu, self._spec.wrap_sigma) * 1000)

    def part(self, whole_ms: int) -> int:
        """A part of a duration, between a fifth and four fifths."""
        return round(whole_ms * self._random.uniform(0.2, 0.8))

    def between(self, low_ms: int, high_ms: int) -> int:
        """A duration between two, both inclusive."""
        return self._random.randint(low_ms, high_ms)

    def score(self) -> float:
        """An evaluation, per cent."""
        return round(100 * self._random.betavariate(17, 2.6), 1)

    def csat(self) -> int:
        """A satisfaction answer, 1 to 5."""
        return self._random.choices((1, 2, 3, 4, 5), weights=(4, 4, 10, 32, 50))[0]

    def pauses(self, turn: float) -> list[tuple[int, int, str]]:
        """
        The breaks of a shift as (from since its start, duration, reason), in order.

        `turn`, 0 to 1, is the agent's place in the plan of the queue: those who plan let one go after the other.
        """
        drawn = [
            (self._planned(75, 165, turn), self._minutes(11, 15), "break"),
            (self._planned(185, 330, turn), self._minutes(26, 31), "lunch"),
            (self._planned(345, 450, turn), self._minutes(11, 15), "break"),
        ]
        for _ in range(self._random.randint(1, 3)):
            drawn.append((self._minutes(20, 480), self._minutes(2, 6), "short_break"))
        if self.happens(0.2):
            drawn.append((self._minutes(60, 420), self._minutes(8, 15), "coaching"))
        return sorted(drawn)

    def _planned(self, first: int, last: int, turn: float) -> int:
        return round((first + (last - first) * turn) * MINUTE_MS) + self._minutes(0, 3)

    def _minutes(self, low: int, high: int) -> int:
        return self.between(low * MINUTE_MS, high * MINUTE_MS)
