"""T2, growth amplifies loss: does one more user turn from loss to gain at the break-even share?

Economics sheet, sections 5 and 9. The break-even conversion phi* comes from the toy's marginal
cost in closed form. Whether one more user adds profit or loss comes from `plan`, the product's own,
which chooses the GPUs and the contracts of the same toy written as a company (`toy_plan`), a little
below and a little above each number of users. An identity: the company has the toy's own prices, so
that a FAIL is a fault, or a place where the cost has a kink and no single phi* exists.
"""

from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from tokenergy.economics.negative_scale import (
    STEP_SHARE,
    TOY_AI,
    TOY_GPU_USD_PER_MTOK,
    Audience,
    ToyCompany,
    break_even_conversion,
    marginal_usd_per_user_year,
)
from tokenergy.errors import UnexpectedError
from tokenergy.thesis.inputs import ThesisInputs
from tokenergy.thesis.result import Result, Told, hash_of, verdict_of
from tokenergy.thesis.thresholds import BREAK_EVEN_NEAR_SHARE
from tokenergy.thesis.toy_plan import Plan
from tokenergy.units import MONTHS_PER_YEAR

USERS_COUNT: Final = tuple(float(users) for users in np.logspace(6, 8, 9))
SWEEP_STEP_SHARE: Final = 0.001
SWEEP_STEPS_COUNT: Final = 50
"""Steps of the sweep to either side of phi*."""

