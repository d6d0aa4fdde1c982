"""Contracts of open size against the prices that they are settled on: money for nothing.

What needs both a company and its series, and no dispatch. Each MWh of a contract is worth at least
what reselling it brings; where that exceeds its price in every hour, more of it is always better,
and no plan says anything but the most.
"""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from tokenergy.company.company import Company
from tokenergy.company.contract import Spot
from tokenergy.company.finding import Finding
from tokenergy.company.inputs import FloatArray, Inputs

STRUCK: Final = frozenset({"block", "ppa_as_produced", "ppa_baseload", "ppa_virtual", "colocation"})
"""Kinds with a strike and a size. Fuel is never below 0, so a plant on site is no such case."""
NEARLY_USD_PER_MWH: Final = 1e-9


def open_contract_findings(company: Company, inputs: Inputs) -> Iterator[Finding]:
    """Yield contracts whose size the plan chooses and that earn in every hour of the horizon."""
    if company.plan is None:
        return
    by_id = {contract.id: contract for contract in company.contracts}
    for at, size in enumerate(company.plan.contracts):
        contract = by_id[size.name]
        if contract.kind in STRUCK:
            yield from _earns(f"plan.contracts[{at}]", contract, company, inputs)


def _earns(path: str, contract: Any, company: Company, inputs: Inputs) -> Iterator[Finding]:
    """Tell a contract that pays to be taken, and warn of one that resale always pays for."""
    worth_usd_per_mwh = _resale_usd_per_mwh(contract, company, inputs)
    if worth_usd_per_mwh is None:
        return
    least = float(worth_usd_per_mwh[inputs.history_count :].min())
    strike = _highest_strike(contract, company)
    if strike < 0.0 and least >= 0.0:
        yield Finding(
            code="CONTRACT_BELOW_ZERO",
            path=f"{path}.name",
            value=f"{strike:g}",
            limit="0",
            unit="USD/MWh",
            reason=f"contract {contract.id!r} pays whoever takes its power, and reselling it never "
            f"costs anything (at least {least:.4g} USD/MWh): more of it is always better, without "
            "end",
            remedy="Correct strike_usd_per_mwh, or fix the size of the contract",
        )
    elif least - strike > NEARLY_USD_PER_MWH and contract.kind != "colocation":
        yield Finding(
            code="CONTRACT_ALWAYS_EARNS",
            path=f"{path}.name",
            value=f"{strike:g}",
            limit=f"{least:.4g}",
            unit="USD/MWh",
            reason=f"in every hour of the horizon reselling contract {contract.id!r} brings more "
            "than it costs: a plan signs the most of it, whatever its load is",
            remedy="Nothing, if the offer is that good; else correct the strike or the price, or "
            "plan over a span that holds cheap hours",
            severity="warning",
        )


def _resale_usd_per_mwh(contract: Any, company: Company, inputs: Inputs) -> FloatArray | None:
    """Return what a MWh of a contract brings at least, by interval: the hub, or resale at spot.

    None where a tariff supplies the site: what it pays for power is its own.
    """
    if contract.kind == "ppa_virtual":
        low, high = contract.floor_usd_per_mwh, contract.cap_usd_per_mwh
        hub = inputs.series[f"{contract.id}.hub_price"]
        return np.clip(hub, -np.inf if low is None else low, np.inf if high is None else high)
    for each in company.contracts:
        if isinstance(each, Spot) and each.site == contract.site:
            return np.asarray(
                inputs.price_usd_per_mwh[contract.site] - each.resale_spread_usd_per_mwh
            )
    return None


def _highest_strike(contract: Any, company: Company) -> float:
    """Return the highest strike of the horizon, USD/MWh: escalated by its last day if it rises."""
    strike = float(contract.strike_usd_per_mwh)
    rate = contract.escalator_share_per_year
    if not rate or contract.start is None:
        return strike
    ends = [
        max(0, (moment.date() - contract.start).days // 365)
        for moment in (company.horizon.start, company.horizon.end)
    ]
    return max(strike * float((1.0 + rate) ** years) for years in ends)
