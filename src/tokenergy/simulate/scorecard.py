"""The scorecard: policies side by side, against what is done today and the best possible."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from tokenergy.dispatch.bound import Bound
from tokenergy.dispatch.world import World
from tokenergy.simulate.account import Account, account
from tokenergy.simulate.best_possible import BestPossible, best_possible
from tokenergy.simulate.bill import inputs_of
from tokenergy.simulate.carbon import Carbon, carbon
from tokenergy.simulate.lost import Lost, broken_names, lost_by_tier, outage_sentence
from tokenergy.simulate.measures import (
    Fate,
    Unmoved,
    fates,
    fixed_price_sites,
    own_mtok,
    unmoved,
    value_usd,
    wake_mwh,
    zero_price_share,
)
from tokenergy.simulate.run import Run
from tokenergy.simulate.uplift import uplift_usd
from tokenergy.units import J_PER_MWH, KWH_PER_MWH, TOKENS_PER_MTOK

BOUND: Final = "clairvoyant"
BASELINE: Final = "greedy_battery"
STATIC: Final = "static"
SAME_SHARE: Final = 1e-9
"""A gap below this share of the bound is no gap: nothing of it can be captured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Saving:
    """How much less a policy costs than another; the share is null where that costs <= 0."""

    usd: float
    share: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BillLine:
    """What one component of one contract or tariff comes to over the horizon."""

    contract_id: str
    component: str
    amount_usd: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """A policy whose replicas are whole ones, beside the fractional ones that it is scored on.

    Attributes:
        cost_usd, refused_mtok: of the run with whole replicas.
        integrality_gap_share: (its cost - the cost with fractional replicas) / the latter; null
            where that is <= 0.
        uplift_usd: what the price of a token fails to recover of it (`simulate/uplift`); null
            where the policy prices nothing.
    """

    cost_usd: float
    refused_mtok: float
    integrality_gap_share: float | None
    uplift_usd: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One policy on one world.

    Figures that need a policy which was not run are null, never guessed.

    Attributes:
        regret_share, regret_usd: cost above the best possible; the share is null where that
            costs <= 0.
        captured_share: of the gap between greedy_battery and the best possible.
        saving_static, saving_greedy_battery: against what is done today.
        parts: the cost by part, USD.
        power_usd: the bill by contract.
        bill_lines: the same by contract and component of the bill.
        tiers: what became of the work, by tier; the totals stand before it.
        zero_price_share: tokens made at a purchase price <= 0, of all made at own sites.
        value_usd_per_kwh: value of what own sites served, less lost quality, per kWh at their
            meters.
        energy_mwh, wake_mwh: at the meters: all load, and that of waking replicas.
        j_per_token: all load at the meters over tokens made at own sites.
        fallback_share: intervals in which the policy fell back to another.
        lost: worth of what each tier had refused or downgraded.
        carbon: its three ledgers; null where no site says what its grid emits.
        whole: the same policy with whole replicas; null if not asked for, or where no limit
            allowed them.
    """

    cost_usd: float
    bill_usd: float
    regret_share: float | None
    regret_usd: float | None
    captured_share: float | None
    saving_static: Saving | None
    saving_greedy_battery: Saving | None
    served_mtok: float
    deferred_mtok: float
    downgraded_mtok: float
    refused_mtok: float
    must_serve_refused_mtok: float
    tiers: Mapping[str, Fate]
    parts: Mapping[str, float]
    power_usd: Mapping[str, float]
    unmoved: Unmoved
    zero_price_share: float | None
    value_usd_per_kwh: float | None
    energy_mwh: float
    wake_mwh: float
    j_per_token: float | None
    bill_lines: tuple[BillLine, ...]
    fallback_share: float
    lost: Mapping[str, Lost]
    carbon: Carbon | None
    whole: Whole | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorecard:
    """All policies of one simulation, in the order they were asked for.

    Attributes:
        baseline, bound: the policies that the ratios are against; null if not run.
        best: what regret is counted from, and how it was found; null if it was not.
        denominator: what of that no decision moves: it makes every regret look small.
        fixed_price_sites: sites whose power costs the same in every interval: no hour there is
            cheaper than another.
        broken: what was out for a while in this simulation.
        synthetic: series that came from the synthetic feed.
        horizon: start, end, step and number of intervals.
    """

    policies: Mapping[str, Score]
    baseline: str | None
    bound: str | None
    best: BestPossible | None
    denominator: Unmoved | None
    fixed_price_sites: tuple[str, ...]
    broken: tuple[str, ...]
    synthetic: tuple[str, ...]
    horizon: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return the card as a JSON-ready mapping."""
        return {
            "policies": {name: asdict(score) for name, score in self.policies.items()},
            "baseline": self.baseline,
            "bound": self.bound,
            **self._bound_words(),
            "fixed_price_sites": list(self.fixed_price_sites),
            "broken": list(self.broken),
            "synthetic": list(self.synthetic),
            "horizon": dict(self.horizon),
        }

    def outage_lines(self) -> Iterator[str]:
        """Say what broke and what each policy lost by refusing and downgrading, in USD."""
        for name, score in self.policies.items() if self.broken else ():
            yield outage_sentence(self.broken, name, score.lost)

    def _bound_words(self) -> dict[str, Any]:
        """Return how the bound was found, and what regret is over."""
        best = self.best
        return {
            "bound_method": None if best is None else best.method,
            "bound_usd": None if best is None else best.cost_usd,
            "bound_gap_share": None if best is None else best.gap_share,
            "bound_rows_count": None if best is None else best.rows_count,
            "regret_denominator": None if self.denominator is None else asdict(self.denominator),
        }


