"""Pages as pieces of HTML with ids: a page is put together from them, a live update sends those that changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from floorpulse.web.alert_views import AlertView
from floorpulse.web.case_views import CaseRow
from floorpulse.web.snapshot import Board, Team

if TYPE_CHECKING:
    from jinja2 import Environment

AREAS = frozenset({"head", "board", "alerts", "cases"})
NO_TEAM = "no-team"
"""The piece of those who are in no team; a team may have any id, `none` too."""
MOST_NEEDS = 8
"""A board with more alerts than this needs the inbox."""
MOST_UNFOLDED = 60
"""On a floor with more agents than this the calm teams begin folded."""

Piece = tuple[str, str, Any]
"""(id, macro, view): equal views make equal HTML, so only changed ones are rendered."""


@dataclass(frozen=True, slots=True)
class Area:
    """What one part of the pages holds."""

    pieces: tuple[Piece, ...]
    orders: dict[str, tuple[str, ...]]
    """Container -> ids of its pieces in their order."""


@dataclass(slots=True)
class _Kept:
    view: Any
    html: str
    version: int


@dataclass(slots=True)
class Published:
    """All pieces as they stand, each with the version at which it changed last."""

    version: int = 0
    pieces: dict[str, dict[str, _Kept]] = field(default_factory=dict)
    orders: dict[str, dict[str, tuple[tuple[str, ...], int]]] = field(default_factory=dict)

    def html(self, piece: str) -> str:
        """The HTML of a piece; `''` for an unknown one."""
        return next((kept[piece].html for kept in self.pieces.values() if piece in kept), "")

    def order(self, container: str) -> tuple[str, ...]:
        """The ids of a container's pieces; empty for an unknown one."""
        return next((orders[container][0] for orders in self.orders.values() if container in orders), ())

    def changes(self, since: int, areas: Iterable[str]) -> dict[str, Any]:
        """What changed after a version in some areas: pieces and whole orders."""
        wanted = [area for area in areas if area in self.pieces]
        return {
            "pieces": {
                id_: kept.html for area in wanted for id_, kept in self.pieces[area].items() if kept.version > since
            },
            "orders": {
                container: list(ids)
                for area in wanted
                for container, (ids, version) in self.orders[area].items()
                if version > since
            },
        }


Render = Callable[[str, str, Any], str]


def renderer(templates: Environment) -> Render:
    """A function that renders a view by its macro in `pieces.html`."""
    module: Any = templates.get_template("pieces.html").module

    def render(macro: str, id_: str, view: Any) -> str:
        return str(getattr(module, macro)(id_, view)).strip()

    return render


def publish(before: Published, areas: dict[str, Area], render: Render) -> Published:
    """The next version: pieces whose view did not change keep their HTML and their version."""
    version = before.version + 1
    after = Published(version, dict(before.pieces), dict(before.orders))
    for name, area in areas.items():
        after.pieces[name] = {
            piece[0]: _kept(before.pieces.get(name, {}).get(piece[0]), piece, version, render) for piece in area.pieces
        }
        known = before.orders.get(name, {})
        after.orders[name] = {
            container: known[container] if container in known and known[container][0] == ids else (ids, version)
            for container, ids in area.orders.items()
        }
    return after


def _kept(before: _Kept | None, piece: Piece, version: int, render: Render) -> _Kept:
    id_, macro, view = piece
    if before is not None and before.view == view:
        return before
    return _Kept(view, render(macro, id_, view), version)


def board_area(board: Board, *, is_empty: bool) -> Area:
    """The pieces of the floor board."""
    pieces: list[Piece] = [("board-empty", "board_empty", None)]
    pieces += [(f"tile-{tile.id}", "tile", tile) for tile in board.tiles]
    shown = board.needs[:MOST_NEEDS]
    pieces += [(f"need-{alert.id}", "need", alert) for alert in shown]
    more = len(board.needs) - len(shown)
    pieces += [("needs-more", "needs_more", more)]
    pieces += [("needs-calm", "needs_calm", None), ("needs-title", "needs_title", len(board.needs))]
    pieces += [(f"queue-{queue.id}", "queue_row", queue) for queue in board.queues]
    orders = {
        "empty": ("board-empty",) if is_empty else (),
        "tiles": tuple(f"tile-{tile.id}" for tile in board.tiles) if not is_empty else (),
        "needs": (*(f"need-{alert.id}" for alert in shown), *(("needs-more",) if more else ())) or ("needs-calm",),
        "teams": tuple(_team_id(team) for team in board.teams),
        "queues": tuple(f"queue-{queue.id}" for queue in board.queues),
    }
    is_large = sum(len(team.agents) for team in board.teams) > MOST_UNFOLDED
    for team in board.teams:
        pieces += _team_pieces(team, folded=is_large and team.head.needs == 0)
        orders[f"rows-{_team_id(team)}"] = tuple(f"agent-{agent.id}" for agent in team.agents)
    return Area(tuple(pieces), orders)


def _team_id(team: Team) -> str:
    return f"team-{team.head.id}" if team.head.id else NO_TEAM


def _team_pieces(team: Team, *, folded: bool) -> list[Piece]:
    id_ = _team_id(team)
    return [
        (id_, "team", folded),
        (f"head-{id_}", "team_head", team.head),
        *((f"agent-{agent.id}", "agent_row", agent) for agent in team.agents),
    ]


def alerts_area(alerts: Sequence[AlertView]) -> Area:
    """The pieces of the inbox."""
    pieces: list[Piece] = [(f"alert-{alert.id}", "alert_row", alert) for alert in alerts]
    ids = tuple(piece[0] for piece in pieces)
    return Area((*pieces, ("alerts-empty", "alerts_empty", None)), {"alerts": ids or ("alerts-empty",)})


def cases_area(cases: Sequence[CaseRow], known: int) -> Area:
    """The pieces of the list of cases; `known` in all, listed or not."""
    pieces: list[Piece] = [(f"case-{case.id}", "case_row", case) for case in cases]
    pieces += [("cases-more", "cases_more", (len(cases), known)), ("cases-empty", "cases_empty", None)]
    ids = tuple(f"case-{case.id}" for case in cases)
    more = ("cases-more",) if known > len(cases) else ()
    return Area(tuple(pieces), {"cases": (*ids, *more) or ("cases-empty",)})


def head_area(alerts: Sequence[AlertView], open_cases: int) -> Area:
    """The counts in the header."""
    needs = sum(1 for alert in alerts if alert.needs_a_person)
    return Area((("count-alerts", "head_count", needs), ("count-cases", "head_count", open_cases)), {})
