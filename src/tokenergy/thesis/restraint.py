"""T8, restraint: refuse what is worth less than it costs, at the hour in which it costs it.

Economics sheet, section 9. A free film tier, worth the conversions that it brings, most of them
from few requests. Three policies on one program, at the level of intervals: serve everything;
serve what is worth its cost; and drop as many tokens in every hour at random. Tokens are equal
between the last two, or restraint would win by making less. Then clip by clip, as requests come:
pacing at the prices of that program and under a budget of as many tokens, against six other ways
to give away what it used. The claim has to hold at both levels, by the same thresholds.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

import numpy as np

from tokenergy.company.finding import Finding
from tokenergy.economics.heavy_tail import Lognormal, ValueClass, sigma_of, value_classes
from tokenergy.thesis.draws import between, drawn, unverified
from tokenergy.thesis.film_company import OWNED_RATIO, Film
from tokenergy.thesis.inputs import ThesisInputs
from tokenergy.thesis.restraint_curve import Compared, Curve, compared, curve_of
from tokenergy.thesis.restraint_requests import (
    WORDS,
    RequestTier,
    RestraintRequests,
    restraint_requests,
)
from tokenergy.thesis.restraint_trial import (
    CLASSES_COUNT,
    RANDOM_SEEDS_COUNT,
    VALUE_OVER_COST_RATIO,
    Trial,
    trial_of,
)
from tokenergy.thesis.result import Result, Told, hash_of, verdict_of
from tokenergy.thesis.thresholds import (
    DRAWS_COUNT,
    RESTRAINT_INTERVAL_SHARE,
    RESTRAINT_MARGIN_LEAST_SHARE,
    RESTRAINT_VALUE_LEAST_SHARE,
)

VALUE_OVER_COST_ENDS_RATIO: Final = (0.5, 2.0)
OWNED_ENDS_RATIO: Final = (0.5, 1.5)
"""Own GPUs over what mean demand keeps busy. Both are assumptions: no source tells them."""
DRAWN: Final = ("value_top_tenth_share", "usd_per_mwh", "lease_usd_per_gpu_hour")
BASE: Final = (
    "value_top_tenth_share", "lease_usd_per_gpu_hour", "usd_per_gpu", "gpu_life_y",
    "ops_share_per_year", "wacc_share", "facility_usd_per_kw", "facility_life_y", "kw_per_gpu",
)  # fmt: skip
LEAST_SERVED_SHARE: Final = 1e-6
REQUESTS_COUNT: Final = 20_000
SEEDS_COUNT: Final = 3
"""Clips that are drawn one by one, and how often; each stands for a hundred or so."""
KNOWN_STEPS_COUNT: Final = 20
"""Steps from nothing known of a request's value to everything."""


def run(inputs: ThesisInputs, told: Told | None = None) -> Result:
    """Hold the threshold against serving everything, and against random dropping."""
    trial = trial_of(inputs, told)
    curve = curve_of(trial.film)
    draws = _draws(inputs, trial.film, curve)
    known = _least_known_share(trial, curve)
    requests = _requests(trial, curve, inputs.seed)
    holds = _holds(trial) and (requests is None or _holds(requests))
    return Result(
        id="T8",
        claim="restraint: a token that is worth less than it costs is better not made",
        label="sensitivity",
        number=trial.margin_up_share,
        unit="share of the margin of serving everything",
        threshold=(
            f">= {RESTRAINT_MARGIN_LEAST_SHARE:.0%}, with >= {RESTRAINT_VALUE_LEAST_SHARE:.0%} of "
            f"the value kept, and above the {RESTRAINT_INTERVAL_SHARE:.0%} interval of dropping "
            "as many tokens of every hour at random"
        ),
        verdict=verdict_of(holds),
        says=_says(trial, draws, known) + _says_requests(requests),
        holds_share=draws["holds_share"],
        draws_count=DRAWS_COUNT,
        inputs_hash=_hash(inputs, trial.film),
        figures=_figures(trial, curve)
        | {"least_known_share": known, "draws": draws}
        | {"requests": None if requests is None else requests.to_dict()}
        | {"prices": inputs.prices.source, "zones": list(trial.film.zones)},
        findings=unverified(inputs.ranges, sorted({*BASE, *DRAWN})) + _synthetic(inputs),
    )


