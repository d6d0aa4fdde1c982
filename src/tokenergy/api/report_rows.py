"""What the views of a report read beside what the verbs print: hours, places, flows, invoices."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from tokenergy.api.earning import Economics
from tokenergy.api.opened import OpenCompany
from tokenergy.api.simulating import Simulation
from tokenergy.company.carbon import CarbonLedger
from tokenergy.company.company import Company
from tokenergy.dispatch.carbon import grid_kg_per_mwh
from tokenergy.dispatch.world import World
from tokenergy.economics.invoice_paths import invoice_paths
from tokenergy.economics.reconcile import Invoice
from tokenergy.economics.unit_cost import FullCost
from tokenergy.simulate.run import Run
from tokenergy.units import TOKENS_PER_MTOK

Row = dict[str, Any]
LEAST_MTOK: Final = 1e-6
"""Less than this, one token, is a solver's rounding and no flow."""


def view_rows(
    company: OpenCompany, shown: Simulation | None, pays: Economics | None
) -> dict[str, list[Row]]:
    """Return every field of a report that this file fills, by its name.

    Args:
        company: an opened company.
        shown: its runs; None where none was made.
        pays: whether it pays; without it nobody holds the invoices.
    """
    rows = {"places": place_rows(company.company)}
    if shown is None:
        return rows
    world, run = company.world, shown.runs[shown.shown]
    rows |= {
        "hours": hour_rows(world),
        "asked": asked_rows(world, run),
        "flows": flow_rows(world, run),
    }
    if pays is not None:
        rows["invoice"] = invoice_rows(world, run, shown.full, pays.earned.bills.invoices)
    return rows


def hour_rows(world: World) -> list[Row]:
    """Return what an imported MWh emits, by interval and site that says so.

    Counted through the ledger of the company's price of carbon, else where power is drawn
    (`location`).
    """
    price = world.company.carbon_price
    ledger: CarbonLedger = "location" if price is None else price.ledger
    starts = _starts(world)
    rows: list[Row] = []
    for site in world.company.sites:
        kg_per_mwh = grid_kg_per_mwh(site, world.inputs, ledger)
        if kg_per_mwh is None:
            continue
        rows += [
            {
                "start": start,
                "site": site.name,
                "carbon_ledger": ledger,
                "carbon_kg_per_mwh": round(float(kg), 2),
            }
            for start, kg in zip(starts, kg_per_mwh[world.first : world.last], strict=True)
        ]
    return rows


def asked_rows(world: World, run: Run) -> list[Row]:
    """Return what one Mtok more of each workload cost by interval; none without prices.

    As the policy saw it when the work came, cheapest way of serving it, waiting included. An
    image or a clip of a workload of media is told as `usd_per_item`.
    """
    if run.asked_usd_per_mtok is None:
        return []
    starts, rows = _starts(world), []
    for at, load in enumerate(world.workloads):
        item = load.tokens_per_item_count
        asked = run.asked_usd_per_mtok[at].tolist()
        arrived = world.arrivals_mtok[at, world.first : world.last].tolist()
        rows += [
            {
                "start": start,
                "workload": load.name,
                "usd_per_mtok": float(f"{usd:.6g}"),
                "usd_per_item": None if item is None else _item_usd(usd, item),
                "arrived_mtok": round(mtok, 4),
            }
            for start, usd, mtok in zip(starts, asked, arrived, strict=True)
        ]
    return rows


def _item_usd(usd_per_mtok: float, tokens_count: float) -> float:
    return float(f"{usd_per_mtok * tokens_count / TOKENS_PER_MTOK:.6g}")


def place_rows(company: Company) -> list[Row]:
    """Return the sites and the regions that requests come from, with where they stand."""
    asked = {load.origin for load in company.workloads}
    sites = [
        {"kind": "site", "name": site.name, "time_zone": site.market.time_zone}
        | {"latitude_deg": site.latitude_deg, "longitude_deg": site.longitude_deg}
        for site in company.sites
    ]
    return sites + [
        {"kind": "origin", "name": region.name, "time_zone": None}
        | {"latitude_deg": region.latitude_deg, "longitude_deg": region.longitude_deg}
        for region in company.regions
        if region.name in asked
    ]


def flow_rows(world: World, run: Run) -> list[Row]:
    """Return how much of each workload was served where over the horizon; API's site is "".

    Round trip, distance and network cost are means by token.
    """
    served = run.serve_mtok.sum(axis=1).tolist()
    held: dict[tuple[int, int], list[tuple[Any, float]]] = defaultdict(list)
    whole: dict[int, float] = defaultdict(float)
    for route, mtok in zip(world.routes, served, strict=True):
        if mtok > LEAST_MTOK:
            held[(route.workload, world.deployments[route.deployment].site)].append((route, mtok))
            whole[route.workload] += mtok
    rows = []
    for (at, site), pairs in sorted(held.items()):
        load, mtok = world.workloads[at], sum(mtok for _, mtok in pairs)
        means = {
            name: sum(getattr(route, name) * part for route, part in pairs) / mtok
            for name in ("rtt_ms", "distance_km", "network_usd_per_mtok")
        }
        far = site < 0  # nobody says where somebody else's servers stand
        rows.append(
            {
                "workload": load.name,
                "tier": load.tier,
                "origin": load.origin,
                "site": "" if far else world.site_names[site],
                "served_mtok": mtok,
                "share": mtok / whole[at],
                "rtt_ms": None if far else means["rtt_ms"],
                "distance_km": None if far else means["distance_km"],
                "network_usd_per_mtok": means["network_usd_per_mtok"],
            }
        )
    return rows


def invoice_rows(world: World, run: Run, full: FullCost, invoices: Sequence[Invoice]) -> list[Row]:
    """Return where the money of the invoices went, largest first; a tenant is a tier."""
    paths = invoice_paths(world, run, full, invoices)
    return [path.to_dict() for path in sorted(paths, key=lambda path: -abs(path.usd))]


def _starts(world: World) -> list[str]:
    moments: list[datetime] = [world.moment(at) for at in world.horizon_indices()]
    return [moment.strftime("%Y-%m-%dT%H:%MZ") for moment in moments]
