"""T1, user scale -> cost: does one more user still make the average user cheaper?

Economics sheet, sections 5 and 9. Two companies with the same fixed cost: software whose users
cost two cents a year each, and a model whose users ask for tokens. The elasticity of cost to
users is near 0 where scale makes users cheap, and 1 where it does nothing for them any more.
An identity: it follows from the toy's own figures. Software too comes to an elasticity of 1 with
enough users, and tokens to 0 with few: between which numbers of users both halves hold is told.
"""

import math
from dataclasses import asdict
from typing import Any, Final

from tokenergy.economics.negative_scale import (
    STEP_SHARE,
    TOY_AI,
    TOY_SAAS,
    Audience,
    Scale,
    ToyCompany,
    scale_at,
)
from tokenergy.thesis.inputs import ThesisInputs
from tokenergy.thesis.result import Result, Told, hash_of, verdict_of
from tokenergy.thesis.thresholds import AI_ELASTICITY_LEAST_RATIO, SAAS_ELASTICITY_MOST_RATIO

USERS_COUNT: Final = (1e5, 1e6, 1e7, 1e8)
JUDGED_USERS_COUNT: Final = 1e7
NO_REVENUE: Final = Audience(
    paid_share=0.0, price_usd_per_user_year=0.0, free_usd_per_user_year=0.0
)
"""The claim is about cost alone."""
SEARCH_COUNT: Final = (1.0, 1e12)
"""Users between which the ends of the claim are looked for."""
BISECTIONS_COUNT: Final = 60


def run(inputs: ThesisInputs, told: Told | None = None) -> Result:
    """Hold the elasticity of both companies against the thresholds, at ten million users."""
    del inputs, told  # the toy is the sheet's own: nothing is drawn, and it takes a moment
    saas, ai = (_at(toy, JUDGED_USERS_COUNT) for toy in (TOY_SAAS, TOY_AI))
    holds = (
        saas.elasticity_ratio <= SAAS_ELASTICITY_MOST_RATIO
        and ai.elasticity_ratio >= AI_ELASTICITY_LEAST_RATIO
    )
    ends = holds_between()
    return Result(
        id="T1",
        claim="more users do not make tokens cheap, as they do software",
        label="identity",
        number=ai.elasticity_ratio,
        unit="per cent of cost per per cent of users",
        threshold=(
            f">= {AI_ELASTICITY_LEAST_RATIO:g}, and <= {SAAS_ELASTICITY_MOST_RATIO:g} for "
            f"software, at {JUDGED_USERS_COUNT:,.0f} users"
        ),
        verdict=verdict_of(holds),
        says=_says(saas, ai, ends),
        inputs_hash=hash_of({"saas": asdict(TOY_SAAS), "ai": asdict(TOY_AI)}),
        figures={
            "users_count": JUDGED_USERS_COUNT,
            "step_share": STEP_SHARE,
            "saas_elasticity_ratio": saas.elasticity_ratio,
            "ai_elasticity_ratio": ai.elasticity_ratio,
            "holds_from_users_count": None if ends is None else ends[0],
            "holds_to_users_count": None if ends is None else ends[1],
            "saas": _table(TOY_SAAS),
            "ai": _table(TOY_AI),
        },
    )


def holds_between() -> tuple[float, float] | None:
    """Return the fewest and the most users at which both halves hold; None: nowhere.

    Elasticity rises with users as long as it is below 1: the last user costs no less than those
    before, and what is fixed is spread over more.
    """
    fewest = _users_from(TOY_AI, AI_ELASTICITY_LEAST_RATIO)
    most = _users_from(TOY_SAAS, SAAS_ELASTICITY_MOST_RATIO)
    return (fewest, most) if fewest <= most else None


def _users_from(toy: ToyCompany, elasticity_ratio: float) -> float:
    """Return the number of users at which the elasticity comes to this."""
    low, high = (math.log(users) for users in SEARCH_COUNT)
    for _ in range(BISECTIONS_COUNT):
        middle = 0.5 * (low + high)
        if _at(toy, math.exp(middle)).elasticity_ratio < elasticity_ratio:
            low = middle
        else:
            high = middle
    return math.exp(high)


def _at(toy: ToyCompany, users_count: float) -> Scale:
    return scale_at(toy.cost_usd_per_year, NO_REVENUE, users_count)


def _table(toy: ToyCompany) -> list[dict[str, Any]]:
    """Return cost per user by users: the table of section 5."""
    return [
        {
            "users_count": users,
            "average_usd_per_user_year": at.average_usd_per_user_year,
            "marginal_usd_per_user_year": at.marginal_usd_per_user_year,
            "elasticity_ratio": at.elasticity_ratio,
        }
        for users in USERS_COUNT
        for at in (_at(toy, users),)
    ]


def _says(saas: Scale, ai: Scale, ends: tuple[float, float] | None) -> str:
    """Say the answer with its figures."""
    first, last = USERS_COUNT[0], USERS_COUNT[-1]
    falls = [
        _at(toy, first).average_usd_per_user_year / _at(toy, last).average_usd_per_user_year
        for toy in (TOY_SAAS, TOY_AI)
    ]
    floor = _at(TOY_AI, last)
    dear = any(_at(TOY_AI, users).diseconomies for users in USERS_COUNT)
    rises = "rises" if dear else "does not rise"
    where = "Both halves hold at no number of users."
    if ends is not None:
        few, many = (users / 1e6 for users in ends)
        where = (
            f"Both halves hold between {few:.1f} and {many:.1f} million users: with fewer what is "
            "fixed weighs on tokens too, with more the users of software cost something too."
        )
    return (
        f"From {first:,.0f} to {last:,.0f} users the cost of a user falls {falls[0]:,.0f}-fold "
        f"for software and {falls[1]:,.0f}-fold for tokens, where it stops at the marginal cost "
        f"({floor.marginal_usd_per_user_year:.2f} USD a year). At {ai.users_count:,.0f} users one "
        f"per cent more of them costs {saas.elasticity_ratio:.3f} % more in software, "
        f"{ai.elasticity_ratio:.3f} % in tokens. {where} Cost per user {rises} with "
        "users: whether growth loses money is another question (T2)."
    )