PRICE_USD_PER_USER_YEAR: Final = 20.0 * MONTHS_PER_YEAR
"""A plan of 20 USD a month, a usual price; the toy names none."""
FREE_USD_PER_USER_YEAR: Final = 0.5
"""What a free user brings, e.g. advertising: an assumption."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """Where the sign of dPi/dN flips at one number of users, and where it should.

    Attributes:
        users_count: users.
        left_phi_share, right_phi_share: phi* by the cost of the last user, and of the next;
            equal where the cost has no kink.
        flip_low_share, flip_high_share: neighbours of the sweep between which a loss turns into
            a gain; None where that is nowhere within the sweep.
    """

    users_count: float
    left_phi_share: float
    right_phi_share: float
    flip_low_share: float | None
    flip_high_share: float | None

    @property
    def kinked(self) -> bool:
        """Whether there is no single phi*."""
        return self.left_phi_share != self.right_phi_share

    @property
    def off_share(self) -> float:
        """How far from phi* the flip may lie, over phi*; infinite where there is none."""
        if self.flip_low_share is None or self.flip_high_share is None:
            return float("inf")
        ends = (self.flip_low_share, self.flip_high_share)
        return max(abs(end / self.left_phi_share - 1.0) for end in ends)

    @property
    def between(self) -> bool:
        """Whether the flip lies between both phi*."""
        if self.flip_low_share is None or self.flip_high_share is None:
            return False
        low, high = sorted((self.left_phi_share, self.right_phi_share))
        return self.flip_high_share >= low and self.flip_low_share <= high

    def to_dict(self) -> dict[str, Any]:
        """Return the turn as a JSON-ready mapping."""
        held = asdict(self) | {"kinked": self.kinked, "between": self.between}
        return held | {"off_share": None if self.flip_low_share is None else self.off_share}


def run(inputs: ThesisInputs, told: Told | None = None) -> Result:
    """Hold the flip of dPi/dN, by the plan, against phi*, in closed form, at every N."""
    toy, plan = TOY_AI, Plan(TOY_AI, inputs.catalogue)  # the sheet's own: nothing is drawn
    edges = [edge for edge in toy.edges_count if USERS_COUNT[0] <= edge <= USERS_COUNT[-1]]
    turns = []
    for done, users in enumerate(sorted((*USERS_COUNT, *edges))):
        turns.append(turn_at(toy, plan, users))
        if told is not None:
            told(done + 1, len(USERS_COUNT) + len(edges))
    smooth = [turn for turn in turns if not turn.kinked]
    off_share = max(
        abs(plan.cost_usd_per_year(users) / toy.cost_usd_per_year(users) - 1.0)
        for users in USERS_COUNT
    )
    worst = max(turn.off_share for turn in smooth)
    kinks = [turn for turn in turns if turn.kinked]
    holds = worst <= BREAK_EVEN_NEAR_SHARE and all(turn.between for turn in kinks)
    return Result(
        id="T2",
        claim="below the break-even conversion growth makes the loss larger",
        label="identity",
        number=worst if np.isfinite(worst) else None,
        unit="share of phi*",
        threshold=(
            f"sign of dPi/dN flips within {BREAK_EVEN_NEAR_SHARE:.0%} of phi*, from "
            f"{USERS_COUNT[0]:,.0f} to {USERS_COUNT[-1]:,.0f} users; at a kink of the cost, "
            "between both phi*"
        ),
        verdict=verdict_of(holds),
        says=_says(toy, plan, turns, worst),
        inputs_hash=hash_of(
            {
                "toy": asdict(toy),
                "price_usd_per_user_year": PRICE_USD_PER_USER_YEAR,
                "free_usd_per_user_year": FREE_USD_PER_USER_YEAR,
                "users_count": USERS_COUNT,
            }
        ),
        figures={
            "price_usd_per_user_year": PRICE_USD_PER_USER_YEAR,
            "free_usd_per_user_year": FREE_USD_PER_USER_YEAR,
            "gpu_usd_per_mtok": TOY_GPU_USD_PER_MTOK,
            "sweep_step_share": SWEEP_STEP_SHARE,
            "difference_step_share": STEP_SHARE,
            "plan_off_closed_form_share": off_share,
            "turns": [turn.to_dict() for turn in turns],
            "profit_at_half_phi": _profits(toy, plan, phi_ratio=0.5),
            "profit_at_twice_phi": _profits(toy, plan, phi_ratio=2.0),
        },
    )


def turn_at(toy: ToyCompany, plan: Plan, users_count: float) -> Turn:
    """Sweep the conversion around phi* and tell where one more user stops being a loss."""
    left, right = (
        _phi(toy.next_usd_per_user_year(users_count, fewer=fewer)) for fewer in (True, False)
    )
    marginal = marginal_usd_per_user_year(plan.cost_usd_per_year, users_count)
    # half a step off, so that phi* itself, where the derivative is 0 but for rounding, is not hit
    steps = np.arange(-SWEEP_STEPS_COUNT, SWEEP_STEPS_COUNT + 1) - 0.5
    shares = 0.5 * (left + right) * (1.0 + SWEEP_STEP_SHARE * steps)
    gains = [_audience(float(share)).revenue_usd_per_user_year > marginal for share in shares]
    flips = [at for at in range(1, len(gains)) if gains[at] != gains[at - 1]]
    found = flips[0] if len(flips) == 1 and gains[-1] else None
    return Turn(
        users_count=users_count,
        left_phi_share=left,
        right_phi_share=right,
        flip_low_share=None if found is None else float(shares[found - 1]),
        flip_high_share=None if found is None else float(shares[found]),
    )


def _audience(paid_share: float) -> Audience:
    return Audience(
        paid_share=paid_share,
        price_usd_per_user_year=PRICE_USD_PER_USER_YEAR,
        free_usd_per_user_year=FREE_USD_PER_USER_YEAR,
    )


def _phi(marginal_usd_per_user: float) -> float:
    """Return phi* at a marginal cost that payers and free users share."""
    answer = break_even_conversion(
        price_usd_per_user=PRICE_USD_PER_USER_YEAR,
        free_revenue_usd_per_user=FREE_USD_PER_USER_YEAR,
        paid_cost_usd_per_user=marginal_usd_per_user,
        free_cost_usd_per_user=marginal_usd_per_user,
    )
    if answer.conversion_share is None:
        raise UnexpectedError(f"T2: the toy has a break-even, and none was found: {answer.case}")
    return answer.conversion_share


def _profits(toy: ToyCompany, plan: Plan, *, phi_ratio: float) -> list[dict[str, float]]:
    """Return the profit of a year by users, at a conversion in multiples of the first phi*."""
    audience = _audience(phi_ratio * _phi(toy.next_usd_per_user_year(USERS_COUNT[0])))
    brings = audience.revenue_usd_per_user_year
    return [
        {
            "users_count": users,
            "paid_share": audience.paid_share,
            "profit_usd_per_year": brings * users - plan.cost_usd_per_year(users),
        }
        for users in (USERS_COUNT[0], 1e7, USERS_COUNT[-1])
    ]


def _says(toy: ToyCompany, plan: Plan, turns: list[Turn], worst_share: float) -> str:
    """Say the answer with its figures, kinks included."""
    first, *_, last = _profits(toy, plan, phi_ratio=0.5)
    text = (
        f"One more user turns from loss to gain within {worst_share:.2%} of phi* wherever the "
        f"cost has no kink ({turns[0].left_phi_share:.2%} of the users paying "
        f"{PRICE_USD_PER_USER_YEAR:.0f} USD a year, at {turns[0].users_count:,.0f} users). At "
        f"half of it the loss grows from {-first['profit_usd_per_year'] / 1e6:,.1f} to "
        f"{-last['profit_usd_per_year'] / 1e6:,.1f} M USD a year between "
        f"{first['users_count']:,.0f} and {last['users_count']:,.0f} users."
    )
    for turn in turns:
        if turn.kinked:
            where = "between the two" if turn.between else "outside both"
            text += (
                f" At {turn.users_count:,.0f} users a block of power is full: there is no single "
                f"phi*, but {turn.left_phi_share:.3%} for the last user and "
                f"{turn.right_phi_share:.3%} for the next; the sweep turns {where}, "
                f"{turn.off_share:.1%} off the first."
            )
    return text
