"""What each contract of a plan delivers and costs, and how far its exposures spread over worlds.

The five exposures themselves (volume, price, shape, covariance, basis: contracts sheet, section 8)
are those of `economics.exposures`, which `api` joins with the flows that are told here.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from tokenergy.company.contract import PpaVirtual
from tokenergy.dispatch.build_contracts import in_term
from tokenergy.dispatch.world import FloatArray, World

FIVE: Final = ("volume", "price", "shape", "covariance", "basis")
"""The exposures, in the order of the contracts sheet."""
LOW_SHARE: Final = 0.10
HIGH_SHARE: Final = 0.90
TAIL_SHARE: Final = 0.95
"""The mean of the worst 5 % of worlds is the CVaR at 95 %."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ContractFlow:
    """What one contract delivers over the horizon, and what it is paid for it.

    Attributes:
        contract_id: name in the bill.
        site: index of the site that it serves, or whose load it hedges.
        mwh: delivered, or settled where it is money alone [T].
        usd: the strike on it, and what is paid whether it is taken or not [T].
        settled_usd_per_mwh: price at its settlement point [T].
    """

    contract_id: str
    site: int
    mwh: FloatArray
    usd: FloatArray
    settled_usd_per_mwh: FloatArray


def flows_of(world: World, take_mwh: FloatArray) -> tuple[ContractFlow, ...]:
    """Return the flow of every contract that delivers or settles MWh: blocks, takes, money.

    Args:
        world: the company at the sizes of the plan.
        take_mwh: what is taken of each as-produced contract in each interval [C, T].
    """
    span = slice(world.first, world.last)
    spot = world.spot_usd_per_mwh[:, span]
    found: dict[str, ContractFlow] = {}
    for block in world.blocks:
        mwh = block.delivery_mw[span] * world.step_h
        found[block.contract_id] = ContractFlow(
            contract_id=block.contract_id,
            site=block.site,
            mwh=mwh,
            usd=mwh * block.strike_usd_per_mwh[span],
            settled_usd_per_mwh=spot[block.site],
        )
    for take, mwh in zip(world.takes, take_mwh, strict=True):
        paid = take.take_usd_per_mwh[span] * mwh + take.sunk_usd_per_h[span] * world.step_h
        found[take.contract_id] = ContractFlow(
            contract_id=take.contract_id,
            site=take.site,
            mwh=mwh,
            usd=paid,
            settled_usd_per_mwh=spot[take.site],
        )
    found |= {flow.contract_id: flow for flow in _virtual(world, span)}
    return tuple(found.values())


def _virtual(world: World, span: slice) -> Iterator[ContractFlow]:
    """Yield contracts for difference: the settled output at its strike, against its hub."""
    for each in world.sunk:
        if each.component != "difference":
            continue
        contract = next(c for c in world.company.contracts if c.id == each.contract_id)
        assert isinstance(contract, PpaVirtual)  # nobody else settles a difference
        site = world.site_names.index(contract.site)
        zone = world.company.sites[site].market.tz
        inside = in_term(contract.start, contract.end, world.inputs, world.last, zone)[span]
        hub = world.inputs.series[f"{contract.id}.hub_price"][span]
        if (least := contract.zero_volume_below_usd_per_mwh) is not None:
            inside = inside & (hub >= least)
        share = contract.share * world.inputs.profile_share[contract.id][span]
        mwh = share * contract.project_mw * inside * world.step_h
        yield ContractFlow(
            contract_id=contract.id,
            site=site,
            mwh=mwh,
            usd=each.usd[span] + mwh * hub,
            settled_usd_per_mwh=hub,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How far one line of cost lies over worlds, USD.

    Attributes:
        name: the exposure, or `total`.
        mean_usd, deviation_usd, p10_usd, p90_usd: over the worlds, weighted by their shares.
        tail_usd: mean of the worst 5 % (CVaR at 95 %).
        euler_share: its part of the variance of the total, Cov(line, total) / Var(total): they
            sum to 1. None where the total does not vary.
    """

    name: str
    mean_usd: float
    deviation_usd: float
    p10_usd: float
    p90_usd: float
    tail_usd: float
    euler_share: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return the spread as a JSON-ready mapping."""
        return asdict(self)


def spreads(
    lines_usd: Mapping[str, Sequence[float]], weights_share: Sequence[float] | None = None
) -> tuple[Spread, ...]:
    """Return the spread of each line over worlds, and of their sum as `total`.

    Args:
        lines_usd: cost of each line in each world, the worlds in one order.
        weights_share: of the worlds, summing to 1; None: all alike.

    Raises:
        ValueError: if there is no world, or the lines are not as long as the weights.
    """
    values = np.array([list(line) for line in lines_usd.values()], dtype=np.float64)
    if values.ndim != 2 or not values.shape[1]:
        raise ValueError("no world to spread over")
    worlds = values.shape[1]
    weights = np.full(worlds, 1.0 / worlds)
    if weights_share is not None:
        weights = np.asarray(weights_share, dtype=np.float64)
        if weights.shape != (worlds,) or not np.isclose(weights.sum(), 1.0):
            raise ValueError(f"{worlds} worlds need {worlds} weights that sum to 1")
    total = values.sum(axis=0)
    away = total - weights @ total
    variance = float(weights @ away**2)
    found = []
    for name, line in (*zip(lines_usd, values, strict=True), ("total", total)):
        mean = float(weights @ line)
        shared = float(weights @ ((line - mean) * away))
        varies = variance > (1e-12 * max(1.0, abs(float(weights @ total)))) ** 2
        found.append(
            Spread(
                name=name,
                mean_usd=mean,
                deviation_usd=float(np.sqrt(weights @ (line - mean) ** 2)),
                p10_usd=_quantile(line, weights, LOW_SHARE),
                p90_usd=_quantile(line, weights, HIGH_SHARE),
                tail_usd=_tail_mean(line, weights),
                euler_share=shared / variance if varies else None,
            )
        )
    return tuple(found)


def _quantile(values: FloatArray, weights: FloatArray, at_share: float) -> float:
    """Return the least value that at least a share of the weight does not exceed."""
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order])
    at = int(np.searchsorted(reached, at_share - 1e-12))
    return float(values[order][min(at, values.size - 1)])


def _tail_mean(values: FloatArray, weights: FloatArray) -> float:
    """Return the mean of the dearest 5 % of the weight."""
    left = 1.0 - TAIL_SHARE
    size, total = left, 0.0
    for at in np.argsort(-values, kind="stable"):
        part = min(left, float(weights[at]))
        total += part * float(values[at])
        left -= part
        if left <= 1e-15:
            break
    return total / (size - left)
