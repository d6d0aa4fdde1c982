"""The same small companies as PyPSA networks: a second opinion, written without our program.

Runs in the peer's own interpreter: `python pypsa_peer.py CASES.json ANSWERS.json RUNS`; knows
Tokenergy only by the case file. A network says the same thing in other words:

    market bus   power as it is bought and sold; grid links lead from and to the power bus
    power bus    behind the meter; a storage unit is the battery; a link of 1/PUE leads to racks
    racks bus    what the machines draw
    GPU bus      GPUs of a fleet; a link wakes them into replicas and draws their base at racks
    replica bus  replicas; a link per workload turns them into tokens and draws at racks
    token bus    a load asks, a generator refuses at the tier's value; backlog is a store below 0

Everything is a rate (MW, Mtok/h, GPUs) with the interval as the snapshot's weight. Three things
that components cannot say are rows on top: starts of replicas, a battery that either charges or
discharges, and quality floors.
"""

import json
import logging
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pypsa
import xarray

PLENTY = 1e5
"""Larger than any flow of a small case; components want a finite size."""
EXACT = {
    "solver": "simplex",
    "threads": 1,
    "primal_feasibility_tolerance": 1e-9,
    "dual_feasibility_tolerance": 1e-9,
    "output_flag": False,
}
Case = dict[str, Any]


def main() -> None:
    """Solve every case `RUNS` times after a first that warms up, and write the answers."""
    pypsa.options.api.legacy_string_dtype = False
    for name in ("pypsa", "linopy"):
        logging.getLogger(name).setLevel(logging.ERROR)
    cases = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    answers = {}
    for case in cases:
        runs = [solve(case) for _ in range(int(sys.argv[3]) + 1)][1:]
        answers[case["name"]] = {
            "objective_usd": runs[0]["objective_usd"],
            "rows_count": runs[0]["rows_count"],
            "network_s": [run["network_s"] for run in runs],
            "model_s": [run["model_s"] for run in runs],
            "solve_s": [run["solve_s"] for run in runs],
        }
    Path(sys.argv[2]).write_text(json.dumps(answers), encoding="utf-8")


def solve(case: Case) -> dict[str, float]:
    """Build the network and its model, solve it, and say how long each took."""
    began = time.process_time()
    net = network(case)
    built = time.process_time()
    model = net.optimize.create_model(include_objective_constant=False)
    add_rows(net, model, case)
    modelled = time.process_time()
    status = net.optimize.solve_model(solver_name="highs", io_api="direct", **EXACT)
    solved = time.process_time()
    if status[1] != "optimal":
        raise SystemExit(f"case {case['name']}: PyPSA says {status}")
    return {
        "objective_usd": float(net.objective),
        "rows_count": int(model.constraints.ncons),
        "network_s": built - began,
        "model_s": modelled - built,
        "solve_s": solved - modelled,
    }


def network(case: Case) -> pypsa.Network:
    """Return the company as a network."""
    net = pypsa.Network()
    net.set_snapshots(range(case["count"]))
    for kind in net.snapshot_weightings:
        net.snapshot_weightings[kind] = float(case["step_h"])
    net.add("Carrier", ["power", "GPUs", "replicas", "starts", "tokens"])
    for site in case["sites"]:
        add_site(net, site)
    for contract in case["contracts"]:
        add_contract(net, contract)
    for battery in case["batteries"]:
        add_battery(net, battery, case)
    for fleet in case["fleets"]:
        net.add("Bus", f"GPUs {fleet['name']}", carrier="GPUs")
        net.add(
            "Generator",
            f"GPUs {fleet['name']}",
            bus=f"GPUs {fleet['name']}",
            p_nom=fleet["gpus_count"],
            marginal_cost=fleet["lease_usd_per_gpu_hour"],
        )
        asleep_mw = fleet["sleep_mw_per_gpu"] * fleet["gpus_count"]
        racks = f"racks {fleet['site']}"
        net.add("Load", f"asleep {fleet['name']}", bus=racks, p_set=asleep_mw)
    for deployment in case["deployments"]:
        add_api(net, deployment) if deployment["fleet"] is None else add_replicas(
            net, deployment, case
        )
    for workload in case["workloads"]:
        add_workload(net, workload, case)
    for route in case["routes"]:
        add_route(net, route, case)
    return net


