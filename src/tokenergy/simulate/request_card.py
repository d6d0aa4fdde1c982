"""The scorecard of requests: what each policy's decisions did to latency, joules, money, value."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from tokenergy.dispatch.world import World
from tokenergy.simulate.account import Account, account
from tokenergy.simulate.boards import Promise
from tokenergy.simulate.law_tables import BEYOND_TABLE_SHARE
from tokenergy.simulate.request_tier import TierCard, most_first, row_nano_usd, tier_cards
from tokenergy.simulate.request_value import Kept
from tokenergy.simulate.request_windows import BudgetUse
from tokenergy.simulate.requests_replay import RequestRun, with_spare
from tokenergy.simulate.scorecard import BASELINE, Saving
from tokenergy.units import J_PER_MWH, MICROJOULES_PER_J, NANO_USD_PER_USD, TOKENS_PER_MTOK

LEAST_MWH: Final = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two sides of a comparison: what the fluid run promised, what the replay measured.

    Attributes:
        cost_usd: lost value in it.
        power_usd: the bill.
        served_mtok, refused_mtok, downgraded_mtok: work.
        energy_mwh: all load at the meters.
        j_per_token: of it over tokens made at own sites.
    """

    cost_usd: float
    power_usd: float
    served_mtok: float
    refused_mtok: float
    downgraded_mtok: float
    energy_mwh: float
    j_per_token: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A deployment whose requests were not played, or not all: its part of all tokens, and why."""

    deployment: str
    tokens_share: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """A deployment that was sent more than its replicas can do: in how many intervals."""

    deployment: str
    intervals_count: int
    tokens_share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestScore:
    """One policy on the requests of a case.

    Attributes:
        tiers: what each tier got.
        cost_usd: of the interval's bill, replicas, other people's models, and value lost.
        parts: the same by part; they sum to it.
        priced_usd: what the requests cost at their boards' prices: the sum of their ledger rows.
        value: what was kept of the value of requests, and the most anybody keeps.
        saving: against the baseline; None where that was not run.
        decisions, reasons: how often each action and reason was decided.
        refusals: refused requests by reason.
        moved_usd, moved_tokens: prefixes that lay in a cache elsewhere.
        requests_mwh, idle_mwh, other_mwh: at the meters: of requests; of replicas awake for
            nobody; wakes, sleep and standing load.
        promised, measured: the fluid run, and the replay.
        played_share: part of all tokens whose latency was simulated.
        left_out: deployments that were not played.
        behind: those that were sent more than they can do.
        over_limit_h, over_limit_mwh: site-hours beyond a connection's limit, and by how much.
        overrun_share: part of the tokens beyond what awake replicas do in an interval.
        from_duals_share: intervals that were priced by duals, not by a merit order.
        fallback_share: intervals that another policy decided.
        budgets: what was used of each window of a budget; none exceeds its limit.
        laws: by model and accelerator, whose times of an iteration the replicas have.
        replicas_count: replicas that were simulated.
        closes_share: how far joules of requests and idle replicas lie from those of replicas.
        beyond_table: deployments with more than 0.1 % of iterations outside their law's tables.
    """

    tiers: Mapping[str, TierCard]
    cost_usd: float
    parts: Mapping[str, float]
    priced_usd: float
    value: Kept
    saving: Saving | None
    decisions: Mapping[str, float]
    reasons: Mapping[str, float]
    refusals: Mapping[str, float]
    moved_usd: float
    moved_tokens: float
    requests_mwh: float
    idle_mwh: float
    other_mwh: float
    promised: Side
    measured: Side
    played_share: float
    left_out: tuple[LeftOut, ...]
    behind: tuple[Behind, ...]
    over_limit_h: float
    over_limit_mwh: float
    overrun_share: float
    from_duals_share: float
    fallback_share: float
    budgets: tuple[BudgetUse, ...]
    laws: Mapping[str, str]
    replicas_count: int
    closes_share: float
    beyond_table: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the score as a JSON-ready mapping."""
        told = asdict(self)
        told["value"]["share"] = self.value.share
        for name, tier in self.tiers.items():
            told["tiers"][name] |= {
                "kept_share": tier.kept_share,
                "j_per_token": tier.j_per_token,
                "energy_j": tier.energy_microjoules / MICROJOULES_PER_J,
            }
        return told


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestCard:
    """All policies on one case.

    Attributes:
        policies: in the order they were asked for.
        baseline: the one that savings are against; None: it was not run.
        source: where the requests are from.
        sampled: whether they are a sample, and each stands for many.
        decided_count: requests that were decided.
        requests_count: requests that they stand for.
        moved_from: when the trace really began, where it was played at another time.
        horizon: start, end, step and number of intervals.
        spare_share: part of every operating point that dispatch left free.
    """

    policies: Mapping[str, RequestScore]
    baseline: str | None
    source: str
    sampled: bool
    decided_count: int
    requests_count: float
    moved_from: str | None
    horizon: Mapping[str, Any]
    spare_share: float

    def to_dict(self) -> dict[str, Any]:
        """Return the card as a JSON-ready mapping."""
        told = asdict(self)
        told["policies"] = {name: score.to_dict() for name, score in self.policies.items()}
        return told


