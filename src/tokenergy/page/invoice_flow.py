"""Where the money goes: from each kind of invoice to a site, a model, and the tenant it served."""

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final, Literal

import altair as alt

from tokenergy.page import palette
from tokenergy.page.data import ReportData
from tokenergy.page.drawing import WIDTH_PX, legend, titled, with_rows
from tokenergy.page.html import Column, Section, figure, folded, paragraph, table
from tokenergy.page.number import known, money, percent
from tokenergy.page.rows import Given, Row, unique
from tokenergy.page.sankey import HEIGHT_PX, LEAST_SHARE, Flow, Node, Ribbon, layout
from tokenergy.page.stated import Stated, stated

KINDS: Final = {
    "power": "power",
    "gpu": "GPUs",
    "facility": "facilities",
    "battery": "batteries",
    "api": "APIs",
    "network": "network",
    "wear": "battery wear",
    "staff": "staff",
    "tier": "tiers' own costs",
}
"""What a kind of invoice is called."""
COLUMNS: Final = ("invoice", "site", "model", "tenant")
MOST_COUNTS: Final = {"site": 7, "model": 7, "tenant": 8}
"""So many of a column are drawn by themselves, the largest; the rest together."""
UNUSED, COMPANY, NO_MODEL, ELSEWHERE = "unused", "the company", "no model", "others' servers"
LEAST_WIDTH_PX: Final = 620
BASIS: Final = "usage, and unused capacity beside it; power and wear by MWh, GPUs by GPU-hours"
TITLE: Final = "Where the money goes"
Align = Literal["left", "center", "right"]


def invoice_flow(data: ReportData) -> Section:
    """Return the flow of every invoice to a site, a model and a tenant, with its sums."""
    rows = labelled(data.invoice)
    if not rows:
        body = paragraph(
            "There are no invoices to follow: nothing was paid for, or economics was not asked for."
        )
        return Section(anchor="money", link="Money", title=TITLE, body=body)
    nodes, ribbons = layout(flows_of(rows), last=_last)
    charts: dict[str, Any] = {}
    body = paragraph(
        "Every invoice of the run, followed to the tokens that it paid for. What no token used "
        "is unused capacity and stays with nobody; staff is the company's. Facilities, batteries "
        "and the power of a site that made nothing are everybody's, by MWh, so that a model may "
        "bear money of a site where none of its tokens was made. The tenants of a "
        "simulated company are its tiers; who within a tier is charged what stands in the ledger "
        "of a gateway."
    )
    if nodes:
        charts["money"] = flow_chart(nodes, ribbons, stated=stated(data))
        body += figure(
            "money",
            charts["money"],
            words="Ribbons of money from kinds of invoices on the left over sites and models to "
            "tenants on the right. The table below has the sums by kind and tenant.",
        )
    body += paragraph(_left_out(rows, nodes, data.currency))
    body += sums_table(rows, data, "kind", "tenant")
    more = sums_table(rows, data, "site", "model")
    body += folded("By site and model", more)
    return Section(anchor="money", link="Money", title=TITLE, body=body, charts=charts)


def labelled(invoice: Sequence[Given]) -> list[Row]:
    """Return the paths with what each stop is called, "" among them."""
    return [
        {
            "kind": KINDS.get(row["kind"], str(row["kind"])),
            "site": row["site"] or (ELSEWHERE if row["model"] else COMPANY),
            "model": row["model"] or (UNUSED if row["site"] and not row["tenant"] else NO_MODEL),
            "tenant": row["tenant"] or (UNUSED if row["site"] else COMPANY),
            "usd": row["usd"],
        }
        for row in invoice
        if known(row["usd"])
    ]


def flows_of(rows: Sequence[Given]) -> list[Flow]:
    """Return the flows that are drawn: beyond the largest of a column, the rest together."""
    kept = {name: _largest(rows, name, count) for name, count in MOST_COUNTS.items()}
    others = {name: len({row[name] for row in rows} - chosen) for name, chosen in kept.items()}

    def stop(row: Given, name: str) -> str:
        chosen = row[name] in kept[name]
        return str(row[name]) if chosen else f"{others[name]} other {name}s"

    return [
        Flow(stops=(row["kind"], *(stop(row, name) for name in MOST_COUNTS)), usd=row["usd"])
        for row in rows
    ]