def add_site(net: pypsa.Network, site: Case) -> None:
    """Add market, power and racks of a site with what flows between them."""
    name = site["name"]
    for kind in ("market", "power", "racks"):
        net.add("Bus", f"{kind} {name}", carrier="power")
    net.add(
        "Generator",
        f"buy {name}",
        bus=f"market {name}",
        p_nom=PLENTY,
        marginal_cost=series(net, buying(site)),
    )
    net.add(
        "Generator",
        f"sell {name}",
        bus=f"market {name}",
        p_nom=PLENTY,
        sign=-1.0,
        marginal_cost=series(net, -selling(site)),
    )
    for flow, start, end in (("import", "market", "power"), ("export", "power", "market")):
        net.add(
            "Link",
            f"{flow} {name}",
            bus0=f"{start} {name}",
            bus1=f"{end} {name}",
            p_nom=1.0,
            p_max_pu=series(net, site[f"{flow}_limit_mw"]),
        )
    net.add(
        "Link",
        f"cooling {name}",
        bus0=f"power {name}",
        bus1=f"racks {name}",
        p_nom=PLENTY,
        efficiency=series(net, 1.0 / np.array(site["pue"])),
    )
    net.add("Load", f"fixed {name}", bus=f"racks {name}", p_set=site["fixed_mw"])


def add_contract(net: pypsa.Network, contract: Case) -> None:
    """Add a supply that is there, or must be taken, at its price."""
    side = "power" if contract["behind_the_meter"] else "market"
    net.add(
        "Generator",
        f"contract {contract['name']}",
        bus=f"{side} {contract['site']}",
        p_nom=1.0,
        p_max_pu=series(net, contract["available_mw"]),
        p_min_pu=series(net, contract["floor_mw"]),
        marginal_cost=series(net, contract["usd_per_mwh"]),
    )


def add_battery(net: pypsa.Network, battery: Case, case: Case) -> None:
    """Add a storage unit; what is left at the end is worth its site's mean spot price."""
    site = next(site for site in case["sites"] if site["name"] == battery["site"])
    worth = np.zeros(case["count"])
    worth[-1] = np.mean(site["spot_usd_per_mwh"]) * battery["discharge_eff_share"]
    net.add(
        "StorageUnit",
        battery["name"],
        bus=f"power {battery['site']}",
        p_nom=battery["power_mw"],
        p_min_pu=-1.0,
        max_hours=battery["capacity_mwh"] / battery["power_mw"],
        efficiency_store=battery["charge_eff_share"],
        efficiency_dispatch=battery["discharge_eff_share"],
        marginal_cost=battery["cycle_usd_per_mwh_discharged"],
        marginal_cost_storage=series(net, -worth / case["step_h"]),
        state_of_charge_initial=battery["energy_mwh"],
        cyclic_state_of_charge=False,
    )


