"""T6, own cheap energy: is a mix of own and bought power worth more than the best single contract?

Economics sheet, section 9. One site may sign wind and sun as they are produced, each at a strike,
and a flat block at a premium over the mean of the market; together they deliver no more in a year
than is used, what is short is bought, and what is over is sold at the price less a spread. Prices
and weather come from seeded synthetic years of one zone, so that nothing here is evidence.

    planned years    every choice (the market, one contract, all of them) takes its megawatts by
                     the product's plan: least mean cost over these years
    other years      the same megawatts are held, and decide: the mix costs no more than the best
                     single choice, and less, or as much with a lower CVaR95

On the planned years a mix never costs more: it may take what the single ones take. On years that
nobody chose on it may. The strikes of wind and sun are the base of `own_usd_per_mwh`, the mean of
the market that of `usd_per_mwh`; the premium and the spread are assumptions. The draws vary all
five, on all mixes in tenths of what is used, costed by hand.

Beside it, and without a part in the verdict: what calm costs (the mix of least CVaR95 that costs 1
and 5 % more than the best single choice), and that a flat contract leaves the price of a token
alone in every hour in which power is still bought.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, Final

import numpy as np

from tokenergy.company.finding import Finding
from tokenergy.thesis.draws import unverified
from tokenergy.thesis.inputs import ThesisInputs
from tokenergy.thesis.own_choice import Choice, Planes, choose
from tokenergy.thesis.own_company import YearPlan
from tokenergy.thesis.own_draws import DRAWN, OWN_RANGES, Drawn, draws_of
from tokenergy.thesis.own_fared import MIX, SINGLES, Fared, calmest, holds, taken
from tokenergy.thesis.price_years import CONTRACTS, FLAT, ZONE, Lattice, Offers, PriceYears
from tokenergy.thesis.result import Result, Told, hash_of, verdict_of
from tokenergy.thesis.three_company import RESALE_SPREAD_USD_PER_MWH
from tokenergy.thesis.thresholds import (
    OWN_HELD_YEARS_COUNT,
    OWN_LOWER_LEAST_SHARE,
    OWN_PLANNED_YEARS_COUNT,
)

PREMIUM_SHARE: Final = 0.05
"""What a flat contract costs over the mean of the market; an assumption."""
CLAIM: Final = "own cheap energy is worth contracting as a mix"
UNIT: Final = "cost of the mix over that of the best single choice"
THRESHOLD: Final = (
    f"<= 1 on {OWN_HELD_YEARS_COUNT} price years that nobody chose on, and a lower cost or a lower "
    f"CVaR95 by {OWN_LOWER_LEAST_SHARE:.2%}"
)
STEPS_COUNT: Final = 12
SPREADS_USD_PER_MWH: Final = (1.0, 5.0, 10.0, 20.0, 40.0, 80.0)
"""Beside the verdict: what resale may lose before a mix pays."""
CALM_SHARES: Final = (0.01, 0.05)
"""Parts of the best single choice's cost that calm may cost."""


def run(inputs: ThesisInputs, told: Told | None = None) -> Result:
    """Choose contracts on planned years, and hold the mix against the best single on others."""
    zone = inputs.climates.get(ZONE)
    if zone is None:
        return _without_years()
    years = PriceYears.of(
        zone, seed=inputs.seed, planned=OWN_PLANNED_YEARS_COUNT, held=OWN_HELD_YEARS_COUNT
    )
    return answer(inputs, years, told)


def answer(inputs: ThesisInputs, years: PriceYears, told: Told | None = None) -> Result:
    """Answer on price years that are there."""
    ranges = inputs.ranges
    own_usd = ranges["own_usd_per_mwh"].base_quantity
    offers = Offers(
        level_usd_per_mwh=ranges["usd_per_mwh"].base_quantity,
        wind_usd_per_mwh=own_usd,
        solar_usd_per_mwh=own_usd,
        premium_share=PREMIUM_SHARE,
        spread_usd_per_mwh=RESALE_SPREAD_USD_PER_MWH,
    )

    def tell(done: int) -> None:
        if told is not None:
            told(min(done, STEPS_COUNT), STEPS_COUNT)

    lattice = Lattice.of(years)
    tell(1)
    draws = draws_of(inputs, lattice, years.planned_count)
    tell(2)
    planned, every = years.planned_count, range(years.count)
    plans = [YearPlan.of(years, at, offers, inputs.catalogue) for at in every[:planned]]
    choices = chosen(years, lattice, offers, plans, tell)
    prices = flat_contract_and_price(plans[0], years)
    plans.clear()  # the others need room
    tell(10)
    held_usd = []
    for at in every[planned:]:
        plan = YearPlan.of(years, at, offers, inputs.catalogue)
        held_usd.append([plan.at(choice.mw)[0] for choice in choices.values()])
        tell(11)
    fared = {
        name: Fared.of(name, choice.mw / years.most_mw, choice.costs_usd, np.array(usd))
        for (name, choice), usd in zip(choices.items(), zip(*held_usd, strict=True), strict=True)
    }
    best = min((fared[name] for name in SINGLES), key=lambda one: one.planned_usd)
    calm = [
        calmest(
            lattice,
            offers,
            planned,
            most_usd=best.planned_usd + share * abs(best.planned_usd),
        )
        for share in CALM_SHARES
    ]
    tell(STEPS_COUNT)
    return _result(inputs, years, lattice, offers, fared, choices, best, calm, prices, draws)


