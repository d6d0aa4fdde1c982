"""What a run cost, in parts that add up, its bill settled twice."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tokenergy.company.contract import Spot
from tokenergy.company.settle import SettlementLine
from tokenergy.dispatch.carbon import CARBON_PRICE
from tokenergy.dispatch.columns import quality_loss_usd_per_mtok
from tokenergy.dispatch.terms.metered import Metered
from tokenergy.dispatch.terms.term import HasConstant
from tokenergy.dispatch.world import FloatArray, MeterRate, World
from tokenergy.errors import UnexpectedError
from tokenergy.simulate.bill import company_of, settle_run
from tokenergy.simulate.run import Run

TIE_SHARE = 1e-6
"""How far the two writings of a bill may lie apart, relative to what they sum."""


class BillsDiffer(UnexpectedError):
    """The contracts settled from their own words and the world's arrays disagree."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The cost of a run (dispatch sheet, section 5), every part in USD, a cost above 0.

    Attributes:
        power_usd: the bill by contract and tariff.
        carbon_usd: the company's own price on what its power emits, which nobody bills.
        cycling_usd: wear of batteries.
        lease_usd: GPUs rented by the awake hour.
        network_usd, api_usd: egress and affinity; other people's models.
        refused_usd, downgraded_usd: value lost.
        end_valuation_usd: stored energy at the start less that at the end, at the horizon's
            mean price x discharge efficiency.
        lines: the lines of the bill, where there is a company to settle for.
    """

    power_usd: Mapping[str, float]
    cycling_usd: float
    lease_usd: float
    network_usd: float
    api_usd: float
    refused_usd: float
    downgraded_usd: float
    end_valuation_usd: float
    lines: tuple[SettlementLine, ...]
    carbon_usd: float = 0.0

    @property
    def bill_usd(self) -> float:
        """What the contracts charge."""
        return math.fsum(self.power_usd.values())

    @property
    def cost_usd(self) -> float:
        """The sum of the parts."""
        return math.fsum(self.parts().values())

    def parts(self) -> dict[str, float]:
        """Return every part of the cost, USD; they sum to it."""
        priced = {"carbon": self.carbon_usd} if self.carbon_usd else {}
        return {
            "power": self.bill_usd,
            **priced,
            "cycling": self.cycling_usd,
            "lease": self.lease_usd,
            "network": self.network_usd,
            "api": self.api_usd,
            "refused": self.refused_usd,
            "downgraded": self.downgraded_usd,
            "end_valuation": self.end_valuation_usd,
        }


def account(world: World, run: Run) -> Account:
    """Return what a run cost.

    Raises:
        BillsDiffer: if the settled contracts do not sum to the world's own prices.
    """
    power = {name: float(usd.sum()) for name, usd in power_usd(world, run).items()}
    lines = () if company_of(world) is None else settle_run(world, run)
    if company_of(world) is not None:
        _check_tie(power, lines)
    served = run.serve_mtok.sum(axis=1)
    value = np.array([load.value_usd_per_mtok for load in world.workloads])
    wear = np.array([battery.cycle_usd_per_mwh_discharged for battery in world.batteries])
    return Account(
        power_usd=power,
        cycling_usd=float(wear @ run.discharge_mwh.sum(axis=1)),
        lease_usd=float(lease_usd_per_replica(world) @ run.awake.sum(axis=1)),
        network_usd=float(np.array([r.network_usd_per_mtok for r in world.routes]) @ served),
        api_usd=float(np.array([r.api_usd_per_mtok for r in world.routes]) @ served),
        refused_usd=float(value @ run.refused_mtok.sum(axis=1)),
        downgraded_usd=float(quality_loss_usd_per_mtok(world) @ served),
        end_valuation_usd=float(np.sum(end_valuation_usd(world, run))),
        lines=lines,
        carbon_usd=float(carbon_usd(world, run).sum()),
    )


def power_usd(world: World, run: Run) -> dict[str, FloatArray]:
    """Return what each contract and tariff costs by interval, from the world's own prices [T].

    Spot contracts come first, in the order of the sites (a tariff that supplies a site stands for
    its spot contract); then as-produced ones, blocks, plants, rates, fixed charges, and what the
    program's terms charge. The company's own price of carbon is no part of a bill.
    """
    span = slice(world.first, world.last)
    spot = world.spot_usd_per_mwh[:, span]
    residual = world.buy_usd_per_mwh(spot, span) * run.bought_mwh
    residual = residual - world.sell_usd_per_mwh(spot, span) * run.sold_mwh
    charges = list(zip(spot_ids(world), residual, strict=True))
    for take, taken_mwh in zip(world.takes, run.take_mwh, strict=True):
        sunk = take.sunk_usd_per_h[span] * world.step_h
        charges.append((take.contract_id, take.take_usd_per_mwh[span] * taken_mwh + sunk))
    for block in world.blocks:
        delivered_mwh = block.delivery_mw[span] * world.step_h
        charges.append((block.contract_id, block.strike_usd_per_mwh[span] * delivered_mwh))
    for plant, made_mwh in zip(world.generators, run.generate_mwh, strict=False):
        charges.append((plant.contract_id, plant.usd_per_mwh[span] * made_mwh))
    for rate in world.rates:
        if rate.contract_id != CARBON_PRICE:
            charges.append((rate.contract_id, _rate_usd(world, run, rate)))
    charges += [(sunk.contract_id, sunk.usd[span]) for sunk in world.sunk]
    metered = metered_of(world, run)
    charges += [(term.contract_id, term.charged_usd(world, metered)) for term in world.terms]
    cost: dict[str, FloatArray] = {}
    for name, usd in charges:
        cost[name] = cost[name] + usd if name in cost else usd
    return cost


def cost_usd_by_interval(world: World, run: Run) -> FloatArray:
    """Return the cost of a run by interval [T], USD; it sums to the account's cost.

    The end valuation stands in the last interval.
    """
    value = np.array([load.value_usd_per_mtok for load in world.workloads])
    wear = np.array([battery.cycle_usd_per_mwh_discharged for battery in world.batteries])
    served = np.array([r.network_usd_per_mtok + r.api_usd_per_mtok for r in world.routes])
    cost = np.sum(list(power_usd(world, run).values()), axis=0) + carbon_usd(world, run)
    cost = cost + wear @ run.discharge_mwh + lease_usd_per_replica(world) @ run.awake
    cost = cost + (served + quality_loss_usd_per_mtok(world)) @ run.serve_mtok
    cost = cost + value @ run.refused_mtok
    cost[-1] += np.sum(end_valuation_usd(world, run))
    return np.asarray(cost)


def carbon_usd(world: World, run: Run) -> FloatArray:
    """Return what the company's own price of carbon weighs [T], USD: nobody bills it."""
    usd = np.zeros(world.count)
    for rate in world.rates:
        if rate.contract_id == CARBON_PRICE:
            usd = usd + _rate_usd(world, run, rate)
    for plant, made_mwh in zip(world.generators, run.generate_mwh, strict=False):
        usd = usd + plant.carbon_usd_per_mwh * made_mwh
    return usd


