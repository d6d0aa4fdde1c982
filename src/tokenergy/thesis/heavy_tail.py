"""T10, heavy tail: a few users use up what the others bring, and a cap where they turn mends it.

Economics sheet, sections 4 and 9. A subscription at a flat price, usage lognormal, and a cap at
the break-even usage p / lambda. That nobody loses money above that cap is arithmetic: a capped
user brings exactly nothing. So is it that margin rises as long as only capped users leave, for
they brought nothing. What can fail is the margin once others leave too, because of what they
hear: here `churn_share` of all users leaves, capped or not. The cap also takes tokens away that
somebody wanted: how many, and what they list at, is told.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

import numpy as np

from tokenergy.economics.gpu_cost import GpuCost
from tokenergy.economics.heavy_tail import Lognormal, MarginSplit
from tokenergy.thesis.draws import FloatArray, drawn, unverified
from tokenergy.thesis.inputs import ThesisInputs
from tokenergy.thesis.result import Result, Told, hash_of, verdict_of
from tokenergy.thesis.thresholds import (
    DRAWS_COUNT,
    TAIL_TOP_TENTH_SHARE,
    UNPROFITABLE_AFTER_MOST_SHARE,
)

SUBSCRIPTION_USD_PER_USER_MONTH: Final = 20.0
"""What the common plans list at. Only its ratio to cost matters: usage is set by it."""
GPU: Final = tuple(field.name for field in fields(GpuCost))
PRICE: Final = "token_price_usd_per_mtok"
TAIL: Final = "usage_top_tenth_share"
CHURN: Final = "churn_share"
DRAWN: Final = (*GPU, PRICE, TAIL, CHURN)
TAILS_SHARE: Final = (0.50, 0.65, 0.80, 0.90)
"""The tails of the sheet's table."""
CAPS_RATIO: Final = (0.5, 1.0, 2.0, 5.0, 10.0)
"""Other caps to look at, in multiples of mean usage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A subscription that sells mean usage at the list price of tokens.

    Attributes:
        usd_per_user_month: its price p.
        token_price_usd_per_mtok: list price of tokens: mean usage is p over it.
        cost_usd_per_mtok: full cost of a token, lambda.
        top_tenth_share: part of all tokens that the heaviest tenth of users asks for.
        churn_share: part of all users, capped or not, that leaves because of the cap.
    """

    usd_per_user_month: float
    token_price_usd_per_mtok: float
    cost_usd_per_mtok: float
    top_tenth_share: float
    churn_share: float

    @property
    def usage(self) -> Lognormal:
        """Usage of the users, Mtok per month."""
        mean_mtok = self.usd_per_user_month / self.token_price_usd_per_mtok
        return Lognormal.from_top_tenth_share(self.top_tenth_share, mean_mtok=mean_mtok)

    @property
    def break_even_mtok(self) -> float:
        """Usage at which a user brings nothing: p / lambda."""
        return self.usd_per_user_month / self.cost_usd_per_mtok

    @property
    def before(self) -> MarginSplit:
        """Margin by user-month without a cap."""
        return self.capped(float("inf"))

    @property
    def after(self) -> MarginSplit:
        """Margin by user-month with the cap at break-even, of those who stay."""
        return self.capped(self.break_even_mtok)

    @property
    def net_usd_per_user_month(self) -> float:
        """Mean margin with the cap, by user of before: those who left bring nothing."""
        return (1.0 - self.churn_share) * self.after.mean_usd_per_user

    @property
    def gain_usd_per_user_month(self) -> float:
        """What the cap adds to margin, net of churn."""
        return self.net_usd_per_user_month - self.before.mean_usd_per_user

    @property
    def most_churn_share(self) -> float:
        """Part of all users that may leave before the cap costs more than it saves."""
        before_usd, after_usd = self.before.mean_usd_per_user, self.after.mean_usd_per_user
        return 1.0 - max(0.0, before_usd) / after_usd if after_usd > 0.0 else 0.0

    @property
    def holds(self) -> bool:
        """Whether nobody loses money at the cap, and margin rises net of churn."""
        unprofitable = self.after.unprofitable_share
        return unprofitable <= UNPROFITABLE_AFTER_MOST_SHARE and self.gain_usd_per_user_month > 0.0

    def capped(self, cap_mtok: float) -> MarginSplit:
        """Return the margin by user-month with a cap, before anybody leaves."""
        return self.usage.margin(
            fixed_usd=self.usd_per_user_month,
            usd_per_mtok=self.cost_usd_per_mtok,
            cap_mtok=cap_mtok,
        )


