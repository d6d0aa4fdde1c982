"""The world map: sites where they stand, what a token costs there, and where requests come from.

Land is dotted, a dot to a cell of `page.land`; longitude and latitude are the axes themselves
(plate carree), so that a row of dots is one line and a place is found without a projection.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import altair as alt

from tokenergy.page import palette
from tokenergy.page.drawing import WIDTH_PX, Rows, titled, with_rows
from tokenergy.page.land import CELL_DEG, land_runs
from tokenergy.page.number import known, significant
from tokenergy.page.stated import Stated

WEST_DEG, EAST_DEG = -170.0, 190.0
SOUTH_DEG, NORTH_DEG = -56.0, 78.0
HEIGHT_RATIO: Final = 0.44
"""Height of the map over its width: a little taller than the degrees, as people know the world."""
NARROW_PX: Final = 520
"""Below this width the labels are those of a narrow page."""
WIDTHS_PX: Final = {"wide": 760.0, "narrow": 330.0}
"""The widths that labels are set out for."""
LETTER_PX, LINE_PX, GAP_PX = 6.6, 14.0, 5.0
LEAST_PX2, MOST_PX2 = 110.0, 640.0
"""Area of a place that serves nothing, and of one that serves everything."""
MOST_FLOWS_COUNT: Final = 80
"""So many flows are drawn, the largest; a table beside the map has all of them."""
POINTS_COUNT: Final = 9
"""A flow is a bow of so many points."""
BOW_RATIO: Final = 0.16


class Box(NamedTuple):
    """A rectangle on the screen, from its left and upper edge, px."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: "Box") -> bool:
        """Tell whether the two overlap."""
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )


def map_chart(
    places: Rows,
    flows: Rows = (),
    *,
    stated: Stated,
    title: str = "What one more token costs at each site",
    basis: str = "marginal: cheapest deployment of each site",
    name: str = "places",
    figure: str = "usd_per_mtok",
    per: str = "Mtok",
) -> Any:
    """Show places on a map of the world: the price as colour and label, the share as size.

    Args:
        places: `labelled` rows: name, kind (`site` or `origin`), latitude_deg, longitude_deg,
            usd_per_mtok (None where unknown), share (of the tokens, 0..1), in_use.
        flows: rows of `bows`, drawn under the places; () leaves them out.
        stated: what the chart states.
        title: of the chart.
        basis: what the price is.
        name: of the rows of places in the document; flows are `<name>_flows`, land is `land`.
        figure: the field that is the price, in the place of `usd_per_mtok`.
        per: what the price is for.
    """
    unit = f"{stated.currency}/{per}"
    layers = [_land()]
    if flows:
        layers.append(_flows(f"{name}_flows"))
    layers += [_origins(name), _sites(name, unit, figure), _labels(name)]
    chart = alt.layer(*layers).properties(
        width=WIDTH_PX,
        height=round(WIDTH_PX * HEIGHT_RATIO),
        title=titled(title, stated.subtitle(unit, basis)),
    )
    chart.usermeta = {"ratio": HEIGHT_RATIO}
    land = [run._asdict() for run in land_runs()]
    rows = {name: places, "land": land} | ({f"{name}_flows": flows} if flows else {})
    return with_rows(chart, **rows)


def labelled(places: Rows, *, figure: str = "usd_per_mtok") -> list[dict[str, Any]]:
    """Return the places with labels that do not lie on each other, on a wide and a narrow page.

    The places that matter most come first: where most tokens are made, then the cheapest. A
    place that has no room for its label has none: its figure is in the table and when pointed at.
    """
    rows = [dict(place) | {"label": _label(place, figure)} for place in places]
    order = sorted(range(len(rows)), key=lambda at: _weight(rows[at], figure))
    for size, width_px in WIDTHS_PX.items():
        points = [screen(row["latitude_deg"], row["longitude_deg"], width_px) for row in rows]
        circles = [_around(x, y, _radius(row)) for (x, y), row in zip(points, rows, strict=True)]
        taken = list(circles)
        for at in order:
            x, y = points[at]
            free = (
                (align, dx, dy, box)
                for align, dx, dy, box in _stands(x, y, rows[at])
                if box.left >= 0.0
                and box.right <= width_px
                and not any(box.meets(other) for other in taken if other is not circles[at])
            )
            align, dx, dy, box = next(free, ("left", 0.0, 0.0, None))
            rows[at] |= {
                "chosen": False,
                f"{size}_label": rows[at]["label"] if box else "",
                f"{size}_align": align,
                f"{size}_dx": dx,
                f"{size}_dy": dy,
            }
            taken += [box] if box else []
    return rows


