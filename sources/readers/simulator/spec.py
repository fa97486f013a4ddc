"""How large the simulated floor is and how it behaves, for a contact of 330 s on average."""

from __future__ import annotations

import math
from dataclasses import dataclass

CURVE = (
    2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 11, 16, 24, 39, 32, 39, 42, 41, 39, 36,
    31, 32, 43, 37, 38, 38, 37, 38, 39, 38, 34, 29, 29, 26, 23, 21, 18, 21, 19, 22, 20, 15, 16, 11,
)  # fmt: skip
"""Share of a day's calls per half hour from 00:00, in thousandths: a bank's floor, Sunday to Thursday."""
_FIRST_SLOT, _LAST_SLOT = 17, 33
"""08:30 to 16:30: the plateau with its lunch dip."""
_PLATEAU = CURVE[_FIRST_SLOT:_LAST_SLOT]
SLOT_MS = 30 * 60_000
BUSIEST = max(_PLATEAU) / (sum(_PLATEAU) / len(_PLATEAU))


@dataclass(frozen=True, slots=True)
class FloorSpec:
    """One simulated floor: two teams to a queue. Times in seconds, shares of 1."""

    teams: int = 10
    team_size: int = 13
    timezone: str = "UTC"
    source: str = "simulator"
    calls_per_agent_hour: float = 6.6
    day_variation: float = 0.12
    """Coefficient of variation of the day's Gamma factor."""
    patience_s: float = 380.0
    talk_s: float = 260.0
    talk_sigma: float = 0.9
    short_call_share: float = 0.01
    hold_share: float = 0.25
    hold_s: float = 50.0
    wrap_s: float = 60.0
    wrap_sigma: float = 0.6
    not_taken_share: float = 0.003
    transfer_share: float = 0.08
    ticket_share: float = 0.15
    survey_share: float = 0.12
    evaluation_share: float = 0.01


def load_at(since_start_ms: int) -> float:
    """
    Calls at an instant, relative to the mean of the day.

    The floor's day begins at its start; after eight hours the plateau begins again, so that it never closes.
    """
    return _PLATEAU[since_start_ms // SLOT_MS % len(_PLATEAU)] * len(_PLATEAU) / sum(_PLATEAU)


def lognormal_mu(mean: float, sigma: float) -> float:
    """The mu of a lognormal distribution with a mean."""
    return math.log(mean) - sigma * sigma / 2
