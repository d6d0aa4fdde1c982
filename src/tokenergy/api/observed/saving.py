"""What dispatch would have saved against what was done, with its band, and of what it is made."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final, Literal

import numpy as np

from tokenergy.api.observed.limits import begun_awake, busy_replicas
from tokenergy.api.observed.world import Observed
from tokenergy.dispatch.lp_policies import Clairvoyant
from tokenergy.dispatch.policies import make_policy
from tokenergy.dispatch.policy import Policy
from tokenergy.dispatch.world import FloatArray, World
from tokenergy.economics.bootstrap import Band, band
from tokenergy.errors import InfeasibleProgram
from tokenergy.simulate.account import cost_usd_by_interval
from tokenergy.simulate.as_observed import AS_OBSERVED, AsObserved
from tokenergy.simulate.interval import LimitBroken
from tokenergy.simulate.replay import replay
from tokenergy.simulate.run import Run

Basis = Literal["usage", "prometheus", "ledger", "rate_held"]
"""Where the demand comes from: a usage file, a Prometheus server's history, the windows that were
watched, or the present rate held over the last week's prices."""

WHOLE_SLACK: Final = 1e-6
"""By so much more than a whole number a replica more is not counted."""
WHOLE_SHARE: Final = 0.01
"""A saving that whole replicas change by less is told without them."""
WORDS: Final[dict[str, str]] = {
    "usage": "the tokens of the usage file",
    "prometheus": "the history that Prometheus holds",
    "ledger": "the hours that were watched",
    "rate_held": "the present rate, held over the prices of",
}
LEAST_SHARE: Final = 0.0005
"""A share below this would be told as 0.0 %: it is not told."""
LEAST_MTOK: Final = 1e-6
"""A token: less refused work than this is rounding."""
HEADLINE: Final = "mpc"
BASELINE: Final = "greedy_battery"
BOUND: Final = "clairvoyant"
AS_NEEDED: Final = "as_needed"
"""What was done, but with no more replicas awake than the work needs, now and an interval on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgainstOne:
    """What a policy saves against one baseline.

    Attributes:
        usd: over the span; below 0 it would have cost more.
        share: of the baseline's cost; None where that is not above 0.
        low_usd, high_usd: the middle 90 % if the span's days (weeks) had come in other numbers;
            None where there are fewer than four days to draw from.
        block_h, blocks_count: what was drawn.
    """

    baseline: str
    usd: float
    share: float | None
    low_usd: float | None
    high_usd: float | None
    block_h: float | None
    blocks_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedSaving:
    """Dispatch against what was done, on one span of demand and prices.

    Attributes:
        basis: where the demand comes from.
        policy: who saves.
        against: first against what was done, then against greedy_battery.
        cost_usd: by policy; capital is in none of them, since no dispatch moves it.
        whole_usd: the saving against what was done if every replica of the policy is rounded up
            to a whole one: the truth lies between it and `against[0].usd`, since nobody has
            fractions and a policy that knows it would round better. None where that breaks a
            limit.
        sleep_usd: of the saving against what was done, what only lets idle replicas sleep. The
            program knows fractions of replicas: with few of them this is an upper bound.
        placement_usd: the rest of it: where and when the work runs.
        regret_share: the policy above the clairvoyant bound; None where that costs <= 0.
        refused_mtok: what the policy would have refused: too few replicas awake in time, or worth
            less than it costs. Its value is in the policy's cost.
        replicas_count: replicas that were awake at most.
        of_full_share: of the full cost of the engines over the span, capital included.
    """

    basis: Basis
    start: datetime
    end: datetime
    policy: str
    against: tuple[AgainstOne, ...]
    cost_usd: dict[str, float]
    whole_usd: float | None
    sleep_usd: float
    placement_usd: float
    regret_share: float | None
    refused_mtok: float
    replicas_count: float
    of_full_share: float | None = None

    def sentence(self) -> str:
        """Say it in one sentence: the amount, its band, against whom."""
        did, *others = (_against(each) for each in self.against)
        if (usd := self.whole_usd) is None:
            did = f"at most {did}"
        elif abs(self.against[0].usd - usd) > WHOLE_SHARE * abs(self.against[0].usd):
            did = f"at most {did}, {_usd(usd)} USD if replicas are rounded up to whole ones,"
        return f"On {self.words()}, dispatch would have saved {' and '.join((did, *others))}."

    def made_of(self) -> str:
        """Say what the saving is made of, and how far from the best possible it ends."""
        text = (
            f"Of it {_usd(self.sleep_usd)} USD is idle replicas put to sleep (fractions of "
            f"{self.replicas_count:g} replicas: an upper bound) and {_usd(self.placement_usd)} "
            "where and when the work runs; capital is in none of it."
        )
        if self.refused_mtok >= LEAST_MTOK:
            text += (
                f" It refuses {self.refused_mtok:,.3g} Mtok, for too few replicas or as worth less "
                "than they cost; their value counts as lost."
            )
        if self.of_full_share is not None:
            text += f" It is {self.of_full_share:.2%} of the full cost of these engines."
        if self.regret_share is not None:
            text += f" {self.policy} ends {self.regret_share:.2%} above the clairvoyant bound."
        return text

    def words(self) -> str:
        """Say what demand and which span it is about."""
        return f"{WORDS[self.basis]} {self.start:%Y-%m-%d %H:%M} to {self.end:%Y-%m-%d %H:%M} UTC"

    def to_dict(self) -> dict[str, Any]:
        """Return the saving as a JSON-ready mapping."""
        return asdict(self) | {
            "start": self.start.strftime("%Y-%m-%dT%H:%MZ"),
            "end": self.end.strftime("%Y-%m-%dT%H:%MZ"),
            "against": [asdict(each) for each in self.against],
            "baseline": self.against[0].baseline,
            "usd": self.against[0].usd,
            "low_usd": self.against[0].low_usd,
            "high_usd": self.against[0].high_usd,
            "says": self.sentence(),
        }


def _against(one: AgainstOne) -> str:
    text = f"{_usd(one.usd)} USD"
    if one.low_usd is not None and one.high_usd is not None:
        text += f" ({_usd(one.low_usd)} to {_usd(one.high_usd)})"
    if one.share is not None and abs(one.share) >= LEAST_SHARE:
        text += f", {one.share:.1%} of its cost,"
    name = "what you did" if one.baseline == AS_OBSERVED else one.baseline
    return f"{text} against {name}"


def _usd(usd: float) -> str:
    """Write an amount: whole from 100 upwards, else cents; what rounds to nothing is 0."""
    if abs(usd) >= 100.0:
        return f"{usd:,.0f}"
    text = f"{usd:.2f}"
    return text if text.strip("-0.") else "0"


def observed_saving(
    observed: Observed,
    *,
    basis: Basis,
    seed: int,
    on_progress: Callable[[str, int, int], None] | None = None,
) -> ObservedSaving:
    """Replay what was done and what dispatch would have done, on the same hours.

    Raises:
        InfeasibleProgram: if no dispatch satisfies the company's limits with that demand.
        LimitBroken: if what was observed exceeds a limit that the file states.
    """
    world = observed.world
    policies: dict[str, Policy] = {
        AS_OBSERVED: _done(observed, observed.awake),
        AS_NEEDED: _done(observed, _needed(observed)),
        **{name: make_policy(name, world) for name in (BASELINE, HEADLINE)},
        BOUND: Clairvoyant(world, begun_awake(world, observed.awake)),
    }
    runs = _runs(observed, policies, on_progress)
    costs = {name: cost_usd_by_interval(world, run) for name, run in runs.items()}
    totals = {name: float(cost.sum()) for name, cost in costs.items()}
    against = tuple(
        _one(baseline, costs[baseline] - costs[HEADLINE], totals[baseline], world, seed)
        for baseline in (AS_OBSERVED, BASELINE)
    )
    sleep_usd = totals[AS_OBSERVED] - totals[AS_NEEDED]
    bound_usd = totals[BOUND]
    return ObservedSaving(
        basis=basis,
        start=world.moment(world.first),
        end=world.moment(world.last),
        policy=HEADLINE,
        against=against,
        cost_usd=totals,
        whole_usd=_whole_usd(observed, runs[HEADLINE], totals[AS_OBSERVED]),
        sleep_usd=sleep_usd,
        placement_usd=against[0].usd - sleep_usd,
        regret_share=(totals[HEADLINE] - bound_usd) / bound_usd if bound_usd > 0.0 else None,
        refused_mtok=float(runs[HEADLINE].refused_mtok.sum()),
        replicas_count=float(observed.awake.sum(axis=0).max(initial=0.0)),
    )


def _done(observed: Observed, awake: FloatArray) -> AsObserved:
    return AsObserved(observed.world, serve_mtok=observed.serve_mtok, awake=awake)


def _whole_usd(observed: Observed, run: Run, done_usd: float) -> float | None:
    """Return what a run saves with its replicas rounded up; None where a limit forbids them."""
    world = observed.world
    whole = AsObserved(
        world,
        serve_mtok=run.serve_mtok,
        awake=np.ceil(run.awake - WHOLE_SLACK),
        battery_mw=(run.charge_mwh - run.discharge_mwh) / world.step_h,
    )
    try:
        again = replay(world, whole, initial=begun_awake(world, observed.awake))
    except (InfeasibleProgram, LimitBroken):
        return None
    return done_usd - float(cost_usd_by_interval(world, again).sum())


def _needed(observed: Observed) -> FloatArray:
    """Return the replicas that the work takes, awake an interval before they work [D, T].

    One that wakes serves nothing meanwhile: woken when its work is there, it would need more
    replicas than were seen.
    """
    busy = busy_replicas(observed.world, observed.serve_mtok)
    ahead = np.concatenate((busy[:, 1:], busy[:, -1:]), axis=1)
    return np.minimum(observed.awake, np.maximum(busy, ahead))


def _one(
    baseline: str, saved_usd: FloatArray, cost_usd: float, world: World, seed: int
) -> AgainstOne:
    drawn: Band | None = band(saved_usd, step_h=world.step_h, seed=seed)
    usd = float(saved_usd.sum())
    return AgainstOne(
        baseline=baseline,
        usd=usd,
        share=usd / cost_usd if cost_usd > 0.0 else None,
        low_usd=None if drawn is None else drawn.low_usd,
        high_usd=None if drawn is None else drawn.high_usd,
        block_h=None if drawn is None else drawn.block_h,
        blocks_count=0 if drawn is None else drawn.blocks_count,
    )


def _runs(
    observed: Observed,
    policies: dict[str, Policy],
    on_progress: Callable[[str, int, int], None] | None,
) -> dict[str, Run]:
    """Replay the policies side by side; the solver lets go of the interpreter."""

    def run(name: str) -> Run:
        told = None if on_progress is None else lambda done, of: on_progress(name, done, of)
        return replay(
            observed.world,
            policies[name],
            initial=begun_awake(observed.world, observed.awake),
            on_progress=told,
        )

    with ThreadPoolExecutor() as pool:
        waiting = {name: pool.submit(run, name) for name in policies}
        return {name: each.result() for name, each in waiting.items()}