def screen(latitude_deg: float, longitude_deg: float, width_px: float) -> tuple[float, float]:
    """Return where a place stands on a map of that width, px from the left and upper edge."""
    height_px = width_px * HEIGHT_RATIO
    x = (wrapped(longitude_deg) - WEST_DEG) / (EAST_DEG - WEST_DEG) * width_px
    y = (NORTH_DEG - latitude_deg) / (NORTH_DEG - SOUTH_DEG) * height_px
    return x, y


def wrapped(longitude_deg: float) -> float:
    """Return a longitude as the map counts it: the far east of Asia stands on its right."""
    return (longitude_deg - WEST_DEG) % 360.0 + WEST_DEG


def bows(flows: Rows) -> list[dict[str, Any]]:
    """Return flows as bows, the largest `MOST_FLOWS_COUNT` of them, one row for each point.

    Args:
        flows: source, site, from_latitude_deg, from_longitude_deg, to_latitude_deg,
            to_longitude_deg, and how large each is: `mtok`, or `share` where there is no mtok.
    """
    sized = [(_size(flow), flow) for flow in flows]
    drawn = sorted((each for each in sized if each[0] > 0.0), key=lambda each: -each[0])
    most = max((size for size, _ in drawn), default=1.0)
    rows: list[dict[str, Any]] = []
    for at, (size, flow) in enumerate(drawn[:MOST_FLOWS_COUNT]):
        said = {name: value for name, value in flow.items() if not name.endswith("_deg")}
        for copy, points in enumerate(_bow(flow)):
            for rank, (longitude_deg, latitude_deg) in enumerate(points):
                rows.append(
                    said
                    | {"flow": f"{at} {copy}", "rank": rank, "weight": size / most}
                    | {"longitude_deg": longitude_deg, "latitude_deg": latitude_deg}
                )
    return rows


def _size(flow: Mapping[str, Any]) -> float:
    size = flow.get("mtok", flow.get("share"))
    return size if known(size) else 0.0


def _bow(flow: Mapping[str, Any]) -> Iterator[list[tuple[float, float]]]:
    """Yield the bow of a flow the short way round the world, twice where it leaves the map."""
    x0, y0 = wrapped(flow["from_longitude_deg"]), flow["from_latitude_deg"]
    x1, y1 = wrapped(flow["to_longitude_deg"]), flow["to_latitude_deg"]
    if x1 - x0 > 180.0:
        x1 -= 360.0
    elif x0 - x1 > 180.0:
        x1 += 360.0
    bent = BOW_RATIO * math.hypot(x1 - x0, y1 - y0)
    points = []
    for at in range(POINTS_COUNT):
        along = at / (POINTS_COUNT - 1)
        lift = 4.0 * bent * along * (1.0 - along)
        points.append((x0 + (x1 - x0) * along, y0 + (y1 - y0) * along + lift))
    yield points
    if not WEST_DEG <= x1 <= EAST_DEG:
        turn = 360.0 if x1 < WEST_DEG else -360.0
        yield [(x + turn, y) for x, y in points]


def _label(place: Mapping[str, Any], figure: str) -> str:
    price = place.get(figure)
    if place["kind"] != "site":
        return ""
    return f"{place['name']} {significant(price)}" if known(price) else str(place["name"])


def _weight(place: Mapping[str, Any], figure: str) -> tuple[float, float, str]:
    share, price = place.get("share"), place.get(figure)
    return (
        -(share if known(share) else 0.0),
        price if known(price) else math.inf,
        str(place["name"]),
    )


def _radius(place: Mapping[str, Any]) -> float:
    """Return the radius of a place as it is drawn, px."""
    share = place.get("share")
    area = LEAST_PX2 + (MOST_PX2 - LEAST_PX2) * (share if known(share) else 0.0)
    return math.sqrt(area / math.pi)


def _around(x: float, y: float, radius: float) -> Box:
    return Box(x - radius, y - radius, x + radius, y + radius)


def _stands(
    x: float, y: float, place: Mapping[str, Any]
) -> Iterator[tuple[str, float, float, Box]]:
    """Yield where a label may stand beside its place: right, left, below, above it."""
    if not place["label"]:
        return
    long, half = LETTER_PX * len(str(place["label"])), LINE_PX / 2
    gap = _radius(place) + GAP_PX
    for align, dx, dy in (
        ("left", gap, 0.0),
        ("right", -gap, 0.0),
        ("center", 0.0, gap + half),
        ("center", 0.0, -gap - half),
        ("left", gap, LINE_PX),
        ("left", gap, -LINE_PX),
        ("right", -gap, LINE_PX),
        ("right", -gap, -LINE_PX),
    ):
        left = x + dx - {"left": 0.0, "right": long, "center": long / 2}[align]
        yield align, dx, dy, Box(left, y + dy - half, left + long, y + dy + half)


def _x(field: str = "longitude_deg") -> alt.X:
    scale = alt.Scale(domain=[WEST_DEG, EAST_DEG], nice=False, zero=False)
    return alt.X(f"{field}:Q", axis=None, scale=scale)


