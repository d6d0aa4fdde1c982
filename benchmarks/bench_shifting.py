"""How much cheaper is clean power in every hour when work may move in space and time?

Goals, in this order:
1. No silent wrong answers: every optimum passed our own residual and gap check (the solver's door
   refuses it otherwise), nothing is bought or refused, the load that the work needs is the same in
   every case to 1e-6, and more flexible work never costs more; else this exits with 1 and writes
   nothing.
2. Figures: the cost of 24/7 clean power against the share of flexible load, its slope (EUR/MWh for
   each percentage point) and how the slope falls, beside the published 1.29 +- 0.07 EUR/MWh
   (Riepin, Brown, Zavala, arXiv 2405.00036), with the differences of the set-up.

Three data centres of 100 MW in Germany, Spain and France on the year 2020: prices, wind and sun
are real (`../shared/data`, not shipped: without it this says so and ends). `plan` chooses wind,
sun and battery at each. Nothing may be bought from the grid, so that a site lives on its own
contracts and battery: that is a 24/7 target of 100 % in which stored power counts. Surplus is
curtailed, as in the paper, whose prices then are of no account; and once more sold at the spot
price less 20 EUR/MWh, so that nobody builds in order to sell.

A share of each site's work is flexible: it may run at any of the three within a day; the rest is
held at its site by its latency. A site has GPUs for its mean work and that share on top, so that
its load may deviate by the share in both directions, as in the paper. What those GPUs draw asleep
is made up at every share with fixed load, so that shares are compared at one and the same demand.
"""

import argparse
import gzip
import json
import statistics
import sys
import tempfile
import time
from csv import DictReader
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from record import ROOT, show, write

from tokenergy.api.opened import load
from tokenergy.lp.highs import LinearModel
from tokenergy.plan.capital import standing_usd_per_year
from tokenergy.plan.program import PlanProgram, plan_program

DATA = ROOT.parent / "shared" / "data"
PUBLISHED_EUR_PER_MWH_POINT = (1.29, 0.07)
SHARES = (0.0, 0.1, 0.2, 0.3, 0.4)
MOST_SHARE = 0.4
DAYS = 357.0
NOMINAL_MW = 100.0
RESALE_EUR_PER_MWH = 20.0
"""What surplus earns less than the spot price: nobody builds in order to sell."""
WACC_SHARE = 0.07
WIND_EUR_PER_MW_YEAR = 106_000.0
SUN_EUR_PER_MW_YEAR = 52_000.0
BATTERY_EUR_PER_KWH = 215.0
"""Recalled, not read: assumptions of the size of the Danish Energy Agency's catalogue for 2025,
which the paper uses. Wind 1,120 EUR/kW over 27 years, sun 530 over 35, at 7 % and their upkeep;
6 h of storage at 180 EUR/kWh and 210 EUR/kW."""
BATTERY_H = 6.0
LOAD_SHARE = 1e-6
MOST_MW = 2500.0
ZONES = {
    "germany": ("DE-LU", "DE", "Europe/Berlin", 52.5, 13.4),
    "spain": ("ES", "ES", "Europe/Madrid", 40.4, -3.7),
    "france": ("FR", "FR", "Europe/Paris", 48.9, 2.4),
}
DIFFERENCES = (
    "the paper plans the European power system of 2025 around the centres, in 37 zones by the "
    "hour; here it is the year 2020, by default in steps of 3 h, and no system answers",
    "it takes 56 sets of places and means over them; here it is one set of three",
    "what it moves in time is made good within the same day at the same centre; here it may run up "
    "to 24 h later at any of them, and never earlier",
    "profiles are a country's output over its installed MW (eu_installed_mw), not those of sites",
    "capital costs are of the size of the same catalogue (technology-data, 2025), not its figures",
    "storage is a battery of 6 h; there power and energy of a battery are chosen apart",
    "machines draw power asleep and awake here, and serving follows the catalogue's joules",
)
SURPLUS = ("curtailed", "sold")
SLEEP_W, AWAKE_KW = 71.8, 0.724
"""Of an H100 with its host, asleep and at full rate, as the catalogue has them."""
GPUS = round(NOMINAL_MW / (AWAKE_KW / 1e3))
OUTPUT_TOKENS, RATE_MTOK_PER_H = 150, 32.43
"""Of a request, and of a GPU with the model below: the catalogue's rate at 0.2 s a token."""


