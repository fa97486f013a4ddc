"""Engaged time is the union of the contacts in hand, in whatever order they come and go."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.core.spans import Engagement

CONTACTS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 60), st.integers(0, 25), st.booleans()), max_size=30)


@given(steps=CONTACTS, horizon=st.integers(0, 60))
def test_what_is_counted_is_the_union(steps: list[tuple[int, int, int, bool]], horizon: int) -> None:
    """Instants are counted one by one; halfway what ended before the horizon is forgotten, with all its instants."""
    engagement = Engagement()
    held: dict[str, set[int]] = {}
    counted: set[int] = set()
    for number, (contact, start, length, is_in) in enumerate(steps):
        name = f"c{contact}"
        if number == len(steps) // 2:
            engagement.prune(horizon)
            held = {kept: at for kept, at in held.items() if kept in engagement.intervals}
            counted = set().union(*held.values())
        if is_in and name not in held:
            spans = engagement.insert(name, start, start + length)
            held[name] = set(range(start, start + length))
        else:
            spans = engagement.remove(name)
            held.pop(name, None)
        union = set().union(*held.values())
        changed = [at for span in spans for at in range(span.start, span.end)]
        assert sorted(changed) == sorted(union ^ counted)
        assert {span.sign for span in spans} <= {1 if union - counted else -1}
        counted = union