def _rate_usd(world: World, run: Run, rate: MeterRate) -> FloatArray:
    """Return what a rate charges on what went through its meter [T], USD."""
    span = slice(world.first, world.last)
    usd = rate.import_usd_per_mwh[span] * run.import_mwh[rate.site]
    return np.asarray(usd + rate.export_usd_per_mwh[span] * run.export_mwh[rate.site])


def metered_of(world: World, run: Run) -> Metered:
    """Return the meters of a run, as the program's terms are charged on them."""
    return Metered(
        import_mwh=run.import_mwh,
        export_mwh=run.export_mwh,
        load_mwh=run.load_mwh,
        bought_mwh=run.bought_mwh,
        sold_mwh=run.sold_mwh,
        take_mwh=run.take_mwh,
        generate_mwh=run.generate_mwh,
        before={**world.before, **run.initial.contracts},
    )


def spot_ids(world: World) -> tuple[str, ...]:
    """Return the id of each site's spot contract, or of the tariff that supplies it.

    Worlds of arrays alone name it by site.
    """
    company = company_of(world)
    if company is None:
        return tuple(f"spot@{name}" for name in world.site_names)
    supplies = [t for t in company.tariffs if t.energy and t.energy.settles == "supply"]
    by_site = {tariff.site: tariff.id for tariff in supplies}
    by_site |= {c.site: c.id for c in company.contracts if isinstance(c, Spot)}
    return tuple(by_site[name] for name in world.site_names)


def lease_usd_per_replica(world: World) -> FloatArray:
    """Return what an awake replica's GPUs are rented for in one interval [D], USD."""
    return np.array(
        [
            0.0
            if d.external
            else world.fleets[d.fleet].lease_usd_per_gpu_hour * d.gpus_count * world.step_h
            for d in world.deployments
        ]
    )


def end_valuation_usd(world: World, run: Run) -> FloatArray:
    """Return what the horizon took out of each battery, at the end value [B], USD."""
    used_mwh = run.initial.energy_mwh - run.energy_mwh[:, -1]
    return np.asarray(used_mwh * world.end_value_usd_per_mwh())


def constant_usd(world: World) -> float:
    """Return what no decision moves and the program leaves out, USD.

    Blocks, as-produced power that is paid whether taken or not, fixed charges, less what running
    months were billed before the horizon, and the end value of what the batteries hold at the
    start: the cost of an optimum is its objective and this.
    """
    span = slice(world.first, world.last)
    blocks = [b.strike_usd_per_mwh[span] @ b.delivery_mw[span] for b in world.blocks]
    sunk = [take.sunk_usd_per_h[span].sum() for take in world.takes]
    stored_mwh = np.array([b.initial_share * b.capacity_mwh for b in world.batteries])
    held_usd = stored_mwh @ world.end_value_usd_per_mwh()
    fixed = [each.usd[span].sum() for each in world.sunk]
    begun = [term.constant_usd(world) for term in world.terms if isinstance(term, HasConstant)]
    by_h = math.fsum(blocks) + math.fsum(sunk)
    return float(by_h * world.step_h + math.fsum(fixed) + math.fsum(begun) + held_usd)


def _check_tie(power: Mapping[str, float], lines: tuple[SettlementLine, ...]) -> None:
    """Hold the two writings of the bill against each other, contract by contract."""
    amounts: dict[str, list[float]] = {name: [] for name in power}
    for line in lines:
        amounts.setdefault(line.contract_id, []).append(line.amount_usd)
    for name, settled in amounts.items():
        usd = power.get(name, 0.0)
        settled_usd = math.fsum(settled)
        scale_usd = max(1.0, math.fsum(abs(amount) for amount in settled))
        if not abs(settled_usd - usd) <= TIE_SHARE * scale_usd:
            raise BillsDiffer(
                f"contract {name!r}: settled at {settled_usd:.6f} USD, "
                f"the dispatch has {usd:.6f} USD, more than {TIE_SHARE:g} apart"
            )