def nameplates_mw() -> dict[tuple[str, str], tuple[float, float]]:
    """Return by (country, kind) nameplate MW and capacity factor of 2020.

    A country's output above its stated MW means that these are too low: then it is the nameplate.
    """
    stated = json.loads((DATA / "eu_installed_mw.json").read_text(encoding="utf-8"))
    with gzip.open(DATA / "eu_generation_2020.csv.gz", "rt", encoding="utf-8") as file:
        rows = list(DictReader(file))
    found = {}
    for _, country, *_ in ZONES.values():
        for kind, name in (("wind_on", "Wind Onshore"), ("solar", "Solar")):
            cells = [row[f"{country}.{kind}_mw"] for row in rows]
            made = [max(0.0, float(cell)) for cell in cells if cell]
            most_mw = max(stated[f"2020.{country}"][name], *made)
            found[country, kind] = (most_mw, statistics.fmean(made) / most_mw)
    return found


def company(share: float, *, days: float, step_h: float) -> dict[str, Any]:
    """Return the company in which a share of the load is flexible, as its file says it."""
    plates, filled = nameplates_mw(), {"missing_limit_share": 0.05, "fill": "previous_week"}
    told: dict[str, Any] = {
        "company": f"Shifting {share:.0%}",
        "currency": "EUR",
        "horizon": {"start": "2020-01-08T00:00:00Z", "days": days, "step_h": step_h},
        "history_days": 7,
        "money": {"wacc_share": WACC_SHARE},
        "models": [{"name": "llm", "catalogue": "llama-3.1-8b", "quality_share": 1, "wake_s": 0}],
        "tiers": [
            _tier("held", ttft_limit_s=0.025, deadline_s=0),
            _tier("flexible", ttft_limit_s=60, deadline_s=86400),
        ],
        "plan": {"batteries": [], "contracts": []},
    }
    lists = ("regions", "sites", "contracts", "batteries", "fleets", "workloads")
    told |= {name: [] for name in lists}
    spare_mw = SLEEP_W * GPUS * (MOST_SHARE - share) / 1e6
    for name, (zone, country, time_zone, latitude, longitude) in ZONES.items():
        place = {"name": name, "latitude_deg": latitude, "longitude_deg": longitude}
        told["regions"].append(place)
        price = {"file": str(DATA / "prices_2020.csv.gz"), "column": zone, **filled}
        told["sites"].append(
            place
            | {"market": {"zone": zone, "time_zone": time_zone, "price": price}, "pue": 1,
               "import_limit_mw": 2 * MOST_MW, "export_limit_mw": 2 * MOST_MW,
               "fixed_load_mw": spare_mw, "facility_usd_per_kw": 0}
        )  # fmt: skip
        told["contracts"].append(
            {"kind": "spot", "id": f"{name}-grid", "site": name,
             "resale_spread_usd_per_mwh": RESALE_EUR_PER_MWH}
        )  # fmt: skip
        for kind, eur in (("wind_on", WIND_EUR_PER_MW_YEAR), ("solar", SUN_EUR_PER_MW_YEAR)):
            plate_mw, used_share = plates[country, kind]
            profile = {"file": str(DATA / "eu_generation_2020.csv.gz"), "nameplate_mw": plate_mw,
                       "column": f"{country}.{kind}_mw", **filled}  # fmt: skip
            told["contracts"].append(
                {"kind": "ppa_as_produced", "id": f"{name}-{kind}", "site": name,
                 "project_mw": NOMINAL_MW, "profile": profile, "may_curtail": True,
                 "deemed_generation": True,
                 "strike_usd_per_mwh": round(eur / (8784 * used_share), 4)}
            )  # fmt: skip
            told["plan"]["contracts"].append({"name": f"{name}-{kind}", "most_mw": MOST_MW})
        told["batteries"].append(
            {"name": f"{name}-battery", "site": name, "power_mw": NOMINAL_MW,
             "capacity_mwh": BATTERY_H * NOMINAL_MW, "price_usd_per_kwh": BATTERY_EUR_PER_KWH}
        )  # fmt: skip
        told["plan"]["batteries"].append({"name": f"{name}-battery", "most_mw": MOST_MW})
        told["fleets"].append(
            {"name": f"{name}-h100", "site": name, "accelerator": "H100",
             "gpu_count": round(GPUS * (1.0 + share)), "owned": {"usd_per_gpu": 30000}}
        )  # fmt: skip
        told["workloads"] += _workloads(name, share)
    return told