def _holds(found: Trial | Compared | RestraintRequests) -> bool:
    return (
        found.margin_up_share >= RESTRAINT_MARGIN_LEAST_SHARE
        and found.value_kept_share >= RESTRAINT_VALUE_LEAST_SHARE
        and found.beats_random
    )


def _requests(trial: Trial, curve: Curve, seed: int) -> RestraintRequests | None:
    """Return the same company clip by clip; None where no clip is worth making.

    The board's price of an hour is what one clip more costs in the program of the threshold; the
    budget is what that program makes; what served clips cost is the closed form's.
    """
    film = trial.film
    budget_share = trial.threshold_policy.served_mtok / trial.unlimited_policy.served_mtok
    if budget_share < LEAST_SERVED_SHARE:
        return None
    tier = RequestTier(
        name="free",
        arrivals_mtok=curve.arrivals_mtok,
        price_usd_per_mtok=trial.threshold.asked_usd_per_mtok,
        step_h=film.world.step_h,
        value_usd_per_mtok=trial.usd_per_clip / film.clip_mtok,
        value_top_tenth_share=trial.value_top_tenth_share,
        size_sigma_ratio=0.0,
        budget_share=budget_share,
        seed=seed,
    )
    return restraint_requests(
        tier, curve.cost_usd, seeds_count=SEEDS_COUNT, requests_count=REQUESTS_COUNT
    )


def _says_requests(found: RestraintRequests | None) -> str:
    """Say what pacing keeps clip by clip, and what the others do with as many tokens."""
    if found is None:
        return " Clip by clip there is nothing to compare: none is worth making."
    others = ", ".join(
        f"{WORDS[policy.policy]} {policy.value_kept_share:.1%}"
        for policy in found.policies
        if policy.policy not in ("unlimited", "paced")
    )
    verdict = "holds as well" if _holds(found) else "does not hold"
    return (
        f" Clip by clip it {verdict}: paced at the program's prices, "
        f"{found.policy('paced').tokens_share:.0%} of the clips keep "
        f"{found.value_kept_share:.1%} of the value and move margin by "
        f"{found.margin_up_share:+.1%}; with as many clips, others keep: {others}."
    )


def _draws(inputs: ThesisInputs, film: Film, curve: Curve) -> dict[str, Any]:
    """Return in what part of the draws the claim holds, on the closed form of the program.

    Drawn are the ranges named in `DRAWN`, the mean value of a clip over its full cost in the same
    draw, and own GPUs over mean demand. The level of prices moves both zones alike.
    """
    random, ranges = np.random.default_rng([inputs.seed, 8, 1]), inputs.ranges
    values = drawn(random, ranges, DRAWN, count=DRAWS_COUNT)
    low, high = VALUE_OVER_COST_ENDS_RATIO
    over = between(random, low_quantity=low, high_quantity=high, count=DRAWS_COUNT)
    low, high = OWNED_ENDS_RATIO
    owned = between(random, low_quantity=low, high_quantity=high, count=DRAWS_COUNT)
    world = film.world
    mean_usd = world.buy_usd_per_mwh(world.spot_usd_per_mwh)[:, world.first : world.last].mean()
    lease_usd = ranges["lease_usd_per_gpu_hour"].base_quantity
    found = []
    for at in range(DRAWS_COUNT):
        changed = curve.changed(
            power_ratio=float(values["usd_per_mwh"][at] / mean_usd),
            lease_ratio=float(values["lease_usd_per_gpu_hour"][at] / lease_usd),
            owned_ratio=float(owned[at] / OWNED_RATIO),
        )
        q = float(values["value_top_tenth_share"][at])
        usd_per_clip = float(over[at]) * changed.full_usd_per_clip()
        found.append(_compared(changed, q, usd_per_clip=usd_per_clip))
    margin = np.array([each.margin_up_share >= RESTRAINT_MARGIN_LEAST_SHARE for each in found])
    kept = np.array([each.value_kept_share >= RESTRAINT_VALUE_LEAST_SHARE for each in found])
    holds = np.array([_holds(each) for each in found])
    ample = owned > OWNED_RATIO
    return {
        "varied": [*DRAWN, "value_over_cost_ratio", "owned_ratio"],
        "value_over_cost_ratio": list(VALUE_OVER_COST_ENDS_RATIO),
        "owned_ratio": list(OWNED_ENDS_RATIO),
        "holds_share": float(holds.mean()),
        "margin_share": float(margin.mean()),
        "value_share": float(kept.mean()),
        "random_share": float(np.mean([each.beats_random for each in found])),
        "owned_above_mean_holds_share": float(holds[ample].mean()),
        "owned_below_mean_holds_share": float(holds[~ample].mean()),
        "margin_up_p50_share": float(np.median([each.margin_up_share for each in found])),
    }