def run(inputs: ThesisInputs, told: Told | None = None) -> Result:
    """Cap a subscription at its break-even usage, at the base and over the ranges."""
    del told  # it takes a moment
    ranges = inputs.ranges
    base = {name: ranges[name].base_quantity for name in DRAWN}
    plan = _plan(base, top_tenth_share=TAIL_TOP_TENTH_SHARE)
    draws = _draws(inputs)
    return Result(
        id="T10",
        claim="a few heavy users lose the money, and a cap at break-even stops it",
        label="sensitivity",
        number=plan.gain_usd_per_user_month,
        unit="USD a user-month, net of churn",
        threshold=(
            f"> 0, and at most {UNPROFITABLE_AFTER_MOST_SHARE:.0%} of the users unprofitable at "
            f"the cap, with {TAIL_TOP_TENTH_SHARE:.0%} of the tokens asked for by a tenth of them"
        ),
        verdict=verdict_of(plan.holds),
        says=_says(plan, draws),
        holds_share=draws["holds_share"],
        draws_count=DRAWS_COUNT,
        inputs_hash=hash_of(
            {
                "ranges": {name: asdict(ranges[name]) for name in DRAWN},
                "plan": asdict(plan),
                "seed": inputs.seed,
            }
        ),
        figures=_figures(plan)
        | {"gpu": _gpu(base).to_dict(), "draws": draws}
        | {"sources": {name: ranges[name].source for name in DRAWN}},
        findings=unverified(ranges, DRAWN),
    )


def _gpu(of: Mapping[str, float]) -> GpuCost:
    return GpuCost(**{name: of[name] for name in GPU})


def _plan(of: Mapping[str, float], *, top_tenth_share: float) -> Plan:
    return Plan(
        usd_per_user_month=SUBSCRIPTION_USD_PER_USER_MONTH,
        token_price_usd_per_mtok=of[PRICE],
        cost_usd_per_mtok=_gpu(of).usd_per_mtok(),
        top_tenth_share=top_tenth_share,
        churn_share=of[CHURN],
    )


def _draws(inputs: ThesisInputs) -> dict[str, Any]:
    """Return in what part of the draws the claim holds, and what a plan may lose of its users."""
    random = np.random.default_rng([inputs.seed, 10])
    columns = drawn(random, inputs.ranges, DRAWN, count=DRAWS_COUNT)
    plans = []
    for at in range(DRAWS_COUNT):
        row = {name: float(values[at]) for name, values in columns.items()}
        plans.append(_plan(row, top_tenth_share=row[TAIL]))
    holds = np.array([plan.holds for plan in plans])
    most = np.array([plan.most_churn_share for plan in plans])
    before = np.array([plan.before.unprofitable_share for plan in plans])
    p5, p50, p95 = (float(each) for each in np.quantile(most, (0.05, 0.5, 0.95)))
    losing = [plan.before.mean_usd_per_user < 0.0 for plan in plans]
    return {
        "varied": list(DRAWN),
        "holds_share": float(holds.mean()),
        "most_churn_p5_share": p5,
        "most_churn_p50_share": p50,
        "most_churn_p95_share": p95,
        "margin_below_0_before_share": float(np.mean(losing)),
        "unprofitable_where_holds_p50_share": _median(before[holds]),
        "unprofitable_where_fails_p50_share": _median(before[~holds]),
    }


def _median(shares: FloatArray) -> float | None:
    return float(np.median(shares)) if shares.size else None