def _tier(name: str, *, ttft_limit_s: float, deadline_s: float) -> dict[str, Any]:
    return {"name": name, "service_tier": "flex" if deadline_s else "default",
            "ttft_limit_s": ttft_limit_s, "tpot_limit_s": 0.2, "deadline_s": deadline_s,
            "must_serve": True, "price_usd_per_mtok": 100, "value": "from_price"}  # fmt: skip


def _workloads(name: str, share: float) -> list[dict[str, Any]]:
    """Return a site's own work, and the part of it that may move, in requests per second."""
    requests_per_s = RATE_MTOK_PER_H * GPUS * 1e6 / 3600.0 / OUTPUT_TOKENS
    both = (("held", 1.0 - share), ("flexible", share))
    return [
        {"name": f"{name}-{tier}", "tier": tier, "origin": name, "ladder": ["llm"],
         "input_tokens": 300, "output_tokens": OUTPUT_TOKENS,
         "arrivals": {"mean_requests_per_s": part * requests_per_s}}
        for tier, part in both if part > 0.0
    ]  # fmt: skip


def posed(share: float, *, days: float, step_h: float) -> PlanProgram:
    """Return the plan's program of one share."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "shifting.yaml"
        file.write_text(yaml.safe_dump(company(share, days=days, step_h=step_h)), encoding="utf-8")
        opened = load(file)
    return plan_program(opened.company, opened.inputs, opened.catalogue)


def numbers_of(plan: PlanProgram, block: str) -> np.ndarray:
    """Return the numbers of a block's columns, of all intervals."""
    program = plan.program
    within = np.arange(program.columns_per_slot)[program.columns[block].span]
    slots = np.arange(program.slots_count) * program.columns_per_slot
    return np.asarray((slots[:, None] + within).ravel())


def needed_mwh(plan: PlanProgram, serve_mtok: np.ndarray) -> float:
    """Return the load of the work with no replica awake in vain, which free power is burnt by.

    Args:
        serve_mtok: work by interval and route.
    """
    world = plan.world
    by_mtok = []
    for route in world.routes:
        home = world.deployments[route.deployment]
        asleep_mw = world.fleets[home.fleet].sleep_mw_per_gpu * home.gpus_count
        by_mtok.append(
            route.marginal_mwh_per_mtok + (home.base_mw - asleep_mw) / route.rate_mtok_per_h
        )
    standing_mwh = float(world.standing_mw().sum()) * plan.hours_h
    return standing_mwh + float(serve_mtok.sum(axis=0) @ np.array(by_mtok))


def measured(share: float, *, days: float, step_h: float, surplus: str) -> dict[str, Any]:
    """Solve the plan of one share, and return its cost by MWh and what it is made of."""
    began, plan = time.perf_counter(), posed(share, days=days, step_h=step_h)
    numbers, upper = plan.numbers, plan.numbers.upper.copy()
    for block in ("buy", "sell")[: 2 if surplus == "curtailed" else 1]:
        upper[numbers_of(plan, block)] = 0.0
    model = LinearModel(
        plan.program.matrix(), costs=numbers.costs, lower=numbers.lower, upper=upper,
        row_lower=numbers.row_lower, row_upper=numbers.row_upper, offset_usd=plan.offset_usd,
        solver="ipx",
    )  # fmt: skip
    solution = model.solve()
    optimum, sizes = plan.optimum(solution), plan.sizes(solution.columns)
    machines = standing_usd_per_year(plan.company, plan.candidates) * plan.years
    world = plan.world
    load_mwh = needed_mwh(plan, optimum.value("serve"))
    refused = float(optimum.value("refused").sum())
    clean_eur = solution.objective_usd - machines
    return {
        "flexible_share": share,
        "eur_per_mwh": clean_eur / load_mwh,
        "load_mwh": load_mwh,
        "idle_mwh": float(optimum.value("it").sum()) - load_mwh,
        "bought_mwh": float(optimum.value("buy").sum()),
        "sold_share": float(optimum.value("sell").sum()) / load_mwh,
        "refused_mtok": refused,
        "sizes_mw": {name: round(mw, 1) for name, mw in sizes.items()},
        "load_share_by_site": {
            name: round(float(part / optimum.value("it").sum()), 4)
            for name, part in zip(world.site_names, optimum.value("it").sum(axis=0), strict=True)
        },
        "gap_share": solution.gap_share,
        "rows": plan.program.rows_count,
        "seconds": round(time.perf_counter() - began, 1),
    }


