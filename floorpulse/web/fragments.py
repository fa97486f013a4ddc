"""Pages as pieces of HTML with ids: a page is put together from them, a live update sends those that changed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment

Piece = tuple[str, str, Any]
"""(id, macro, view): equal views make equal HTML, so only changed ones are rendered, once somebody looks."""


@dataclass(frozen=True, slots=True)
class Area:
    """What one part of the pages holds."""

    pieces: tuple[Piece, ...]
    orders: dict[str, tuple[str, ...]]
    """Container -> ids of its pieces in their order."""


@dataclass
class _Kept:
    view: Any
    version: int
    make: Callable[[], str]

    @cached_property
    def html(self) -> str:
        return self.make()


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

    def view(self, piece: str) -> object:
        """What a piece shows; None for an unknown one."""
        return next((kept[piece].view for kept in self.pieces.values() if piece in kept), None)

    def views(self, area: str) -> list[object]:
        """What the pieces of an area show; empty for an unknown one."""
        return [kept.view for kept in self.pieces.get(area, {}).values()]

    def changes(self, since: int, areas: Iterable[str], fresh: Collection[str] = ()) -> dict[str, Any]:
        """What changed after a version in some areas, and all of the `fresh` ones: pieces and whole orders."""
        wanted = [(area, -1 if area in fresh else since) for area in areas if area in self.pieces]
        return {
            "pieces": {
                id_: kept.html
                for area, after in wanted
                for id_, kept in self.pieces[area].items()
                if kept.version > after
            },
            "orders": {
                container: list(ids)
                for area, after in wanted
                for container, (ids, version) in self.orders[area].items()
                if version > after
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
    """
    The next version, of these areas alone: pieces whose view did not change keep their HTML and their version.

    Not those that come into an order: a page has of the pieces of an order only what stood there.
    """
    version = before.version + 1
    after = Published(version)
    for name, area in areas.items():
        known = before.orders.get(name, {})
        stood = {id_ for ids, _ in known.values() for id_ in ids}
        entered = {id_ for ids in area.orders.values() for id_ in ids} - stood
        old = before.pieces.get(name, {})
        after.pieces[name] = {
            piece[0]: _kept(None if piece[0] in entered else old.get(piece[0]), piece, version, render)
            for piece in area.pieces
        }
        after.orders[name] = {
            container: known[container] if container in known and known[container][0] == ids else (ids, version)
            for container, ids in area.orders.items()
        }
    return after


def _kept(before: _Kept | None, piece: Piece, version: int, render: Render) -> _Kept:
    id_, macro, view = piece
    if before is not None and before.view == view:
        return before
    return _Kept(view, version, partial(render, macro, id_, view))