def _largest(rows: Sequence[Given], name: str, count: int) -> set[str]:
    size: dict[str, float] = defaultdict(float)
    for row in rows:
        size[row[name]] += abs(row["usd"])
    named = [each for each in size if not _last(each)]
    chosen = sorted(named, key=lambda each: -size[each])
    if len(chosen) > count:
        chosen = chosen[: count - 1]  # one more stands for the rest
    return {*chosen, *(each for each in size if _last(each))}


def _last(name: str) -> bool:
    return name in (UNUSED, COMPANY, NO_MODEL) or " other " in name


def _left_out(rows: Sequence[Given], nodes: Sequence[Node], currency: str) -> str:
    """Say what the sum is, and which money has no width."""
    whole = math.fsum(row["usd"] for row in rows)
    said = f"The invoices sum to {money(whole)} {currency}; so does each of the tables below."
    credits: dict[str, float] = defaultdict(float)
    for row in rows:
        credits[f"{row['kind']} at {row['site']}"] += row["usd"]
    below = {name: usd for name, usd in credits.items() if usd < 0.0}
    if below:
        named = ", ".join(f"{name} {money(usd)}" for name, usd in sorted(below.items())[:4])
        said += f" What was earned has no width and stands in the tables only: {named}."
    if nodes:
        said += f" A ribbon of less than {percent(LEAST_SHARE, 2)} of it is not drawn."
    return said


def flow_chart(nodes: Sequence[Node], ribbons: Sequence[Ribbon], *, stated: Stated) -> Any:
    """Show money as ribbons between columns of nodes; colours are kinds of invoices.

    Args:
        nodes, ribbons: `page.sankey.layout`.
        stated: what the chart states.
    """
    names = {KINDS[kind]: colour for kind, colour in palette.INVOICES.items()}
    kinds = [name for name in names if any(each.kind == name for each in ribbons)]
    kinds += [kind for kind in unique(each.kind for each in ribbons) if kind not in kinds]
    colour = legend("kind", names, kinds)
    layers = [_ribbons(stated, colour), _nodes(stated), *_labels(), _heads()]
    chart = alt.layer(*layers).properties(
        width=WIDTH_PX - 20,
        height=HEIGHT_PX,
        title=titled(
            "Invoices to sites, models and tenants", stated.subtitle(stated.currency, BASIS)
        ),
    )
    chart.usermeta = {"least_px": LEAST_WIDTH_PX}
    heads = [{"head": head, "column": at} for at, head in enumerate(COLUMNS)]
    return with_rows(chart, money=ribbon_rows(ribbons), money_nodes=[*node_rows(nodes), *heads])


def ribbon_rows(ribbons: Sequence[Ribbon]) -> list[Row]:
    """Return one row for each point of each ribbon."""
    return [
        {
            "ribbon": at,
            "kind": each.kind,
            "source": each.source,
            "target": each.target,
            "usd": round(each.usd, 2),
            "column": round(column, 3),
            "top_px": round(top, 2),
            "bottom_px": round(bottom, 2),
        }
        for at, each in enumerate(ribbons)
        for column, top, bottom in each.points()
    ]


def node_rows(nodes: Sequence[Node]) -> list[Row]:
    """Return one row for each node, with its label."""
    last = max((node.column for node in nodes), default=0)
    return [
        {
            "name": node.name,
            "label": f"{node.name} {_short(node.usd)}",
            "usd": round(node.usd, 2),
            "column": node.column,
            "at_end": node.column == last,
            "top_px": round(node.top_px, 2),
            "bottom_px": round(node.bottom_px, 2),
            "middle_px": round((node.top_px + node.bottom_px) / 2.0, 2),
        }
        for node in nodes
    ]


def _short(usd: float) -> str:
    """Write money in few letters, e.g. `1.24 M`."""
    for size, letter in ((1e9, " bn"), (1e6, " M"), (1e3, " k")):
        if abs(usd) >= size:
            return f"{usd / size:.3g}{letter}"
    return f"{usd:.3g}"


def _x(field: str = "column") -> alt.X:
    scale = alt.Scale(domain=[0.0, len(COLUMNS) - 1], nice=False, zero=False)
    return alt.X(f"{field}:Q", axis=None, scale=scale)


def _y(field: str) -> alt.Y:
    # room above for the heads
    scale = alt.Scale(domain=[-26.0, HEIGHT_PX], nice=False, zero=False, reverse=True)
    return alt.Y(f"{field}:Q", axis=None, scale=scale)


