"""Write docs/pictures: the product's own charts of the example companies, by its public API.

Run by `make docs`. The charts are those of `tokenergy report`, cut to a few workloads.
"""

import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import tokenergy as te
from tokenergy.economics.supply_curve import supply_curve
from tokenergy.page import pay_rows
from tokenergy.page.charts import chart_svg, price_parts_chart, supply_chart
from tokenergy.page.restraint_charts import restraint_chart
from tokenergy.page.rows import cheapest_rows, demand_rows, supply_rows
from tokenergy.page.stated import Stated, span
from tokenergy.page.user_charts import profit_chart
from tokenergy.thesis.restraint_world import restraint_of_world

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "pictures"
COMPANY = ROOT / "examples" / "meridian.yaml"
FREE_TIER = ROOT / "examples" / "sora_like.yaml"
WORKLOADS = ("chat-america", "films")
ROUNDING_USD_PER_MTOK = 1e-9
VALUE_TOP_TENTH_SHARE = 0.5
"""Part of the free tier's value in a tenth of its requests: an assumption, as in the thesis."""


def write_pictures(folder: Path) -> list[Path]:
    """Write every picture into a folder and return the files."""
    company = te.load(COMPANY)
    board, stated = te.price(company), _stated(company)
    step_h = company.heading()["horizon"]["step_h"]
    rows = cheapest_rows([row.to_dict() for row in board.prices], step_h=step_h)
    shown = [_without_rounding(row) for row in rows if row["workload"] in WORKLOADS]
    charts = {
        "price-in-parts": price_parts_chart(shown, stated=stated),
        "supply-curve": _supply(company, stated.over(shown[:1])),
        "profit-against-users": _profit(te.load(FREE_TIER)),
        "restraint-by-request": _restraint(te.load(COMPANY, days=1)),
    }
    return [chart_svg(chart, folder / f"{name}.svg") for name, chart in charts.items()]


def _stated(company: te.OpenCompany) -> Stated:
    horizon = company.heading()["horizon"]
    return Stated(
        currency=company.company.currency,
        period=span(horizon["start"], horizon["end"]),
        synthetic=bool(company.synthetic),
    )


def _without_rounding(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row whose rest is 0 where it is only rounding: it would stand in the legend."""
    rest = row["other_usd_per_mtok"]
    return row | {"other_usd_per_mtok": 0.0 if abs(rest) < ROUNDING_USD_PER_MTOK else rest}


def _supply(company: te.OpenCompany, stated: Stated) -> Any:
    """Return the supply curves of the workloads in the first interval."""
    world = company.world
    asked = {spec.name: at for at, spec in enumerate(world.workloads) if spec.name in WORKLOADS}
    segments = {
        name: [segment.to_dict() for segment in supply_curve(world, workload=at, at=world.first)]
        for name, at in asked.items()
    }
    demand = {name: float(world.arrivals_mtok[at, world.first]) for name, at in asked.items()}
    lines = demand_rows(segments, demand)
    return supply_chart(supply_rows(segments, demand), lines, stated=stated)


def _profit(company: te.OpenCompany) -> Any:
    """Return profit against users, today and with restraint, as the report draws it."""
    scale = te.economics(company).to_dict()["scale"]
    curves = pay_rows.curves_of({"scale": scale})
    start = company.company.horizon.start
    end = start + timedelta(hours=scale["today"]["window_h"])
    return profit_chart(
        pay_rows.profit_rows(curves),
        pay_rows.profit_marks(curves),
        stated=replace(
            _stated(company),
            period=f"a year of hours like {span(start.isoformat(), end.isoformat())}",
        ),
        capacity=scale["capacity"],
    )


def _restraint(company: te.OpenCompany) -> Any:
    """Return what each way of restraint keeps of the free tier, request by request."""
    found = restraint_of_world(
        company.world, "free", value_top_tenth_share=VALUE_TOP_TENTH_SHARE, seeds_count=3,
        requests_count=20_000,
    )  # fmt: skip
    return restraint_chart(found.to_dict(), stated=_stated(company))


def main() -> None:
    """Write the pictures of the pages."""
    FOLDER.mkdir(exist_ok=True)
    for file in write_pictures(FOLDER):
        sys.stdout.write(f"wrote {file.relative_to(ROOT)}, {file.stat().st_size:,} bytes\n")


if __name__ == "__main__":
    main()
