"""The geometry of a flow of money: columns of nodes, and ribbons between neighbouring columns.

Vega-Lite has no such chart, so the places are computed here and drawn as areas. Each ribbon keeps
the kind that it began with, so that one sees in every column what the money was for.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

HEIGHT_PX: Final = 460.0
GAP_PX: Final = 19.0
"""Room between nodes: a label is as high, so that no two labels lie on each other."""
LEAST_SHARE: Final = 1e-4
"""A ribbon thinner than this share of all money is not drawn; tables have it."""
POINTS_COUNT: Final = 11


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """Money that goes by a node of each column; `stops` are their names, the kind first."""

    stops: tuple[str, ...]
    usd: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A bar of a column, from `top_px` down to `bottom_px`; `usd` is all that it stands for."""

    column: int
    name: str
    usd: float
    top_px: float
    bottom_px: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ribbon:
    """Money of one kind from a node of a column to one of the next; tops and bottoms in px."""

    column: int
    kind: str
    source: str
    target: str
    usd: float
    from_top_px: float
    from_bottom_px: float
    to_top_px: float
    to_bottom_px: float

    def points(self) -> list[tuple[float, float, float]]:
        """Return (column, top px, bottom px) along the ribbon, level at both ends."""
        found = []
        for at in range(POINTS_COUNT):
            along = at / (POINTS_COUNT - 1)
            bent = along * along * (3.0 - 2.0 * along)
            top = self.from_top_px + (self.to_top_px - self.from_top_px) * bent
            low = self.from_bottom_px + (self.to_bottom_px - self.from_bottom_px) * bent
            found.append((self.column + along, top, low))
        return found


Links = dict[tuple[str, str, str], float]
"""(kind, source, target) of two neighbouring columns: money."""


def links_of(flows: Sequence[Flow], column: int) -> Links:
    """Return the money between a column and the next, by kind, source and target."""
    links: Links = defaultdict(float)
    for flow in flows:
        links[(flow.stops[0], flow.stops[column], flow.stops[column + 1])] += flow.usd
    return dict(links)


def layout(
    flows: Sequence[Flow], *, last: Callable[[str], bool] = lambda name: False
) -> tuple[list[Node], list[Ribbon]]:
    """Return nodes and ribbons that fill `HEIGHT_PX`; none where no money flows.

    What is 0 or below has no width and is not drawn. Nodes stand largest first.

    Args:
        flows: where the money goes; all have as many stops.
        last: whether a node stands below the others of its column, whatever its size.
    """
    columns_count = len(flows[0].stops) if flows else 0
    every = [links_of(flows, column) for column in range(columns_count - 1)]
    whole = max((sum(usd for usd in links.values() if usd > 0.0) for links in every), default=0.0)
    if whole <= 0.0:
        return [], []
    drawn = [
        {key: usd for key, usd in links.items() if usd > LEAST_SHARE * whole} for links in every
    ]
    sizes = [_sizes(drawn, column) for column in range(columns_count)]
    gaps_px = GAP_PX * max(len(column) - 1 for column in sizes)
    px_per_usd = max(HEIGHT_PX - gaps_px, 0.25 * HEIGHT_PX) / whole
    nodes = [node for at, size in enumerate(sizes) for node in _stacked(at, size, px_per_usd, last)]
    place = {(node.column, node.name): node for node in nodes}
    ribbons = []
    for column, links in enumerate(drawn):
        ribbons += _ribbons(column, links, place, px_per_usd)
    return nodes, ribbons


def _sizes(drawn: Sequence[Links], column: int) -> dict[str, float]:
    """Return what each node of a column stands for: the larger of what comes in and goes out."""
    into: dict[str, float] = defaultdict(float)
    out: dict[str, float] = defaultdict(float)
    if column > 0:
        for (_, _, target), usd in drawn[column - 1].items():
            into[target] += usd
    if column < len(drawn):
        for (_, source, _), usd in drawn[column].items():
            out[source] += usd
    return {name: max(into[name], out[name]) for name in {**into, **out}}


def _stacked(
    column: int, sizes: dict[str, float], px_per_usd: float, last: Callable[[str], bool]
) -> list[Node]:
    nodes, top = [], 0.0
    for name in sorted(sizes, key=lambda name: (last(name), -sizes[name], name)):
        high = sizes[name] * px_per_usd
        nodes.append(
            Node(column=column, name=name, usd=sizes[name], top_px=top, bottom_px=top + high)
        )
        top += high + GAP_PX
    return nodes


def _ribbons(
    column: int, links: Links, place: dict[tuple[int, str], Node], px_per_usd: float
) -> list[Ribbon]:
    """Return the ribbons of a column; at each node they lie in the order of their other ends."""

    def order(key: tuple[str, str, str]) -> tuple[float, float, str]:
        kind, source, target = key
        return place[(column, source)].top_px, place[(column + 1, target)].top_px, kind

    out = {node.name: node.top_px for (at, _), node in place.items() if at == column}
    into = {node.name: node.top_px for (at, _), node in place.items() if at == column + 1}
    found = []
    for key in sorted(links, key=order):
        kind, source, target = key
        high = links[key] * px_per_usd
        found.append(
            Ribbon(
                column=column,
                kind=kind,
                source=source,
                target=target,
                usd=links[key],
                from_top_px=out[source],
                from_bottom_px=out[source] + high,
                to_top_px=into[target],
                to_bottom_px=into[target] + high,
            )
        )
        out[source] += high
        into[target] += high
    return found