def scorecard(
    world: World,
    runs: Mapping[str, Run],
    *,
    bound: Bound | None = None,
    whole: Mapping[str, Run] | None = None,
) -> Scorecard:
    """Return the card of several runs on one world, by policy.

    Args:
        world: the company on its horizon.
        runs: what each policy did, with fractional replicas.
        bound: what was proved of the best possible where the clairvoyant's program is too large.
        whole: what they did with whole ones.
    """
    accounts = {name: account(world, run) for name, run in runs.items()}
    cost_usd = {name: each.cost_usd for name, each in accounts.items()}
    best = best_possible(world, cost_usd[BOUND], bound) if BOUND in runs else None
    if best is not None:
        cost_usd[BOUND] = best.cost_usd
    done = whole or {}
    inputs = inputs_of(world)
    return Scorecard(
        policies={
            name: _score(world, run, accounts[name], cost_usd, done.get(name))
            for name, run in runs.items()
        },
        baseline=BASELINE if BASELINE in runs else None,
        bound=BOUND if BOUND in runs else None,
        best=best,
        denominator=None if best is None else unmoved(world, best.cost_usd),
        fixed_price_sites=fixed_price_sites(world, runs.values()),
        broken=broken_names(world),
        synthetic=() if inputs is None else inputs.synthetic,
        horizon={
            "start": world.moment(world.first).strftime("%Y-%m-%dT%H:%MZ"),
            "end": world.moment(world.last).strftime("%Y-%m-%dT%H:%MZ"),
            "step_h": world.step_h,
            "intervals_count": world.count,
        },
    )


def _score(
    world: World, run: Run, spent: Account, cost_usd: Mapping[str, float], whole: Run | None
) -> Score:
    cost, bound_usd, baseline_usd = spent.cost_usd, cost_usd.get(BOUND), cost_usd.get(BASELINE)
    tiers = fates(world, run)
    must_serve = np.array([load.must_serve for load in world.workloads], dtype=bool)
    made, energy_mwh = own_mtok(world, run), float(run.load_mwh.sum())
    made_mtok = float(made.sum())
    other = sum(source != run.policy for source in run.sources)
    return Score(
        cost_usd=cost,
        bill_usd=spent.bill_usd,
        regret_share=_share(cost - bound_usd, bound_usd) if bound_usd is not None else None,
        regret_usd=cost - bound_usd if bound_usd is not None else None,
        captured_share=_captured_share(cost, baseline_usd, bound_usd),
        saving_static=_saving(cost, cost_usd.get(STATIC)),
        saving_greedy_battery=_saving(cost, baseline_usd),
        served_mtok=sum(fate.served_mtok for fate in tiers.values()),
        deferred_mtok=sum(fate.deferred_mtok for fate in tiers.values()),
        downgraded_mtok=sum(fate.downgraded_mtok for fate in tiers.values()),
        refused_mtok=sum(fate.refused_mtok for fate in tiers.values()),
        must_serve_refused_mtok=float(run.refused_mtok[must_serve].sum()),
        tiers=tiers,
        parts=spent.parts(),
        power_usd=dict(spent.power_usd),
        unmoved=unmoved(world, cost),
        zero_price_share=zero_price_share(world, made),
        value_usd_per_kwh=_share(value_usd(world, made), energy_mwh * KWH_PER_MWH),
        energy_mwh=energy_mwh,
        wake_mwh=wake_mwh(world, run),
        j_per_token=_share(energy_mwh * J_PER_MWH, made_mtok * TOKENS_PER_MTOK),
        bill_lines=_bill_lines(spent),
        fallback_share=other / run.intervals_count,
        lost=lost_by_tier(world, run),
        carbon=carbon(world, run),
        whole=None if whole is None else _whole(world, whole, cost),
    )


def _bill_lines(spent: Account) -> tuple[BillLine, ...]:
    """Return the bill by contract and component, in the order in which they are first charged."""
    amounts: dict[tuple[str, str], list[float]] = {}
    for line in spent.lines:
        amounts.setdefault((line.contract_id, line.component), []).append(line.amount_usd)
    return tuple(
        BillLine(contract_id=contract_id, component=component, amount_usd=math.fsum(usd))
        for (contract_id, component), usd in amounts.items()
    )


def _whole(world: World, run: Run, fractional_usd: float) -> Whole:
    cost_usd = account(world, run).cost_usd
    return Whole(
        cost_usd=cost_usd,
        refused_mtok=float(run.refused_mtok.sum()),
        integrality_gap_share=_share(cost_usd - fractional_usd, fractional_usd),
        uplift_usd=uplift_usd(world, run),
    )


def _share(part_quantity: float, whole_quantity: float) -> float | None:
    """Return part over whole; None where a ratio would say nothing."""
    return part_quantity / whole_quantity if whole_quantity > 0.0 else None


def _saving(cost_usd: float, other_usd: float | None) -> Saving | None:
    if other_usd is None:
        return None
    return Saving(usd=other_usd - cost_usd, share=_share(other_usd - cost_usd, other_usd))


def _captured_share(
    cost_usd: float, baseline_usd: float | None, bound_usd: float | None
) -> float | None:
    """Return the part of the gap between baseline and bound that a policy closes."""
    if baseline_usd is None or bound_usd is None:
        return None
    gap_usd = baseline_usd - bound_usd
    if gap_usd <= SAME_SHARE * max(1.0, abs(bound_usd)):
        return None
    return (baseline_usd - cost_usd) / gap_usd
