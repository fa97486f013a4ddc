"""The contacts behind an alert: at most 20, picked by what the rule is about."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from alerting.fields import EvidenceKind
from schemas.alerts import Evidence, RecentContact, SubjectView, Window
from schemas.panes import SHORT_CALL_MS
from schemas.times import from_ms

MOST = 20

Figure = Callable[[RecentContact], float]


def _handle_s(contact: RecentContact) -> float:
    return (contact.talk_ms + contact.hold_ms + contact.wrap_ms) / 1000


_FIGURES: dict[str, Figure] = {
    "handle_s": _handle_s,
    "talk_s": lambda contact: contact.talk_ms / 1000,
    "hold_s": lambda contact: contact.hold_ms / 1000,
    "wrap_s": lambda contact: contact.wrap_ms / 1000,
    "waited_s": lambda contact: contact.waited_ms / 1000,
    "score": lambda contact: contact.score,
}
_RANKED: dict[EvidenceKind, tuple[str, str, int]] = {
    "longest_handle": ("handled", "handle_s", -1),
    "longest_talk": ("handled", "talk_s", -1),
    "longest_hold": ("handled", "hold_s", -1),
    "longest_wrap": ("handled", "wrap_s", -1),
    "longest_wait": ("answered", "waited_s", -1),
    "shortest_handle": ("handled", "handle_s", 1),
    "low_score": ("scored", "score", 1),
}
"""Contacts of which kind, by which figure, largest (-1) or smallest (1) first."""


def evidence(view: SubjectView, window: Window, kind: EvidenceKind, threshold_s: int, now_ms: int) -> list[Evidence]:
    """
    What to copy into the alert: the most extreme first where the rule is about a figure, else the newest first.

    `threshold_s` is T of the service level, for `missed_threshold`. Empty where the engine remembers nothing.
    """
    if kind == "state":
        return _state(view, now_ms)
    if kind == "waiting":
        return [_row(contact, since, "waited_s", (now_ms - since) / 1000) for since, contact in view.waiting()[:MOST]]
    contacts = list(view.contacts(window))
    return _ranked(contacts, *_RANKED[kind]) if kind in _RANKED else _newest(contacts, kind, threshold_s)


def _newest(contacts: list[RecentContact], kind: EvidenceKind, threshold_s: int) -> list[Evidence]:
    if kind == "short":
        return _rows([one for one in _of(contacts, "handled") if one.talk_ms <= SHORT_CALL_MS], "talk_s")
    if kind == "fatal":
        return _rows([one for one in _of(contacts, "scored") if one.fatal], "score")
    if kind == "abandoned":
        return _rows(_of(contacts, "abandoned"), "waited_s")
    if kind == "missed_threshold":
        late = [one for one in _of(contacts, "answered") if one.waited_ms > threshold_s * 1000]
        return _rows(sorted([*late, *_of(contacts, "abandoned")], key=lambda one: one.at_ms), "waited_s")
    return _rows(_of(contacts, "handled"), "handle_s")


def _of(contacts: Iterable[RecentContact], kind: str) -> list[RecentContact]:
    return [contact for contact in contacts if contact.kind == kind]


def _ranked(contacts: list[RecentContact], of: str, what: str, sign: int) -> list[Evidence]:
    figure = _FIGURES[what]
    ordered = sorted(_of(contacts, of), key=lambda one: (sign * figure(one), one.at_ms, one.contact))
    return [_row(one.contact, one.at_ms, what, figure(one)) for one in ordered[:MOST]]


def _rows(contacts: list[RecentContact], what: str) -> list[Evidence]:
    figure = _FIGURES[what]
    return [_row(one.contact, one.at_ms, what, figure(one)) for one in reversed(contacts[-MOST:])]


def _state(view: SubjectView, now_ms: int) -> list[Evidence]:
    held = view.state()
    if held is None:
        return []
    state, reason, since_ms = held
    return [_row(reason or "", since_ms, state, (now_ms - since_ms) / 1000)]


def _row(contact: str, at_ms: int, what: str, value: float) -> Evidence:
    return Evidence(contact=contact, at=from_ms(at_ms), what=what, value=value)
