"""What power costs in a solved window, without what is charged by the month, the year or an event.

A window is shorter than a month. Billed whole in it, and multiplied to a year or spread over its
tokens, a charge by the month would count many times over: it is left out, and named.
"""

from typing import Final

from tokenergy.dispatch.solve import Optimum
from tokenergy.dispatch.terms.commitment import PermitHours
from tokenergy.dispatch.terms.steps import PriceSteps
from tokenergy.dispatch.terms.survival import Survival
from tokenergy.dispatch.terms.term import block_name
from tokenergy.dispatch.world import RATE_KINDS, World

BY_THE_INTERVAL: Final = ("difference", "shortfall_penalty")
"""Charges that nothing moves and that every interval has of its own."""
NEVER_CHARGE: Final = (PermitHours, Survival)
"""Terms that limit what is done, and bill nothing."""


def moved_power_usd(world: World, optimum: Optimum) -> float:
    """Return what decisions cost by the MWh within the horizon, USD.

    Purchases less sales, what is taken of projects, fuel of plants, and rates on the meter and on
    purchases. Rates of coincident peaks are no charge by the MWh; the company's own price of
    carbon is no charge at all.
    """
    window, live = optimum.window, slice(0, optimum.window.live_count)
    energy_usd_per_mwh = window.rate_usd_per_mwh[RATE_KINDS.index("energy")]
    prices = {
        "buy": window.buy_usd_per_mwh,
        "sell": -window.sell_usd_per_mwh,
        "take": window.take_usd_per_mwh,
        "meter_import": energy_usd_per_mwh,
        "meter_export": window.export_usd_per_mwh,
    }
    usd = sum(float((optimum.value(n, live) * p.T[live]).sum()) for n, p in prices.items())
    made_mwh = optimum.value("generate", live)
    for at, plant in enumerate(world.generators):
        usd += float(made_mwh[:, at] @ window.mean(plant.usd_per_mwh)[live])
    for term in world.terms:
        if isinstance(term, PriceSteps):
            steps_mwh = optimum.value(block_name(term, "steps"), live).sum(axis=0)
            usd += float(steps_mwh @ term.adder_usd_per_mwh)
    return usd


def sunk_usd(world: World, span: slice) -> float:
    """Return what each interval of a span of the world costs whatever is done, USD.

    Deemed generation, differences of virtual contracts, penalties for missing deliveries.
    """
    deemed = sum(float(take.sunk_usd_per_h[span].sum()) for take in world.takes) * world.step_h
    each = (sunk for sunk in world.sunk if sunk.component in BY_THE_INTERVAL)
    return deemed + sum(float(sunk.usd[span].sum()) for sunk in each)


def left_out(world: World) -> tuple[str, ...]:
    """Return the charges that neither of the two counts, each as `<contract> <component>`."""
    counted = (*NEVER_CHARGE, PriceSteps)
    rates = [rate for rate in world.rates if rate.kind == "demand_peak"]
    monthly = [sunk for sunk in world.sunk if sunk.component not in BY_THE_INTERVAL]
    terms = [term for term in world.terms if not isinstance(term, counted)]
    names = [f"{rate.contract_id} {rate.component}" for rate in rates]
    names += [f"{sunk.contract_id} {sunk.component}" for sunk in monthly]
    names += [f"{term.contract_id} {term.component}" for term in terms]
    return tuple(dict.fromkeys(names))
