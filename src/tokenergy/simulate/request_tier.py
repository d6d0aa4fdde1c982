"""What a tier got: latency, promises kept, value, joules, and why it was refused."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from tokenergy.company.decision import REASONS
from tokenergy.dispatch.world import BoolArray, FloatArray, World
from tokenergy.simulate.boards import Promise
from tokenergy.simulate.gaps import weighted_quantile
from tokenergy.simulate.requests_replay import RequestRun
from tokenergy.units import MICROJOULES_PER_J, MS_PER_S, NANO_USD_PER_USD, TOKENS_PER_MTOK

PERCENTILES: Final = {"p50": 0.5, "p90": 0.9, "p99": 0.99}


@dataclass(frozen=True, slots=True, kw_only=True)
class TierCard:
    """What became of the requests of one tier; counts are of what a sample stands for.

    Attributes:
        decided_count: requests that were decided, of a sample those in it.
        requests_count, served_count, refused_count, waiting_count: by weight.
        deferred_count: served or refused after they had been told to wait.
        output_mtok: tokens that were made.
        ttft_s: time to the first token, the network in it, p50, p90, p99; None: not played.
        tpot_s: time per token after the first, likewise.
        played_share: part of the tokens made that these times are of.
        slo_kept_share: of requests that were played, those within both limits; None: none was.
        late_count: served, and complete only after their deadline.
        ttft_limit_s, tpot_limit_s: the tier's limits.
        worth_usd: of all its requests, served as they ask.
        kept_usd: of those served, at the quality they got.
        downgraded_count: answered by a lesser model.
        decisions: how often each action was decided.
        reasons: how often each reason was; both count a request that waited each time.
        refusals: refused requests by reason.
        moved_usd, moved_tokens: prompts' prefixes that lay in a cache elsewhere, read anew.
        energy_microjoules: of its requests, at the meter: the sum of their rows in the ledger.
        on_line_share: part of the joules that are the operating line's, not the engine's.
    """

    decided_count: int
    requests_count: float
    served_count: float
    refused_count: float
    waiting_count: float
    deferred_count: float
    output_mtok: float
    ttft_s: Mapping[str, float] | None
    tpot_s: Mapping[str, float] | None
    played_share: float
    slo_kept_share: float | None
    late_count: float
    ttft_limit_s: float
    tpot_limit_s: float
    worth_usd: float
    kept_usd: float
    downgraded_count: float
    decisions: Mapping[str, float]
    reasons: Mapping[str, float]
    refusals: Mapping[str, float]
    moved_usd: float
    moved_tokens: float
    energy_microjoules: int
    on_line_share: float

    @property
    def kept_share(self) -> float | None:
        """Value of what was served over that of all; None where nothing is worth anything."""
        return self.kept_usd / self.worth_usd if self.worth_usd > 0.0 else None

    @property
    def j_per_token(self) -> float | None:
        """Joules over tokens made."""
        tokens = self.output_mtok * TOKENS_PER_MTOK
        return self.energy_microjoules / MICROJOULES_PER_J / tokens if tokens > 0.0 else None


def row_microjoules(run: RequestRun) -> list[int]:
    """Return what each request that was sent drew, with all it stands for, rounded once."""
    joules = run.metered.request_j[run.rows] * run.case.weight_ratio[run.rows]
    return [round(each) for each in (joules * MICROJOULES_PER_J).tolist()]


def row_nano_usd(run: RequestRun) -> list[int]:
    """Return what each request that was sent cost at its board's prices, likewise."""
    usd = run.decided.outcomes.cost_usd[run.rows] * run.case.weight_ratio[run.rows]
    return [round(each) for each in (usd * NANO_USD_PER_USD).tolist()]


