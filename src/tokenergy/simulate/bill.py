"""The bill of a run: every contract settled on what was metered."""

from tokenergy.company.company import Company
from tokenergy.company.contract import Contract, PpaAsProduced, Spot
from tokenergy.company.inputs import Inputs
from tokenergy.company.settle import MeterSeries, SettlementLine, settle
from tokenergy.dispatch.world import World
from tokenergy.simulate.run import Run


def company_of(world: World) -> Company | None:
    """Return the company behind the arrays; worlds made of arrays alone have none."""
    return world.company


def inputs_of(world: World) -> Inputs | None:
    """Return the series behind the arrays; worlds made of arrays alone have none."""
    return world.inputs


def settle_run(world: World, run: Run) -> tuple[SettlementLine, ...]:
    """Return the lines of every contract over the horizon, contract by contract.

    Prices and profiles are those of the input, not the program's arrays.
    """
    lines: list[SettlementLine] = []
    sites = {site.name: at for at, site in enumerate(world.company.sites)}
    taken = {take.contract_id: at for at, take in enumerate(world.takes)}
    span = slice(world.first, world.last)
    for contract in world.company.contracts:
        site = sites[contract.site]
        series = MeterSeries(
            start=world.moment(world.first),
            step_h=world.step_h,
            time_zone=world.company.sites[site].market.tz,
            spot_usd_per_mwh=world.inputs.price_usd_per_mwh[contract.site][span].tolist(),
            **_metered(world, run, contract, site, taken, span),
        )
        lines += settle(contract, series).lines
    return tuple(lines)


def _metered(
    world: World,
    run: Run,
    contract: Contract,
    site: int,
    taken: dict[str, int],
    span: slice,
) -> dict[str, list[float]]:
    """Return the series that a kind of contract is settled on, beside the price."""
    match contract:
        case Spot():
            return {
                "bought_mwh": run.bought_mwh[site].tolist(),
                "sold_mwh": run.sold_mwh[site].tolist(),
            }
        case PpaAsProduced():
            return {
                "taken_mwh": run.take_mwh[taken[contract.id]].tolist(),
                "profile_share": world.inputs.profile_share[contract.id][span].tolist(),
            }
        case _:
            return {}