def _compared(
    curve: Curve,
    top_tenth_share: float,
    *,
    usd_per_clip: float,
    classes: tuple[ValueClass, ...] | None = None,
) -> Compared:
    return compared(
        curve,
        value_classes(top_tenth_share, CLASSES_COUNT) if classes is None else classes,
        usd_per_clip=usd_per_clip,
        value_top_tenth_share=top_tenth_share,
    )


def _least_known_share(trial: Trial, curve: Curve) -> float | None:
    """Return how well a request's value must be known: None if knowing all of it is not enough.

    A score whose logarithm has the correlation rho with that of the value makes the expected
    value lognormal with rho sigma: the policy then acts on that. The least rho, in steps of a
    twentieth, from which on the claim holds.
    """
    sigma = sigma_of(trial.value_top_tenth_share)
    least: float | None = None
    for step in range(KNOWN_STEPS_COUNT, -1, -1):
        known = step / KNOWN_STEPS_COUNT
        seen = Lognormal(mean_mtok=1.0, sigma_ratio=known * sigma).top_tenth_share
        found = _compared(
            curve,
            trial.value_top_tenth_share,
            usd_per_clip=trial.usd_per_clip,
            classes=value_classes(max(0.1, seen), CLASSES_COUNT),
        )
        if not _holds(found):
            break
        least = known
    return least


def _figures(trial: Trial, curve: Curve) -> dict[str, Any]:
    """Return what was measured on the program, and how near its closed form comes."""
    film = trial.film
    policies = (trial.unlimited_policy, trial.threshold_policy, trial.random_policy)
    unlimited, threshold, random = policies
    low_usd, high_usd = trial.random_ends_usd
    fast = _compared(curve, trial.value_top_tenth_share, usd_per_clip=trial.usd_per_clip)
    return {
        "policies": [policy.to_dict() for policy in policies],
        "margin_up_share": trial.margin_up_share,
        "value_kept_share": trial.value_kept_share,
        "tokens_kept_share": threshold.served_mtok / unlimited.served_mtok,
        "random_low_usd": low_usd,
        "random_high_usd": high_usd,
        "random_seeds_count": RANDOM_SEEDS_COUNT,
        "random_value_kept_share": random.value_usd / unlimited.value_usd,
        "random_tokens_off_share": random.served_mtok / threshold.served_mtok - 1.0,
        "random_cost_off_share": random.cost_usd / threshold.cost_usd - 1.0,
        "usd_per_clip": trial.usd_per_clip,
        "lease_usd_per_clip": float(curve.lease_usd_per_mtok.max()) * film.clip_mtok,
        "value_top_tenth_share": trial.value_top_tenth_share,
        "value_over_cost_ratio": VALUE_OVER_COST_RATIO,
        "owned_ratio": OWNED_RATIO,
        "owned_gpus_count": film.owned_count,
        "leased_gpus_count": film.leased_count,
        "capital_usd": film.capital_usd,
        "hours_h": film.world.count * film.world.step_h,
        "classes_count": CLASSES_COUNT,
        "closed_form_margin_up_share": fast.margin_up_share,
        "closed_form_value_kept_share": fast.value_kept_share,
    } | _prices(trial, curve)