def add_replicas(net: pypsa.Network, deployment: Case, case: Case) -> None:
    """Add a link that wakes GPUs into replicas, what may idle, and a link that wakes them."""
    name, gpus, step_h = deployment["name"], deployment["gpus_count"], case["step_h"]
    paid = paid_to_burn(deployment, case)
    net.add("Bus", f"replicas {name}", carrier="replicas")
    net.add("Bus", f"starts {name}", carrier="starts")
    net.add(
        "Link",
        f"awake {name}",
        bus0=f"GPUs {deployment['fleet']}",
        bus1=f"replicas {name}",
        bus2=f"racks {deployment['site']}",
        p_nom=PLENTY,
        efficiency=1.0 / gpus,
        efficiency2=series(net, np.where(paid, 0.0, -extra_base_mw(deployment, case) / gpus)),
    )
    net.add("Generator", f"idle {name}", bus=f"replicas {name}", p_nom=PLENTY, sign=-1.0)
    net.add("Generator", f"starts {name}", bus=f"starts {name}", p_nom=PLENTY)
    net.add(
        "Link",
        f"start {name}",
        bus0=f"starts {name}",
        bus1=f"replicas {name}",
        bus2=f"racks {deployment['site']}",
        p_nom=PLENTY,
        efficiency=-min(1.0, deployment["wake_h"] / step_h),
        efficiency2=series(net, np.where(paid, 0.0, -deployment["wake_mwh"] / step_h)),
    )


def add_api(net: pypsa.Network, deployment: Case) -> None:
    """Add somebody else's model: tokens per hour up to a limit."""
    bus = f"replicas {deployment['name']}"
    net.add("Bus", bus, carrier="replicas")
    limit = min(PLENTY, deployment["limit_mtok_per_h"])
    net.add("Generator", f"API {deployment['name']}", bus=bus, p_nom=limit)


def add_workload(net: pypsa.Network, workload: Case, case: Case) -> None:
    """Add what is asked, what is refused, and a backlog that owes tokens until they are due."""
    bus, asked = f"tokens {workload['name']}", np.array(workload["arrivals_mtok"])
    net.add("Bus", bus, carrier="tokens")
    net.add("Load", bus, bus=bus, p_set=series(net, asked / case["step_h"]))
    net.add(
        "Generator",
        f"refuse {workload['name']}",
        bus=bus,
        p_nom=PLENTY,
        marginal_cost=workload["value_usd_per_mtok"],
    )
    if not workload["defer_count"]:
        return
    due = [(at, mtok) for at, mtok in enumerate(workload["backlog_mtok"])]
    come = [(at, at + workload["defer_count"], mtok) for at, mtok in enumerate(asked)]
    most = [
        sum(mtok for by, mtok in due if by > now)
        + sum(mtok for since, by, mtok in come if since <= now < by)
        for now in range(case["count"])
    ]
    most[-1] = 0.0
    net.add(
        "Store",
        f"backlog {workload['name']}",
        bus=bus,
        e_nom=1.0,
        e_min_pu=series(net, -np.array(most)),
        e_max_pu=0.0,
        e_initial=-sum(workload["backlog_mtok"]),
        e_cyclic=False,
    )


def add_route(net: pypsa.Network, route: Case, case: Case) -> None:
    """Add a link from replicas to tokens."""
    deployment = named(case["deployments"], route["deployment"])
    workload = named(case["workloads"], route["workload"])
    lost = max(0.0, 1.0 - route["quality_share"] / workload["asked_quality_share"])
    usd_per_mtok = (
        route["network_usd_per_mtok"]
        + route["api_usd_per_mtok"]
        + lost * workload["value_usd_per_mtok"]
    )
    link = {
        "bus0": f"replicas {deployment['name']}",
        "bus1": f"tokens {workload['name']}",
        "p_nom": PLENTY,
    }
    if deployment["fleet"] is None:
        net.add("Link", serve(route), **link, efficiency=1.0, marginal_cost=usd_per_mtok)
        return
    rate = route["rate_mtok_per_h"]
    base = np.where(paid_to_burn(deployment, case), extra_base_mw(deployment, case), 0.0)
    net.add(
        "Link",
        serve(route),
        **link,
        efficiency=rate,
        bus2=f"racks {deployment['site']}",
        efficiency2=series(net, -route["marginal_mwh_per_mtok"] * rate - base),
        marginal_cost=usd_per_mtok * rate,
    )