def request_card(
    world: World,
    runs: Sequence[RequestRun],
    promises: Sequence[Promise],
    *,
    spare_share: float,
) -> RequestCard:
    """Return the card of several policies on one case.

    Args:
        world: the company as arrays, its arrivals those of the case.
        runs: what each policy came to.
        promises: of every workload.
        spare_share: part of every operating point that dispatch left free.
    """
    planned = with_spare(world, spare_share)
    cost = {run.policy: _cost_parts(planned, run) for run in runs}
    base = cost.get(BASELINE)
    case = runs[0].case
    return RequestCard(
        policies={
            run.policy: _score(planned, run, promises, cost[run.policy], base) for run in runs
        },
        baseline=None if base is None else BASELINE,
        source=case.trace.source,
        sampled=case.sampled,
        decided_count=case.count,
        requests_count=math.fsum(case.weight_ratio.tolist()),
        moved_from=None if case.moved_from is None else case.moved_from.isoformat(),
        horizon={
            "start": world.moment(world.first).strftime("%Y-%m-%dT%H:%MZ"),
            "end": world.moment(world.last).strftime("%Y-%m-%dT%H:%MZ"),
            "step_h": world.step_h,
            "intervals_count": world.count,
        },
        spare_share=spare_share,
    )


def _cost_parts(world: World, run: RequestRun) -> dict[str, float]:
    """Return the cost by part: the account of the meters, with the value of requests in it."""
    parts = account(world, run.metered.run).parts()
    parts["refused"] = run.kept.refused_usd
    parts["downgraded"] = run.kept.downgraded_usd
    return parts


def _score(
    world: World,
    run: RequestRun,
    promises: Sequence[Promise],
    parts: Mapping[str, float],
    base: Mapping[str, float] | None,
) -> RequestScore:
    tiers = tier_cards(world, run, promises)
    cost_usd = math.fsum(parts.values())
    tokens = run.case.weight_ratio * run.decided.outcomes.output_tokens
    served = math.fsum(tokens.tolist())
    requests_mwh = sum(tier.energy_microjoules for tier in tiers.values())
    drew_mwh = requests_mwh / MICROJOULES_PER_J / J_PER_MWH
    idle_mwh = float(run.metered.idle_mwh.sum())
    over = run.metered.over_limit_mwh
    sources = run.decided.run.sources
    return RequestScore(
        tiers=tiers,
        cost_usd=cost_usd,
        parts=dict(parts),
        priced_usd=sum(row_nano_usd(run)) / NANO_USD_PER_USD,
        value=run.kept,
        saving=None if base is None else _saving(cost_usd, math.fsum(base.values())),
        decisions=_summed(tier.decisions for tier in tiers.values()),
        reasons=_summed(tier.reasons for tier in tiers.values()),
        refusals=_summed(tier.refusals for tier in tiers.values()),
        moved_usd=math.fsum(tier.moved_usd for tier in tiers.values()),
        moved_tokens=math.fsum(tier.moved_tokens for tier in tiers.values()),
        requests_mwh=drew_mwh,
        idle_mwh=idle_mwh,
        other_mwh=float(run.metered.run.load_mwh.sum()) - drew_mwh - idle_mwh,
        promised=_promised(world, run),
        measured=_measured(world, run, cost_usd),
        played_share=_played_tokens(run) / served if served > 0.0 else 0.0,
        left_out=_left_out(world, run, served),
        behind=_behind(world, run, served),
        over_limit_h=float((over > LEAST_MWH).sum()) * world.step_h,
        over_limit_mwh=float(over.sum()),
        overrun_share=run.kept.overrun_usd / run.kept.served_usd if run.kept.served_usd else 0.0,
        from_duals_share=run.decided.from_duals_share,
        fallback_share=_fallback_share(sources, run.policy),
        budgets=run.decided.budgets,
        laws=_laws(world, run),
        replicas_count=sum(place.replicas_count for place in run.played.places),
        closes_share=_closes_share(run),
        beyond_table=tuple(
            world.deployments[place.deployment].name
            for place in run.played.places
            if place.beyond_table_share > BEYOND_TABLE_SHARE
        ),
    )


def _fallback_share(sources: Sequence[str], policy: str) -> float:
    own = (policy, f"{policy}+whole")
    return sum(source not in own for source in sources) / len(sources)