def tier_cards(world: World, run: RequestRun, promises: Sequence[Promise]) -> dict[str, TierCard]:
    """Return what each tier got, in the order of the workloads."""
    found = {}
    drew = np.zeros(run.case.count, dtype=object)
    drew[run.rows] = row_microjoules(run)
    times = _Times.of(world, run, promises)
    for tier in dict.fromkeys(load.tier for load in world.workloads):
        loads = [at for at, load in enumerate(world.workloads) if load.tier == tier]
        found[tier] = _tier_card(run, promises[loads[0]], loads, drew, times)
    return found


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Times:
    """Times of every request [n], the network in the first; NaN: not played."""

    ttft_s: FloatArray
    tpot_s: FloatArray
    kept: BoolArray
    late: BoolArray

    @classmethod
    def of(cls, world: World, run: RequestRun, promises: Sequence[Promise]) -> "_Times":
        count, case, made = run.case.count, run.case, run.decided.outcomes
        ttft, tpot = np.full(count, np.nan), np.full(count, np.nan)
        rtt_s = np.array([route.rtt_ms for route in world.routes]) / MS_PER_S
        ttft[run.rows] = run.played.ttft_s + rtt_s[made.route[run.rows]]
        tpot[run.rows] = run.played.tpot_s
        load = case.trace.workload
        limits = np.array([[p.ttft_limit_s, p.tpot_limit_s, p.deadline_s] for p in promises])[load]
        kept = (ttft <= limits[:, 0]) & ~(tpot > limits[:, 1])
        done_s = made.since_s + ttft + np.nan_to_num(tpot) * np.maximum(0, made.output_tokens - 1)
        arrived_s = case.laid_s + case.trace.arrival_s
        late = (limits[:, 2] > 0.0) & (done_s > arrived_s + limits[:, 2])
        return cls(ttft_s=ttft, tpot_s=tpot, kept=kept & ~late, late=late)


def _tier_card(
    run: RequestRun, promise: Promise, loads: Sequence[int], drew: np.ndarray, times: _Times
) -> TierCard:
    case, made, weight = run.case, run.decided.outcomes, run.case.weight_ratio
    mine = np.isin(case.trace.workload, loads)
    served, played = mine & made.served, mine & np.isfinite(times.ttft_s)
    tokens = weight * made.output_tokens
    worth = weight * run.worth_usd
    joules = weight * run.metered.request_j
    kept_s = times.kept[played]
    return TierCard(
        decided_count=int(mine.sum()),
        requests_count=_sum(weight, mine),
        served_count=_sum(weight, served),
        refused_count=_sum(weight, mine & made.refused),
        waiting_count=_sum(weight, mine & made.waiting),
        deferred_count=_sum(weight, mine & (made.deferred_count > 0)),
        output_mtok=_sum(tokens, served) / TOKENS_PER_MTOK,
        ttft_s=_percentiles(times.ttft_s, weight, played),
        tpot_s=_percentiles(times.tpot_s, weight, played & np.isfinite(times.tpot_s)),
        played_share=_ratio(_sum(tokens, played), _sum(tokens, served)) or 0.0,
        slo_kept_share=_ratio(float((weight[played] * kept_s).sum()), _sum(weight, played)),
        late_count=_sum(weight, served & times.late),
        ttft_limit_s=promise.ttft_limit_s,
        tpot_limit_s=promise.tpot_limit_s,
        worth_usd=_sum(worth, mine),
        kept_usd=_sum(worth * made.quality_share, served),
        downgraded_count=_sum(weight, served & (made.quality_share < 1.0)),
        decisions=_counted(run, loads, place=1),
        reasons=_counted(run, loads, place=2),
        refusals=_refusals(run, mine & made.refused),
        moved_usd=_sum(weight * made.affinity_usd, served),
        moved_tokens=_sum(weight * made.lost_tokens, served),
        energy_microjoules=int(drew[served].sum()),
        on_line_share=_ratio(_sum(joules, served & run.metered.on_line), _sum(joules, served))
        or 0.0,
    )


def _counted(run: RequestRun, loads: Sequence[int], *, place: int) -> dict[str, float]:
    """Return how often each action (1) or reason (2) was decided, the most frequent first."""
    counts: defaultdict[str, float] = defaultdict(float)
    for key, count in run.decided.decisions.items():
        if key[0] in loads:
            counts[str(key[place])] += count
    return most_first(counts)


def most_first(counts: Mapping[str, float]) -> dict[str, float]:
    """Return counts by name, the largest first."""
    return dict(sorted(counts.items(), key=lambda each: -each[1]))


def _refusals(run: RequestRun, mine: BoolArray) -> dict[str, float]:
    reasons = run.decided.outcomes.reason[mine]
    counts = np.bincount(reasons, weights=run.case.weight_ratio[mine], minlength=len(REASONS))
    named = {REASONS[at]: float(count) for at, count in enumerate(counts) if count > 0.0}
    return most_first(named)


def _percentiles(
    values: FloatArray, weight: FloatArray, mine: BoolArray
) -> dict[str, float] | None:
    if not mine.any():
        return None
    return {
        name: weighted_quantile(values[mine], weight[mine], share)
        for name, share in PERCENTILES.items()
    }


def _sum(values: FloatArray, mine: BoolArray) -> float:
    return math.fsum(values[mine].tolist())


def _ratio(part_quantity: float, whole_quantity: float) -> float | None:
    return part_quantity / whole_quantity if whole_quantity > 0.0 else None