def add_rows(
    net: pypsa.Network, model: Any, case: Case, awake_count: list[float] | None = None
) -> None:
    """Add starts, either charge or discharge, and quality floors.

    `awake_count` says how many replicas of each deployment with a fleet were awake before; None:
    as the case says.
    """
    flow = model.variables["Link-p"]
    own = [d for d in case["deployments"] if d["fleet"] is not None]
    for at, deployment in enumerate(own):
        name, gpus = deployment["name"], deployment["gpus_count"]
        awake = flow.sel(name=f"awake {name}", drop=True)
        start = flow.sel(name=f"start {name}", drop=True)
        before = np.zeros(start.sizes["snapshot"])
        before[0] = deployment["awake_count"] if awake_count is None else awake_count[at]
        rise = 1.0 / gpus * (awake - awake.shift(snapshot=1).fillna(0)) - start
        model.add_constraints(rise <= xarray.DataArray(before, start.coords), name=f"rise {name}")
    for battery in case["batteries"]:
        into, out = (
            model.variables[f"StorageUnit-p_{way}"].sel(name=battery["name"], drop=True)
            for way in ("store", "dispatch")
        )
        model.add_constraints(into + out <= battery["power_mw"], name=f"way {battery['name']}")
    for tier, floor in enumerate(case["floor_share"]):
        routes = [
            route
            for route in case["routes"]
            if named(case["workloads"], route["workload"])["tier"] == tier
        ]
        if floor > 0.0 and routes:
            above = sum(
                (route["quality_share"] - floor)
                * mtok_per_flow(route, case)
                * flow.sel(name=serve(route), drop=True)
                for route in routes
            )
            model.add_constraints(above >= 0.0, name=f"floor {tier}")


def buying(site: Case) -> np.ndarray:
    """Return what a MWh costs at the meter."""
    spot = np.array(site["spot_usd_per_mwh"])
    return (1.0 + site["loss_share"]) * (spot + site["adder_usd_per_mwh"])


def selling(site: Case) -> np.ndarray:
    """Return what a MWh earns at the meter."""
    return np.array(site["spot_usd_per_mwh"]) - site["resale_spread_usd_per_mwh"]


def paid_to_burn(deployment: Case, case: Case) -> np.ndarray:
    """Return when power may be worth less than nothing: then only work draws, no empty replica.

    That is where a sale costs money, or where what must be taken behind the meter exceeds what
    can be exported and what stands there draws.
    """
    site = named(case["sites"], deployment["site"])
    standing_mw = site["fixed_mw"] + sum(
        fleet["sleep_mw_per_gpu"] * fleet["gpus_count"]
        for fleet in case["fleets"]
        if fleet["site"] == site["name"]
    )
    must_mw = sum(
        np.array(contract["floor_mw"])
        for contract in case["contracts"]
        if contract["behind_the_meter"] and contract["site"] == site["name"]
    )
    room_mw = np.array(site["export_limit_mw"]) + np.array(site["pue"]) * standing_mw
    return (selling(site) < 0.0) | (must_mw > room_mw)


def extra_base_mw(deployment: Case, case: Case) -> float:
    """Return what an awake replica draws beyond its GPUs' sleep."""
    asleep_mw = named(case["fleets"], deployment["fleet"])["sleep_mw_per_gpu"]
    return float(deployment["base_mw"] - asleep_mw * deployment["gpus_count"])


def mtok_per_flow(route: Case, case: Case) -> float:
    """Return the tokens that a unit of a route's link makes: a replica-hour's, or one by one."""
    external = named(case["deployments"], route["deployment"])["fleet"] is None
    return 1.0 if external else float(route["rate_mtok_per_h"])


def serve(route: Case) -> str:
    """Return the name of a route's link."""
    return f"serve {route['workload']} on {route['deployment']}"


def named(things: list[Case], name: str) -> Case:
    """Return the thing of that name."""
    return next(thing for thing in things if thing["name"] == name)


def series(net: pypsa.Network, values: Any) -> pd.Series:
    """Return values by snapshot."""
    return pd.Series(np.asarray(values, float), index=net.snapshots)


if __name__ == "__main__":
    main()