def _saving(cost_usd: float, base_usd: float) -> Saving:
    share = (base_usd - cost_usd) / base_usd if base_usd > 0.0 else None
    return Saving(usd=base_usd - cost_usd, share=share)


def _summed(counts: Iterable[Mapping[str, float]]) -> dict[str, float]:
    total: defaultdict[str, float] = defaultdict(float)
    for each in counts:
        for name, count in each.items():
            total[name] += count
    return most_first(total)


def _promised(world: World, run: RequestRun) -> Side:
    fluid = run.promised
    spent: Account = account(world, fluid)
    return Side(
        cost_usd=spent.cost_usd,
        power_usd=spent.bill_usd,
        served_mtok=float(fluid.serve_mtok.sum()),
        refused_mtok=float(fluid.refused_mtok.sum()),
        downgraded_mtok=_downgraded_mtok(world, fluid.serve_mtok.sum(axis=1)),
        energy_mwh=float(fluid.load_mwh.sum()),
        j_per_token=_j_per_token(world, fluid.load_mwh.sum(), fluid.serve_mtok),
    )


def _measured(world: World, run: RequestRun, cost_usd: float) -> Side:
    seen = run.metered.run
    return Side(
        cost_usd=cost_usd,
        power_usd=account(world, seen).bill_usd,
        served_mtok=float(seen.serve_mtok.sum()),
        refused_mtok=float(seen.refused_mtok.sum()),
        downgraded_mtok=_downgraded_mtok(world, seen.serve_mtok.sum(axis=1)),
        energy_mwh=float(seen.load_mwh.sum()),
        j_per_token=_j_per_token(world, seen.load_mwh.sum(), seen.serve_mtok),
    )


def _downgraded_mtok(world: World, served_mtok: np.ndarray) -> float:
    lesser = [
        route.quality_share < world.workloads[route.workload].asked_quality_share
        for route in world.routes
    ]
    return float(served_mtok[np.array(lesser, dtype=bool)].sum())


def _j_per_token(world: World, load_mwh: float, serve_mtok: np.ndarray) -> float | None:
    own = np.array([not world.deployments[r.deployment].external for r in world.routes], bool)
    made = float(serve_mtok[own].sum()) * TOKENS_PER_MTOK
    return float(load_mwh) * J_PER_MWH / made if made > 0.0 else None


def _played_tokens(run: RequestRun) -> float:
    seen = np.isfinite(run.played.ttft_s)
    return float((run.sent.weight_ratio * run.sent.output_tokens)[seen].sum())


def _left_out(world: World, run: RequestRun, served_tokens: float) -> tuple[LeftOut, ...]:
    """Return the deployments with requests whose place and interval was not played."""
    tokens = run.sent.weight_ratio * run.sent.output_tokens
    missing = ~run.played.played[run.sent.deployment, run.sent.interval]
    sums = np.bincount(
        run.sent.deployment[missing], weights=tokens[missing], minlength=len(world.deployments)
    )
    order = sorted(np.flatnonzero(sums).tolist(), key=lambda at: -sums[at])
    few = "too few requests of the sample in an interval"
    return tuple(
        LeftOut(
            deployment=world.deployments[at].name,
            tokens_share=float(sums[at]) / served_tokens,
            reason=run.machines.without.get(at, few),
        )
        for at in order
    )


def _behind(world: World, run: RequestRun, served_tokens: float) -> tuple[Behind, ...]:
    """Return the deployments that fell behind, with the tokens of those intervals."""
    tokens = run.sent.weight_ratio * run.sent.output_tokens
    found = []
    for place in run.played.places:
        if not place.behind:
            continue
        mine = run.sent.deployment == place.deployment
        if run.case.sampled:
            mine &= np.isin(run.sent.interval, place.behind)
        found.append(
            Behind(
                deployment=world.deployments[place.deployment].name,
                intervals_count=len(place.behind) if run.case.sampled else world.count,
                tokens_share=float(tokens[mine].sum()) / served_tokens,
            )
        )
    return tuple(sorted(found, key=lambda each: -each.tokens_share))


def _laws(world: World, run: RequestRun) -> dict[str, str]:
    found = {}
    for place in run.played.places:
        target, machine = world.deployments[place.deployment], run.machines.by_deployment
        own = machine[place.deployment]
        found[f"{target.model} on {target.accelerator}"] = f"{own.tier}: {own.law}"
    return found


def _closes_share(run: RequestRun) -> float:
    """Return the largest gap between joules of requests and idling, and those of replicas."""
    gaps = [
        abs(place.requests_j + place.idle_j - place.replicas_j) / max(1.0, place.replicas_j)
        for place in run.played.places
    ]
    return max(gaps, default=0.0)