def _y() -> alt.Y:
    scale = alt.Scale(domain=[SOUTH_DEG, NORTH_DEG], nice=False, zero=False)
    return alt.Y("latitude_deg:Q", axis=None, scale=scale)


def _land() -> Any:
    """Return the land: a run of cells is a line whose dashes are dots, one to a cell."""
    pitch = f"(width * {CELL_DEG} / {EAST_DEG - WEST_DEG})"
    west = f"(datum.west_deg - ({WEST_DEG}) + 360) % 360 + ({WEST_DEG})"
    mark = alt.Chart(alt.NamedData(name="land")).transform_calculate(
        from_deg=west,
        # a hair longer than its cells, so that rounding never loses the last dot
        to_deg=f"{west} + datum.east_deg - datum.west_deg + {CELL_DEG / 10}",
    )
    return mark.mark_rule(
        style="land",
        strokeCap="round",
        strokeDash=alt.ExprRef(expr=f"[0, {pitch}]"),
        strokeWidth=alt.ExprRef(expr=f"{pitch} * 0.62"),
        clip=True,
        aria=False,
        tooltip=None,
    ).encode(x=_x("from_deg"), x2="to_deg:Q", y=_y())


def _flows(name: str) -> Any:
    mark = alt.Chart(alt.NamedData(name=name)).mark_line(
        color=palette.BLUE, opacity=0.5, strokeCap="round", clip=True, aria=False
    )
    return mark.encode(
        x=_x(),
        y=_y(),
        detail="flow:N",
        order="rank:Q",
        strokeWidth=alt.StrokeWidth(
            "weight:Q", scale=alt.Scale(domain=[0.0, 1.0], range=[0.6, 5.0]), legend=None
        ),
    )


def _origins(name: str) -> Any:
    """Return where requests come from: small squares, so that shape tells them from sites."""
    mark = alt.Chart(alt.NamedData(name=name)).transform_filter("datum.kind == 'origin'")
    return mark.mark_point(style="soft", shape="square", size=34, filled=False, aria=False).encode(
        x=_x(), y=_y(), tooltip=[alt.Tooltip("name:N", title="requests from")]
    )


def _sites(name: str, unit: str, figure: str) -> Any:
    """Return the sites: full where they serve, hollow where they would cost that."""
    # prices differ by factors: by their logarithm, as far as they are above a thousandth
    scale = alt.Scale(range=list(palette.ENDS), type="symlog", constant=1e-3, interpolate="lab")
    above = alt.Legend(orient="top", gradientLength=180, gradientThickness=8, format=",.3~g")
    area = alt.Scale(domain=[0.0, 1.0], range=[LEAST_PX2, MOST_PX2])
    size = alt.Size("share:Q", scale=area, legend=None)
    sites = (
        alt.Chart(alt.NamedData(name=name))
        .transform_filter("datum.kind == 'site'")
        .encode(x=_x(), y=_y())
    )
    tips = [
        alt.Tooltip("name:N", title="site"),
        alt.Tooltip(f"{figure}:Q", title=unit, format=",.4~f"),
        alt.Tooltip("share:Q", title="share of the tokens", format=".1%"),
    ]
    ring = sites.transform_filter("datum.chosen").mark_point(
        style="ink", strokeWidth=7, aria=False, tooltip=None
    )
    hole = sites.transform_filter("!datum.in_use").mark_point(
        style="sheet", filled=True, size=42, opacity=1.0, aria=False, tooltip=None
    )
    return alt.layer(
        ring.encode(size=size),
        sites.mark_point(filled=True, opacity=1.0, aria=False).encode(
            size=size,
            color=alt.Color(f"{figure}:Q", title=unit, scale=scale, legend=above),
            tooltip=tips,
        ),
        hole,
    )


def _labels(name: str) -> Any:
    """Return the labels, set out for the width that the map has."""

    def by_width(field: str) -> alt.ExprRef:
        return alt.ExprRef(expr=f"width < {NARROW_PX} ? datum.narrow_{field} : datum.wide_{field}")

    sites = alt.Chart(alt.NamedData(name=name)).transform_filter("datum.kind == 'site'")
    look: dict[str, Any] = {each: by_width(each) for each in ("align", "dx", "dy")}
    look |= {"text": by_width("label"), "fontWeight": 600, "strokeJoin": "round", "aria": False}
    marks = [sites.mark_text(style=style, tooltip=None, **look) for style in ("halo", "ink-fill")]
    return alt.layer(*(mark.encode(x=_x(), y=_y()) for mark in marks))


def shown_share(rows: Sequence[Mapping[str, Any]]) -> float:
    """Return how much of all flows the drawn ones are, 0..1; 1 where there are none."""
    sizes = sorted((_size(row) for row in rows), reverse=True)
    whole = sum(sizes)
    return sum(sizes[:MOST_FLOWS_COUNT]) / whole if whole > 0.0 else 1.0
