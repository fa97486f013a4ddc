"""The areas of the pages: what of them is shown and followed by itself, each with its pieces and their order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from floorpulse.web.alert_views import AlertView
from floorpulse.web.case_views import CaseRow
from floorpulse.web.fragments import Area, Piece, Published
from floorpulse.web.snapshot import AgentView, Board, Team, TeamHead

AREAS = frozenset({"head", "board", "alerts", "cases"})
ROWS = "rows-"
"""Before a team's piece: the area, and the container, of its agents."""
NO_TEAM = "no-team"
"""The piece of those who are in no team; a team may have any id, `none` too."""
FOLDED, UNFOLDED = "folded", "unfolded"
"""How a team begins."""
MOST_NEEDS = 8
"""A board with more alerts than this needs the inbox."""
MOST_UNFOLDED = 60
"""On a floor with more agents than this the calm teams begin folded."""
MOST_TEAMS_UNFOLDED = 10
"""On such a floor no more teams than these begin unfolded, however many need somebody."""


@dataclass(frozen=True, slots=True)
class Found:
    """An agent of the board, with the piece of the team in which the row stands."""

    id: str
    name: str
    state: str
    team: str
    team_name: str


def is_area(name: str) -> bool:
    """Whether there may be an area of this name."""
    return name in AREAS or name.startswith(ROWS)


def unfolded(published: Published) -> tuple[str, ...]:
    """The areas of the teams that begin unfolded: their rows stand in a page from its start."""
    return tuple(ROWS + team for team in published.order("teams") if published.view(team) == UNFOLDED)


def board_areas(board: Board, *, is_empty: bool) -> dict[str, Area]:
    """The floor board, and the rows of each team by themselves: a folded team's go to nobody."""
    is_large = sum(len(team.agents) for team in board.teams) > MOST_UNFOLDED
    areas = {"board": _board_area(board, is_empty=is_empty, is_large=is_large)}
    for team in board.teams:
        pieces = tuple((f"agent-{agent.id}", "agent_row", agent) for agent in team.agents)
        rows = ROWS + _team_id(team)
        areas[rows] = Area(pieces, {rows: tuple(piece[0] for piece in pieces)})
    return areas


def _board_area(board: Board, *, is_empty: bool, is_large: bool) -> Area:
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
    for place, team in enumerate(board.teams):  # those with most that needs somebody come first
        calm = team.head.needs == 0 or place >= MOST_TEAMS_UNFOLDED
        id_ = _team_id(team)
        pieces += [(id_, "team", FOLDED if is_large and calm else UNFOLDED), (f"head-{id_}", "team_head", team.head)]
    return Area(tuple(pieces), orders)


def find_agents(published: Published, text: str, most: int) -> list[Found]:
    """The listed agents whose id or name holds a text, those whose id or name begins with it first."""
    wanted = text.strip().casefold()
    found = [one for one in _listed(published) if any(wanted in words for words in _words(one))]
    found.sort(key=lambda one: (not any(words.startswith(wanted) for words in _words(one)), one.id))
    return found[:most]


def _words(found: Found) -> tuple[str, str]:
    return found.id.casefold(), found.name.casefold()


def _listed(published: Published) -> Iterator[Found]:
    for team in published.order("teams"):
        head = published.view(f"head-{team}")
        for agent in published.views(ROWS + team):
            if isinstance(agent, AgentView) and isinstance(head, TeamHead):
                yield Found(agent.id, agent.name, agent.words, team, head.name)


def _team_id(team: Team) -> str:
    return f"team-{team.head.id}" if team.head.id else NO_TEAM


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
