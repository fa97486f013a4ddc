"""What a notice says."""

from __future__ import annotations

import pytest

from floorpulse.delivery.messages import of_transition
from tests.delivery.test_routing import fired


@pytest.mark.parametrize(
    ("value", "text"),
    [(12_345.0, "12345"), (1_234_567.0, "1234567"), (999.5, "999.5"), (0.83333, "0.8333"), (0.0, "0"), (None, "-")],
)
def test_a_notice_says_the_figure_of_the_alert(value: float | None, text: str) -> None:
    """Shares and means to four digits; of what is counted in thousands no contact is lost."""
    step = fired(kpi="handled", value=value, threshold=10_000.0)

    notice = of_transition(step)

    assert notice.text == f"firing (act): slow, agent:a1: handled {text} over 60m (limit 10000, n 3)"