def chosen(
    years: PriceYears,
    lattice: Lattice,
    offers: Offers,
    plans: Sequence[YearPlan],
    tell: Callable[[int], None] = lambda done: None,
) -> dict[str, Choice]:
    """Return the megawatts of every choice: least mean cost over the planned years."""
    planned = years.planned_count
    planes = Planes(plans=plans[:planned], most_mw=years.most_mw)
    means = lattice.costs_usd(offers)[:planned].mean(axis=0)
    found = {}
    for done, (name, here) in enumerate(lattice.places().items()):
        start = np.flatnonzero(here)[means[here].argmin()]
        open_ = lattice.shares[here].max(axis=0) > 0.0
        found[name] = choose(planes, open_, lattice.mw[start], partial(tell, 3 + done))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceOfToken:
    """What a flat contract of half the load does to the price of a token, hour by hour.

    Attributes:
        buying_h: sampled hours in which power is still bought.
        buying_change_share: largest change of the price in them, over its mean.
        selling_h: hours in which some is sold.
        mean_usd_per_mtok: mean price of a token, energy alone.
    """

    buying_h: float
    buying_change_share: float
    selling_h: float
    mean_usd_per_mtok: float


def flat_contract_and_price(plan: YearPlan, years: PriceYears) -> PriceOfToken:
    """Sign half of the load flat, and compare the price of a token with none signed."""
    none = np.zeros(len(CONTRACTS))
    half = none.copy()
    half[CONTRACTS.index(FLAT)] = 0.5 * years.load_mw.mean()
    before, after = plan.token_usd_per_mtok(none), plan.token_usd_per_mtok(half)
    buying = years.load_mw > half.sum()
    mean_usd = float(np.abs(before).mean())
    change_usd = float(np.abs(after - before)[buying].max(initial=0.0))
    return PriceOfToken(
        buying_h=float(buying.sum()),
        buying_change_share=change_usd / mean_usd,
        selling_h=float((~buying).sum()),
        mean_usd_per_mtok=mean_usd,
    )


def _without_years() -> Result:
    return Result(
        id="T6",
        claim=CLAIM,
        label="sensitivity",
        number=None,
        unit=UNIT,
        threshold=THRESHOLD,
        verdict="NOT_APPLICABLE",
        says=f"Not run: it needs price years of the synthetic zone {ZONE}, and none are given.",
        inputs_hash=hash_of({}),
        figures={"needs": f"zone {ZONE} of the synthetic feed"},
    )


def _result(
    inputs: ThesisInputs,
    years: PriceYears,
    lattice: Lattice,
    offers: Offers,
    fared: Mapping[str, Fared],
    choices: Mapping[str, Choice],
    best: Fared,
    calm: Sequence[Fared],
    prices: PriceOfToken,
    draws: Drawn,
) -> Result:
    mix = fared[MIX]
    digest = hashlib.sha256(years.price_ratio.tobytes() + years.profile_share.tobytes())
    return Result(
        id="T6",
        claim=CLAIM,
        label="sensitivity",
        number=mix.held_usd / best.held_usd,
        unit=UNIT,
        threshold=THRESHOLD,
        verdict=verdict_of(holds(mix, best)),
        says=_says(years, fared, best, calm, prices, draws),
        holds_share=draws.holds_share,
        draws_count=draws.count,
        inputs_hash=hash_of(
            {
                "offers": asdict(offers),
                "years": digest.hexdigest(),
                "drawn": {name: inputs.ranges[name] for name in DRAWN},
                "own_ranges": OWN_RANGES,
            }
        ),
        figures=_figures(years, lattice, offers) | {
            "best_single": best.name,
            "choices": [
                asdict(each)
                | {"gap_share": choices[each.name].gap_share,
                   "rounds_count": choices[each.name].rounds_count}
                for each in fared.values()
            ],
            "calm": [asdict(each) for each in calm],
            "token_price": asdict(prices),
            "draws": asdict(draws),
        },
        findings=(
            Finding(
                code="SYNTHETIC_PRICES",
                path="prices",
                reason=f"the {years.count} price years come from a seeded generator: what they "
                "show is no evidence",
                remedy="Read the verdict as what these climates do to a mix, no more",
                severity="warning",
            ).to_dict(),
            *unverified(inputs.ranges, DRAWN),
        ),
    )  # fmt: skip