def _figures(plan: Plan) -> dict[str, Any]:
    """Return both sides of the cap, other caps, and other tails."""
    usage, cap_mtok = plan.usage, plan.break_even_mtok
    return {
        "usd_per_user_month": plan.usd_per_user_month,
        "token_price_usd_per_mtok": plan.token_price_usd_per_mtok,
        "full_usd_per_mtok": plan.cost_usd_per_mtok,
        "mean_mtok_per_user_month": usage.mean_mtok,
        "median_mtok_per_user_month": usage.median_mtok,
        "usage_top_tenth_share": plan.top_tenth_share,
        "sigma_ratio": usage.sigma_ratio,
        "churn_share": plan.churn_share,
        "cap": _cap(plan, cap_mtok),
        "before": _cap(plan, float("inf")),
        "net_usd_per_user_month": plan.net_usd_per_user_month,
        "gain_usd_per_user_month": plan.gain_usd_per_user_month,
        "only_capped_leave_usd_per_user_month": plan.after.mean_usd_per_user
        - plan.before.mean_usd_per_user,
        "most_churn_share": plan.most_churn_share,
        "other_caps": [_cap(plan, ratio * usage.mean_mtok) for ratio in CAPS_RATIO],
        "other_tails": [_tail(plan, top_tenth_share=share) for share in TAILS_SHARE],
    }


def _cap(plan: Plan, cap_mtok: float) -> dict[str, Any]:
    """Return what a cap does before anybody leaves; infinity, which JSON has not, is None."""
    usage, split = plan.usage, plan.capped(cap_mtok)
    endless = cap_mtok == float("inf")
    dropped_share = 1.0 - usage.kept_share(cap_mtok)
    dropped_mtok = dropped_share * usage.mean_mtok
    return {
        "cap_mtok_per_user_month": None if endless else cap_mtok,
        "cap_ratio": None if endless else cap_mtok / usage.mean_mtok,
        "capped_share": usage.share_above(cap_mtok),
        "unprofitable_share": split.unprofitable_share,
        "loss_usd_per_user_month": split.loss_usd_per_user,
        "margin_usd_per_user_month": split.mean_usd_per_user,
        "tokens_dropped_share": dropped_share,
        "value_lost_usd_per_user_month": dropped_mtok * plan.token_price_usd_per_mtok,
    }


def _tail(plan: Plan, *, top_tenth_share: float) -> dict[str, Any]:
    other = Plan(**(asdict(plan) | {"top_tenth_share": top_tenth_share}))
    return {
        "usage_top_tenth_share": top_tenth_share,
        "unprofitable_before_share": other.before.unprofitable_share,
        "margin_before_usd_per_user_month": other.before.mean_usd_per_user,
        "gain_usd_per_user_month": other.gain_usd_per_user_month,
        "most_churn_share": other.most_churn_share,
        "tokens_dropped_share": 1.0 - other.usage.kept_share(other.break_even_mtok),
    }


def _says(plan: Plan, draws: Mapping[str, Any]) -> str:
    """Say what is arithmetic, what is not, and what the cap takes away."""
    before, cap = plan.before, _cap(plan, plan.break_even_mtok)
    few, many = (draws[f"unprofitable_where_{each}_p50_share"] for each in ("fails", "holds"))
    where = ""
    if few is not None and many is not None:
        where = f"; where it fails {few:.1%} of the users lose (median), where it holds {many:.1%}"
    return (
        f"A plan of {plan.usd_per_user_month:.0f} USD, what mean usage lists at "
        f"({plan.token_price_usd_per_mtok:.2f} USD/Mtok: an assumption), at a full cost of "
        f"{plan.cost_usd_per_mtok:.2f} USD/Mtok turns at {plan.break_even_mtok:.0f} Mtok a month, "
        f"{cap['cap_ratio']:.1f} times mean usage: {before.unprofitable_share:.1%} of the users "
        f"use more and lose {before.loss_usd_per_user:.2f} USD for each user there is. Capped "
        "there, none loses, by construction, and margin goes from "
        f"{before.mean_usd_per_user:.2f} to {plan.net_usd_per_user_month:.2f} USD a user-month "
        f"with {plan.churn_share:.0%} of all users gone; up to {plan.most_churn_share:.0%} might "
        f"go. If only capped users go it costs nothing: they bring nothing. The cap takes away "
        f"{cap['tokens_dropped_share']:.0%} of all tokens asked for, "
        f"{cap['value_lost_usd_per_user_month']:.2f} USD a user-month at list price. Of the draws "
        f"it holds in {draws['holds_share']:.0%}{where}."
    )