def _prices(trial: Trial, curve: Curve) -> dict[str, Any]:
    """Return what one clip more costs under restraint, where own GPUs suffice and where not."""
    own_mtok = curve.capacity_mtok[curve.lease_usd_per_mtok == 0.0].sum()
    scarce = curve.arrivals_mtok > own_mtok
    usd_per_clip = trial.threshold.asked_usd_per_mtok * trial.film.clip_mtok
    return {
        "scarce_h": float(scarce.sum()) * trial.film.world.step_h,
        "scarce_asked_usd_per_clip": float(usd_per_clip[scarce].mean()) if scarce.any() else None,
        "quiet_asked_usd_per_clip": float(usd_per_clip[~scarce].mean())
        if not scarce.all()
        else None,
    }


def _says(trial: Trial, draws: Mapping[str, Any], known_share: float | None) -> str:
    """Say what the threshold gains, what chance does, and where the claim ends."""
    unlimited, random = trial.unlimited_policy, trial.random_policy
    tokens = trial.threshold_policy.served_mtok / unlimited.served_mtok
    up, kept = trial.margin_up_share, trial.value_kept_share
    random_up = (random.margin_usd - unlimited.margin_usd) / abs(unlimited.margin_usd)
    enough = (
        "It does not hold even if every request's value is known. "
        if known_share is None
        else "A request's value must be known to a correlation of at least "
        f"{known_share:.2f} (of logarithms). "
    )
    return (
        f"A free film tier whose clips are worth their full cost on the mean "
        f"({trial.usd_per_clip:.2f} USD, {trial.value_top_tenth_share:.0%} of it in a tenth of the "
        f"clips; both assumed): made only where they are worth what they cost, {tokens:.0%} of "
        f"the clips keep {kept:.1%} of the value and move margin by {up:+.1%}, before own GPUs "
        "are paid. As many tokens dropped at random "
        f"keep {random.value_usd / unlimited.value_usd:.1%} and move it by {random_up:+.1%}. "
        f"{enough}Of the draws it holds in {draws['holds_share']:.0%}: in "
        f"{draws['owned_below_mean_holds_share']:.0%} where own GPUs carry less than mean demand, "
        f"in {draws['owned_above_mean_holds_share']:.0%} where they carry more, for a GPU that is "
        "paid for anyway makes a clip for its power alone. Value is that of expected conversions, "
        "not cash."
    )


def _hash(inputs: ThesisInputs, film: Film) -> str:
    world = film.world
    return hash_of(
        {
            "ranges": {name: asdict(inputs.ranges[name]) for name in sorted({*BASE, *DRAWN})},
            "prices": world.spot_usd_per_mwh.tolist(),
            "arrivals": world.arrivals_mtok.tolist(),
            "energy": [route.rate_mtok_per_h for route in world.routes],
            "seed": inputs.seed,
        }
    )


def _synthetic(inputs: ThesisInputs) -> tuple[Mapping[str, Any], ...]:
    """Say that the prices are made, where they are."""
    if not inputs.prices.synthetic:
        return ()
    return (
        Finding(
            code="SYNTHETIC_PRICES",
            path="prices",
            reason="the prices come from a seeded generator: what they show is no evidence",
            remedy="Give hourly prices of two zones.",
            severity="warning",
        ).to_dict(),
    )
