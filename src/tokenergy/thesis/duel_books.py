"""The two companies of the duel, as their files say them: one owns a plant, the other queues.

`examples/duel/own-power.yaml` and `examples/duel/grid-queue.yaml` say the same; a test holds them
against each other. The companies are invented, and identical but for the power book: the plant
behind the meter, what the grid costs beside it, and the months of the queue. Capital, strike,
queue, growth and token price are the bases of the sourced ranges; the rest are assumptions.

Nothing is fixed (no staff, no fixed load): what is fixed favours the larger company, whatever
its power. Demand is level: a company that is short of megawatts would otherwise keep fewer GPUs
busier, and the duel would be about utilisation.
"""

from typing import Any, Final

import numpy as np

from tokenergy.company.catalogue import Catalogue
from tokenergy.company.company import Company
from tokenergy.company.inputs import Inputs
from tokenergy.dispatch.build import build_world
from tokenergy.dispatch.world import World
from tokenergy.errors import InputError
from tokenergy.synthetic.demand import demand_shape
from tokenergy.thesis.inputs import HourlyPrices
from tokenergy.units import H_PER_DAY

ZONES: Final = ("US-TEX-ERCO", "texas")
"""Where both stand, in the real series and in the synthetic feed; else the first zone there is."""
OWN_USD_PER_MWH: Final = 40.0
PLANT_MW: Final = 80.0
"""More than the path of users ever needs; paid by the MWh that is taken."""
DELAY_MONTHS: Final = 36.0
REQUESTS_PER_S: Final = 36_000.0
"""What 12 MW of this hardware answer, a tenth to spare."""
GRID_ADDER_USD_PER_MWH: Final = 14.0
"""Transmission, ancillary services and supplier: brings the feed's year to about 50 USD/MWh."""
STANDBY_ADDER_USD_PER_MWH: Final = 60.0
"""A grid that is rarely used is dear: the owner of a plant lives on its plant."""
SWING_SHARE: Final = 0.3
"""Rise of the busiest hour of a day in the variant in which demand swings."""
WEEKEND_SHARE: Final = 0.1
UTC_OFFSET_H: Final = -6.0


def own_power() -> Company:
    """Return the company with a plant beside it: cheap megawatts, now."""
    plant = {
        "kind": "ppa_as_produced",
        "id": "plant",
        "site": "abilene",
        "project_mw": PLANT_MW,
        "profile": 1.0,
        "strike_usd_per_mwh": OWN_USD_PER_MWH,
        "delivery": "behind_the_meter",
        "may_curtail": True,
    }
    return _company(
        "Own power",
        "Owns a plant beside its halls: the megawatts are there when its users come.",
        contracts=[_grid(STANDBY_ADDER_USD_PER_MWH), plant],
        lead_time_months=0.0,
    )


def grid_queue() -> Company:
    """Return the company that buys from the grid, and waits in a queue for more of it."""
    return _company(
        "Grid queue",
        "Buys from the grid, and waits three years in a queue for more megawatts.",
        contracts=[_grid(GRID_ADDER_USD_PER_MWH)],
        lead_time_months=DELAY_MONTHS,
    )


def _grid(adder_usd_per_mwh: float) -> dict[str, Any]:
    return {
        "kind": "spot",
        "id": "grid",
        "site": "abilene",
        "adder_usd_per_mwh": adder_usd_per_mwh,
        "resale_spread_usd_per_mwh": 3.0,
    }


def _company(
    name: str, about: str, *, contracts: list[dict[str, Any]], lead_time_months: float
) -> Company:
    """Return what both companies are, with the power book of one of them."""
    said = {
        "company": name,
        "about": about,
        "seed": 7,
        "horizon": {"start": "2026-03-02T00:00:00Z", "days": 14, "step_h": 1},
        "money": {"wacc_share": 0.09},
        "contracts": contracts,
        **_hardware(),
        **_demand(),
        "growth": {
            "months": 60,
            "logistic": {"limit_ratio": 8, "rate_share_per_year": 0.693},
            "capacity": "follows",
            "lead_time_months": lead_time_months,
        },
    }
    return Company.model_validate(said)