def _ribbons(stated: Stated, colour: alt.Color) -> Any:
    mark = alt.Chart(alt.NamedData(name="money")).mark_area(
        interpolate="monotone", opacity=0.55, aria=False
    )
    return mark.encode(
        x=_x(),
        y=_y("top_px"),
        y2="bottom_px:Q",
        detail="ribbon:N",
        color=colour,
        tooltip=[
            alt.Tooltip("kind:N", title="invoice"),
            alt.Tooltip("source:N", title="from"),
            alt.Tooltip("target:N", title="to"),
            alt.Tooltip("usd:Q", title=stated.currency, format=",.0f"),
        ],
    )


def _nodes(stated: Stated) -> Any:
    mark = alt.Chart(alt.NamedData(name="money_nodes")).transform_filter("isValid(datum.name)")
    bars = mark.mark_rule(style="ink", strokeWidth=7, strokeCap="butt", aria=False)
    return bars.encode(
        x=_x(),
        y=_y("top_px"),
        y2="bottom_px:Q",
        tooltip=[
            alt.Tooltip("name:N"),
            alt.Tooltip("usd:Q", title=stated.currency, format=",.0f"),
        ],
    )


def _labels() -> list[Any]:
    """Return the names of nodes: right of their bars, in the last column left of them."""
    marks = []
    places: tuple[tuple[str, Align, int], ...] = (
        ("!datum.at_end", "left", 8),
        ("datum.at_end", "right", -8),
    )
    for place, align, dx in places:
        base = alt.Chart(alt.NamedData(name="money_nodes")).transform_filter(
            f"isValid(datum.name) && {place}"
        )
        for style in ("halo", "ink-fill"):
            words = base.mark_text(
                style=style, align=align, dx=dx, strokeJoin="round", aria=False, tooltip=None
            )
            marks.append(words.encode(x=_x(), y=_y("middle_px"), text="label:N"))
    return marks


def _heads() -> Any:
    """Return what each column is, above it."""
    base = alt.Chart(alt.NamedData(name="money_nodes")).transform_filter("isValid(datum.head)")
    layers = []
    places: tuple[tuple[str, Align], ...] = (
        ("datum.column == 0", "left"),
        (f"datum.column > 0 && datum.column < {len(COLUMNS) - 1}", "center"),
        (f"datum.column == {len(COLUMNS) - 1}", "right"),
    )
    for place, align in places:
        words = base.transform_filter(place).mark_text(
            style="soft-text", align=align, baseline="top", fontWeight=600, aria=False
        )
        layers.append(words.encode(x=_x(), y=alt.value(0), text="head:N"))
    return alt.layer(*layers)


def sums_table(rows: Sequence[Given], data: ReportData, down: str, across: str) -> str:
    """Return the money by two of the stops, with sums of both; the last is all that was invoiced.

    Args:
        rows: `labelled`.
        data: says currency and period.
        down: the stop that is a row: `kind` or `site`.
        across: the stop that is a column: `tenant` or `model`.
    """
    cells: dict[tuple[str, str], float] = defaultdict(float)
    for row in rows:
        cells[(row[down], row[across])] += row["usd"]
    names = _ordered(rows, down)
    heads = _ordered(rows, across)
    lines: list[Row] = []
    for name in names:
        line: Row = {f"c{at}": cells.get((name, head), 0.0) for at, head in enumerate(heads)}
        lines.append({"name": name, "sum": _sum(rows, down, name)} | line)
    whole: Row = {f"c{at}": _sum(rows, across, head) for at, head in enumerate(heads)}
    lines.append({"name": "all invoices", "sum": math.fsum(row["usd"] for row in rows)} | whole)
    columns = [
        Column(title={"kind": "Invoice"}.get(down, down.capitalize()), name="name"),
        *(Column(title=head, name=f"c{at}", write=_written) for at, head in enumerate(heads)),
        Column(title="Sum", name="sum", write=money),
    ]
    what = {"kind": "invoice", "site": "site"}[down]
    return table(
        f"The money by {what} and {across}",
        stated(data).subtitle(data.currency, BASIS),
        columns,
        lines,
        kinds={len(lines) - 1: "shown"},
    )


def _written(usd: float) -> str:
    return money(usd) if usd else "0"


def _sum(rows: Sequence[Given], name: str, value: str) -> float:
    return math.fsum(row["usd"] for row in rows if row[name] == value)


def _ordered(rows: Sequence[Given], name: str) -> list[str]:
    """Return the stops of a column, largest first, those of nobody last."""
    size: dict[str, float] = defaultdict(float)
    for row in rows:
        size[row[name]] += row["usd"]
    return sorted(size, key=lambda each: (_last(each), -size[each], each))