def faults(cases: list[dict[str, Any]]) -> list[str]:
    """Return what is wrong with the answers, in words."""
    found = []
    first = cases[0]["load_mwh"]
    for before, case in pairwise(cases):
        share = case["flexible_share"]
        if abs(case["load_mwh"] / first - 1.0) > LOAD_SHARE:
            found.append(f"at {share:.0%} the load is {case['load_mwh']:.3f} MWh, not {first:.3f}")
        if case["eur_per_mwh"] > before["eur_per_mwh"] * (1.0 + 1e-6):
            found.append(f"at {share:.0%} power costs more than at {before['flexible_share']:.0%}")
    for case in cases:
        if (
            case["bought_mwh"] > 1e-6 * case["load_mwh"]
            or case["refused_mtok"] > 1e-6 * case["load_mwh"]
        ):
            found.append(f"at {case['flexible_share']:.0%} something was bought or refused")
    return found


def slopes(cases: list[dict[str, Any]]) -> list[float]:
    """Return by how much each further point of flexible load lowers the cost, EUR/MWh."""
    return [
        (one["eur_per_mwh"] - two["eur_per_mwh"])
        / (100.0 * (two["flexible_share"] - one["flexible_share"]))
        for one, two in pairwise(cases)
    ]


def fitted(cases: list[dict[str, Any]]) -> float:
    """Return the slope of a straight line through all points, EUR/MWh for a point saved."""
    points = [100.0 * case["flexible_share"] for case in cases]
    return -float(np.polyfit(points, [case["eur_per_mwh"] for case in cases], 1)[0])


def shown(surplus: str, cases: list[dict[str, Any]], asked: argparse.Namespace) -> None:
    """Print the table of one way with surplus."""
    steps = ["", *(f"{slope:.2f}" for slope in slopes(cases))]
    show(
        f"24/7 clean power at {', '.join(ZONES)}, surplus {surplus}: {asked.days:g} days of 2020 "
        f"in steps of {asked.step_h:g} h",
        ["flexible load", "EUR/MWh", "a point saves", "wind MW", "sun MW", "battery MW",
         "sold of load"],
        [
            [f"{case['flexible_share']:.0%}", f"{case['eur_per_mwh']:.2f}", saves,
             *(f"{_sum_mw(case, kind):,.0f}" for kind in ("wind_on", "solar", "battery")),
             f"{case['sold_share']:.0%}"]
            for case, saves in zip(cases, steps, strict=True)
        ],
    )  # fmt: skip


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--days", type=float, default=DAYS)
    parser.add_argument("--step-h", type=float, default=3.0)
    asked = parser.parse_args()
    if not (DATA / "eu_generation_2020.csv.gz").exists():
        print("skipped: ../shared/data is not here, and made-up weather would say nothing")
        return 0
    told: dict[str, Any] = {}
    wrong: list[str] = []
    published, band = PUBLISHED_EUR_PER_MWH_POINT
    for surplus in SURPLUS:
        cases = []
        for share in SHARES:
            case = measured(share, days=asked.days, step_h=asked.step_h, surplus=surplus)
            print(f"{surplus}, {share:.0%}: {case['eur_per_mwh']:.2f} EUR/MWh in "
                  f"{case['seconds']} s", file=sys.stderr)  # fmt: skip
            cases.append(case)
        shown(surplus, cases, asked)
        print(
            f"surplus {surplus}: a straight line saves {fitted(cases):.2f} EUR/MWh for each point; "
            f"published: {published} +- {band}"
        )
        wrong += [f"surplus {surplus}: {each}" for each in faults(cases)]
        told[surplus] = {
            "slope_eur_per_mwh_point": fitted(cases),
            "slopes_eur_per_mwh_point": slopes(cases),
            "cases": cases,
        }
    print("\n".join(f"not the same: {each}" for each in DIFFERENCES))
    if wrong:
        print("\n".join(wrong), "nothing is written", sep="\n", file=sys.stderr)
        return 1
    heading = {
        "days": asked.days, "step_h": asked.step_h, "zones": list(ZONES),
        "published_eur_per_mwh_point": published, "published_band": band,
        "differences": list(DIFFERENCES),
    }  # fmt: skip
    write("shifting", heading | told)
    return 0


def _sum_mw(case: dict[str, Any], kind: str) -> float:
    return float(sum(mw for name, mw in case["sizes_mw"].items() if name.endswith(kind)))


if __name__ == "__main__":
    sys.exit(main())
