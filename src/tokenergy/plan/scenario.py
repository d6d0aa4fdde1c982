"""A scenario: the company and the series of another world, in which a plan has to hold.

What a scenario moves is money (GPUs, their life, the cost of capital), dates (when a connection
delivers), or series (prices, demand, other weather). Series that a seed or another source makes
anew are read by whoever may read files; here stand the company that names them, and what is done
to numbers that are there.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Final

import numpy as np

from tokenergy.company.company import Company
from tokenergy.company.connection import RampStep
from tokenergy.company.fleet import Fleet
from tokenergy.company.inputs import Inputs
from tokenergy.company.planning import Planning, Scenario, SiteSize
from tokenergy.company.site import Site
from tokenergy.dispatch.world import FloatArray
from tokenergy.units import H_PER_YEAR

AS_WRITTEN: Final = "as-written"
"""Name of the file's own world, where the file does not give it one."""


def worlds_of(planning: Planning | None) -> tuple[Scenario, ...]:
    """Return the worlds that a plan is held against, the file's own first where none is it."""
    stated = () if planning is None else planning.scenarios
    if any(is_as_written(scenario) for scenario in stated):
        return stated
    taken = any(scenario.name == AS_WRITTEN for scenario in stated)
    return (Scenario(name=f"{AS_WRITTEN}-file" if taken else AS_WRITTEN), *stated)


def is_as_written(scenario: Scenario) -> bool:
    """Tell whether a scenario changes nothing: it is the file's own world, by another name."""
    plain = Scenario(name=scenario.name, probability_share=scenario.probability_share)
    return scenario == plain


def probability_shares(worlds: Sequence[Scenario]) -> FloatArray:
    """Return how likely each world is: as stated, else all alike; they sum to 1 [W].

    Where the file states shares, a world without one (its own, as written) has none.
    """
    stated = [world.probability_share for world in worlds]
    if all(share is None for share in stated):
        return np.full(len(worlds), 1.0 / len(worlds))
    shares = np.array([share or 0.0 for share in stated])
    return np.asarray(shares / shares.sum())


def reads_series(scenario: Scenario) -> bool:
    """Tell whether series have to be read or made again, instead of being scaled."""
    return scenario.seed is not None or bool(scenario.prices)


def scenario_company(company: Company, scenario: Scenario) -> Company:
    """Return the company of another world: its money, dates, seed and sources of prices.

    The section `plan` stays, so that the same sizes are open; scenarios are gone from it.
    """
    money = company.money
    if scenario.wacc_share is not None:
        money = money.model_copy(update={"wacc_share": scenario.wacc_share})
    planning = company.plan
    if planning is not None:
        planning = planning.model_copy(
            update={
                "sites": tuple(_queue(size, scenario) for size in planning.sites),
                "scenarios": (),
            }
        )
    return company.model_copy(
        update={
            "seed": company.seed if scenario.seed is None else scenario.seed,
            "money": money,
            "sites": tuple(_site(site, scenario) for site in company.sites),
            "fleets": tuple(_fleet(fleet, scenario) for fleet in company.fleets),
            "plan": planning,
        }
    )


def scenario_inputs(company: Company, inputs: Inputs, scenario: Scenario) -> Inputs:
    """Return the series of another world: price x ratio + shift, arrivals x ratio x growth.

    Growth runs by the year of 8,760 h from the start of the horizon, hour by hour, and backwards
    in the history before it. The hub of a virtual contract moves with the market; strikes and
    tariffs stand as signed.

    Args:
        company: whose contracts name hubs.
        inputs: its series, read again where `reads_series` says so.
        scenario: what moves.
    """
    count = len(next(iter(inputs.requests_per_s.values()), ()))
    years = (np.arange(count) - inputs.history_count) * (inputs.step_h / H_PER_YEAR)
    growth = (1.0 + scenario.demand_growth_share_per_year) ** years
    hubs = {f"{each.id}.hub_price" for each in company.contracts if each.kind == "ppa_virtual"}
    return replace(
        inputs,
        price_usd_per_mwh={
            site: _moved(values, scenario) for site, values in inputs.price_usd_per_mwh.items()
        },
        requests_per_s={
            name: values * scenario.demand_ratio * growth
            for name, values in inputs.requests_per_s.items()
        },
        series={
            name: _moved(values, scenario) if name in hubs else values
            for name, values in inputs.series.items()
        },
    )


def _moved(values: FloatArray, scenario: Scenario) -> FloatArray:
    return np.asarray(values * scenario.price_ratio + scenario.price_shift_usd_per_mwh)


def _fleet(fleet: Fleet, scenario: Scenario) -> Fleet:
    """Return a fleet at another price of GPUs, owned or leased, and another life."""
    if fleet.lease is not None:
        usd = fleet.lease.usd_per_gpu_hour * scenario.gpu_price_ratio
        lease = fleet.lease.model_copy(update={"usd_per_gpu_hour": usd})
        return fleet.model_copy(update={"lease": lease})
    if fleet.owned is None:
        return fleet
    update = {"usd_per_gpu": fleet.owned.usd_per_gpu * scenario.gpu_price_ratio}
    if scenario.gpu_life_y is not None:
        update["life_y"] = scenario.gpu_life_y
    return fleet.model_copy(update={"owned": fleet.owned.model_copy(update=update)})


def _site(site: Site, scenario: Scenario) -> Site:
    """Return a site with another source of prices, and with a connection that is late."""
    source = scenario.prices.get(site.name)
    if source is not None:
        market = site.market.model_copy(update={"price": source})
        site = site.model_copy(update={"market": market})
    first = scenario.energised_on.get(site.name)
    if first is None:
        return site
    if not site.ramp:
        # a ramp: nothing stands there before first power (a bare date would leave load unserved)
        whole = RampStep(start=first, mw=site.import_limit_mw)
        return site.model_copy(update={"ramp": (whole,), "energised_on": None})
    late = first - max(site.ramp[0].start, site.energised_on or date.min)
    ramp = tuple(step.model_copy(update={"start": step.start + late}) for step in site.ramp)
    update: dict[str, object] = {"ramp": ramp}
    if site.energised_on is not None:
        update["energised_on"] = site.energised_on + late
    return site.model_copy(update=update)


def _queue(size: SiteSize, scenario: Scenario) -> SiteSize:
    """Return a queue that moves as a whole, by as many days as its first step."""
    first = scenario.energised_on.get(size.name)
    if first is None or not size.queue:
        return size
    late = first - size.queue[0].energised_on
    return size.model_copy(
        update={
            "queue": tuple(
                step.model_copy(update={"energised_on": step.energised_on + late})
                for step in size.queue
            )
        }
    )