def _figures(years: PriceYears, lattice: Lattice, offers: Offers) -> dict[str, Any]:
    """Return what the answer stands on, and what would change it."""
    return {
        "zone": ZONE,
        "planned_years_count": years.planned_count,
        "held_years_count": years.count - years.planned_count,
        "hours_per_year_h": years.price_ratio.shape[1],
        "load_mw": float(years.load_mw.mean()),
        "most_mw": dict(zip(CONTRACTS, years.most_mw.tolist(), strict=True)),
        "offers": asdict(offers),
        "capture_usd_per_mwh": _capture(years, offers),
        "by_spread": _by_spread(lattice, offers, years.planned_count),
        "own_ranges": {name: list(ends) for name, ends in OWN_RANGES.items()},
    }


def _by_spread(lattice: Lattice, offers: Offers, planned: int) -> list[dict[str, Any]]:
    """Return whether the mix, in tenths, wins where what is over is sold for less."""
    told = []
    for spread in SPREADS_USD_PER_MWH:
        mix, best = taken(lattice, replace(offers, spread_usd_per_mwh=spread), planned)
        told.append(
            {
                "spread_usd_per_mwh": spread,
                "holds": holds(mix, best),
                "mix": asdict(mix),
                "best_single": asdict(best),
            }
        )
    return told


def _capture(years: PriceYears, offers: Offers) -> dict[str, float]:
    """Return what each contract's output is worth at the market's prices, all years, USD/MWh."""
    worth = (years.profile_share * years.price_ratio[:, None, :]).sum(axis=(0, 2))
    captured = offers.level_usd_per_mwh * worth / years.profile_share.sum(axis=(0, 2))
    return dict(zip(CONTRACTS, captured.tolist(), strict=True))


def _says(
    years: PriceYears,
    fared: Mapping[str, Fared],
    best: Fared,
    calm: Sequence[Fared],
    prices: PriceOfToken,
    draws: Drawn,
) -> str:
    mix = fared[MIX]
    taken = ", ".join(f"{share:.0%} {name}" for name, share in mix.shares.items() if share > 0.005)
    text = (
        f"Chosen on {years.planned_count} synthetic price years, the mix of least cost takes "
        f"{taken or 'nothing but the market'} of what is used; the best single choice is "
        f"{best.name}. On {years.count - years.planned_count} other years the mix costs "
        f"{_million(mix.held_usd)} a year (CVaR95 {_million(mix.held_cvar95_usd)}), {best.name} "
        f"{_million(best.held_usd)} ({_million(best.held_cvar95_usd)}), the market alone "
        f"{_million(fared['market'].held_usd)} ({_million(fared['market'].held_cvar95_usd)})."
    )
    if not holds(mix, best):
        text += (
            " The mix adds nothing here: who counts the mean alone takes all of the one contract "
            "that is cheapest, and hedging has a price."
        )
    for share, each in zip(CALM_SHARES, calm, strict=True):
        parts = ", ".join(f"{part:.0%} {name}" for name, part in each.shares.items() if part)
        text += (
            f" For {share:.0%} more the calmest ({parts or 'market'}) has a CVaR95 of "
            f"{_million(each.held_cvar95_usd)} there."
        )
    return text + (
        f" A flat contract of half the load moves the price of a token by "
        f"{prices.buying_change_share:.1%} in the {prices.buying_h:.0f} h in which power is still "
        f"bought: it is money, not a cheaper token. The claim holds in {draws.holds_share:.0%} of "
        f"the draws; in {draws.mixed_share:.0%} the least cost is a true mix."
    )


def _million(usd: float) -> str:
    return f"{usd / 1e6:,.1f} M USD"