def _hardware() -> dict[str, Any]:
    site = {
        "name": "abilene",
        "latitude_deg": 32.4,
        "longitude_deg": -99.7,
        "market": {
            "zone": "US-TEX-ERCO",
            "time_zone": "America/Chicago",
            "price": {"synthetic": "texas"},
            "day_ahead_at": "13:30",
        },
        "import_limit_mw": 12,
        "pue": 1.25,
        "facility_usd_per_kw": 12000,
        "facility_life_y": 15,
    }
    fleet = {
        "name": "h100",
        "site": "abilene",
        "accelerator": "H100",
        "gpu_count": 13000,
        "available_share": 0.97,
        "owned": {"usd_per_gpu": 33000, "life_y": 5, "ops_share_per_year": 0.04},
    }
    model = {
        "name": "large",
        "catalogue": "llama-3.1-70b",
        "gpus_per_replica": 4,
        "quality_share": 1,
    }
    return {"sites": [site], "fleets": [fleet], "models": [model]}


def _demand() -> dict[str, Any]:
    tier = {
        "name": "api",
        "service_tier": "default",
        "ttft_limit_s": 2,
        "tpot_limit_s": 0.05,
        "price_usd_per_mtok": 1.5,
        "value": "from_price",
        "users": {"count": 300_000_000},
    }
    workload = {
        "name": "calls",
        "tier": "api",
        "origin": "us",
        "ladder": ["large"],
        "input_tokens": 900,
        "output_tokens": 300,
        "arrivals": {"mean_requests_per_s": REQUESTS_PER_S},
    }
    region = {"name": "us", "latitude_deg": 32.8, "longitude_deg": -96.8}
    return {"regions": [region], "tiers": [tier], "workloads": [workload]}


def book_zone(prices: HourlyPrices) -> str:
    """Return the zone whose prices both companies meet."""
    return next(
        (zone for zone in ZONES if zone in prices.usd_per_mwh), next(iter(prices.usd_per_mwh))
    )


def book_world(
    company: Company, catalogue: Catalogue, prices: HourlyPrices, *, swings: bool = False
) -> World:
    """Return one of the two on the whole days of the given prices.

    Args:
        company: one of the two.
        catalogue: models and accelerators.
        prices: their zone is `book_zone`.
        swings: let demand swing with the day and the week about the same mean; the connection
            is then larger in proportion to the busiest hour.

    Raises:
        InputError: if there is less than a day of prices.
    """
    days = int(prices.hours_count // H_PER_DAY)
    if days < 1:
        raise InputError(f"a duel needs a day of prices, {prices.hours_count} h are given")
    hours_count = days * int(H_PER_DAY)
    shape = np.ones(hours_count)
    if swings:
        shape = demand_shape(
            start=prices.start,
            hours_count=hours_count,
            seed=company.seed,
            utc_offset_h=UTC_OFFSET_H,
            daily_share=SWING_SHARE,
            weekend_share=WEEKEND_SHARE,
            noise_share=0.0,
        )
    horizon = company.horizon.model_copy(update={"start": prices.start, "days": float(days)})
    limit_mw = company.sites[0].import_limit_mw * float(shape.max())
    site = company.sites[0].model_copy(update={"import_limit_mw": limit_mw})
    on_prices = company.model_copy(update={"horizon": horizon, "sites": (site,)})
    zone = book_zone(prices)
    inputs = Inputs(
        start=prices.start,
        step_h=horizon.step_h,
        history_count=0,
        price_usd_per_mwh={"abilene": prices.usd_per_mwh[zone][:hours_count]},
        outdoor_c={},
        profile_share={"plant": np.ones(hours_count)},
        requests_per_s={"calls": REQUESTS_PER_S * shape},
        lengths={},
        synthetic=(zone,) if prices.synthetic else (),
        sources={"sites.abilene.market.price": prices.source},
    )
    return build_world(on_prices, inputs, catalogue)
