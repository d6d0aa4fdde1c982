"""T5, megawatts are the moat: what is a MW worth where it binds?

Economics sheet, section 9. Three sites are dispatched with limits that never bind; then one site's
import limit is set to the most that it drew, less 30 %, and all is solved again. In the hours in
which the new limit binds, one MWh more at the meter would be worth the MW rent: the reduced cost
of `meter_import`. The claim holds if it is on average three times the site's mean power price.

What decides is where the work goes that the site can no longer do:

    another site has GPUs to spare   rent = price difference between the sites
    only later hours have            rent = what waiting is worth, or 0
    nobody has                       rent = worth of the tokens that are refused, less their energy

so the base case has to be neither. Every site has GPUs for the busiest hour of the sample of the
region beside it (its chat, and a third of the batch work) and room for 10 % more: a fleet sized to
its peak with a usual margin. In the busiest hours the others can then take over a part of what is
cut and no more; in all others they can take everything, and a third of the tokens may wait a day.
With no room the answer would be assumed, and with a lot of room too. Both are told beside it:
`no_room` cuts all three sites by the same share, `much_room` has room for half as much again.
Regions peak at different hours, so that the company as a whole has more room than its sites:
`alone` tells how little is needed, down to fewer GPUs than the busiest hours, with one site cut.

The site that is cut is the one that draws most in the free dispatch: where a MW is wanted most.
The other two are told too. A refused token costs what it is sold for (`token_price_usd_per_mtok`,
base). The windows are 48 h, spread evenly over the series, known in full: a price is no forecast.

The prices are held against their own definition: in 24 sampled hours, half of them bound, the dual
of every workload lies between the prices of a little less and a little more work, re-solved.

The draws (a day known in full) vary the worth of a token, the level of power prices, the cut, the
room and the part of the work that may wait; they test the rent only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from tokenergy.dispatch.duals import PriceBoard, asked_usd_per_mtok
from tokenergy.dispatch.world import World
from tokenergy.errors import SolverFailure
from tokenergy.thesis.drawn_days import DRAWN
from tokenergy.thesis.inputs import ThesisInputs
from tokenergy.thesis.mw_moat_draws import OWN_RANGES, MoatDraws, drawn
from tokenergy.thesis.mw_moat_sites import WINDOW_H, Case, Rent, Sites, busiest_share, sized
from tokenergy.thesis.result import Result, Told, hash_of, verdict_of
from tokenergy.thesis.three_company import PLACES, SITES_COUNT, Terms
from tokenergy.thesis.three_sites import (
    Scene,
    bound_hours,
    findings_of,
    scene_of,
    spread_starts,
    too_short,
    warm,
)
from tokenergy.thesis.thresholds import (
    DRAWS_COUNT,
    MW_RENT_LEAST_RATIO,
    MW_TIGHTENED_SHARE,
    PRICE_ENDS_NEAR_SHARE,
)

WINDOWS_MOST_COUNT: Final = 12
SAMPLED_PER_WINDOW_COUNT: Final = 2
"""One bound hour, where there is one, and one of all."""
BASE_ROOM_SHARE: Final = 0.10
MUCH_ROOM_SHARE: Final = 0.50
SHORT_ROOM_SHARE: Final = -0.05
"""Fewer GPUs than the regions' own busiest hours: together they still suffice, just."""
LEAST_USD_PER_MTOK: Final = 1e-6
"""Prices are held against their ends relative to at least this."""
UNIT: Final = "MW rent over price of power"
THRESHOLD: Final = (
    f">= {MW_RENT_LEAST_RATIO:g}, and every sampled price within its ends "
    f"+-{PRICE_ENDS_NEAR_SHARE:.0%}"
)
CLAIM: Final = "megawatts are the moat: where a MW binds it is worth far more than its power"


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceCheck:
    """How many sampled hours had every price within its ends.

    Attributes:
        hours_count: sampled hours; `bound_count` of them at the cut limit.
        inside_count: those in which every workload's dual lies between its ends.
        worst_share: largest way of a dual beyond an end, over that end.
        failed_count: prices for which no agreeing ends were found: a defect, never inside.
    """

    hours_count: int
    bound_count: int
    inside_count: int
    worst_share: float
    failed_count: int

    @property
    def inside_share(self) -> float:
        """Part of the sampled hours that are inside."""
        return self.inside_count / self.hours_count


def run(inputs: ThesisInputs, told: Told | None = None) -> Result:
    """Cut a site's megawatts, and hold what they are worth against the price of power.

    Raises:
        InputError: if there are not three zones with a price in every hour.
    """
    scene, terms = scene_of(inputs), Terms.base(inputs.ranges)
    starts = spread_starts(scene, span_h=WINDOW_H, most_count=WINDOWS_MOST_COUNT, history_h=0)
    if not starts:
        return too_short(
            scene,
            id="T5",
            claim=CLAIM,
            label="sensitivity",
            unit=UNIT,
            threshold=THRESHOLD,
            needs=f"a window of {WINDOW_H} h is needed",
        )

    def tell(done: int) -> None:
        if told is not None:
            told(done, 4)

    sites = Sites.of(scene, terms, starts, room_share=BASE_ROOM_SHARE)
    place = int(np.argmax(sites.drawn_mwh))
    cases = [sites.case("base", [place])]
    others = [sites.case("base", [at]).rents[0] for at in range(SITES_COUNT) if at != place]
    tell(1)
    prices = price_check(sites, place, seed=inputs.seed)
    tell(2)
    full, roomy, short = (
        Sites.of(scene, terms, starts, room_share=room)
        for room in (0.0, MUCH_ROOM_SHARE, SHORT_ROOM_SHARE)
    )
    cases += [full.case("no_room", range(SITES_COUNT)), roomy.case("much_room", [place])]
    alone = [short.case("short", [place]), full.case("no_room", [place])]
    tell(3)
    draws = drawn(scene, terms, ranges=inputs.ranges, seed=inputs.seed, count=DRAWS_COUNT)
    tell(4)
    used_share = busiest_share(scene, starts, sized(scene, starts, room_share=BASE_ROOM_SHARE))
    figures = {
        "cases": [_case_figures(case) for case in cases],
        "alone": [_case_figures(case) for case in alone],
        "busiest_used_share": used_share,
        "other_sites": [_rent_figures(rent) for rent in others],
    }
    says = _says(cases, alone, prices, draws, used_share=used_share)
    return _result(inputs, scene, terms, starts, cases[0].rents[0], figures, says, prices, draws)


def price_check(sites: Sites, place: int, *, seed: int) -> PriceCheck:
    """Hold the duals of sampled hours against the prices of a little less and a little more."""
    dice = np.random.default_rng([seed, 5])
    limits = sites.cut_mw([place])
    bound_count = inside_count = failed_count = 0
    worst_share = 0.0
    for each in sites.windows:
        window = sites.cut(each, limits)
        board = PriceBoard(sites.world, window, warm(sites.world))
        bound = bound_hours(board.optimum, place)
        some = np.flatnonzero(bound) if bound.any() else np.arange(window.count)
        for at in (int(dice.choice(some)), int(dice.integers(0, window.count))):
            beyond = [
                beyond_ends_share(board, sites.world, workload=load, at=at)
                for load in range(len(sites.world.workloads))
            ]
            known = [share for share in beyond if share is not None]
            failed_count += len(beyond) - len(known)
            worst_share = max([worst_share, *known])
            bound_count += bool(bound[at])
            inside_count += len(known) == len(beyond) and max(known) <= PRICE_ENDS_NEAR_SHARE
    return PriceCheck(
        hours_count=SAMPLED_PER_WINDOW_COUNT * len(sites.windows),
        bound_count=bound_count,
        inside_count=inside_count,
        worst_share=worst_share,
        failed_count=failed_count,
    )


def beyond_ends_share(board: PriceBoard, world: World, *, workload: int, at: int) -> float | None:
    """Return how far a dual lies beyond its ends, over the end; 0 inside, None without ends."""
    price = float(asked_usd_per_mtok(world, board.optimum, at)[workload])
    try:
        ends = board.ends(workload=workload, at=at)
    except SolverFailure:
        return None
    high, low = ends.high_usd_per_mtok, ends.low_usd_per_mtok
    beyond = (price - high) / max(abs(high), LEAST_USD_PER_MTOK)
    if low is not None:
        beyond = max(beyond, (low - price) / max(abs(low), LEAST_USD_PER_MTOK))
    return max(0.0, beyond)


def _result(
    inputs: ThesisInputs,
    scene: Scene,
    terms: Terms,
    starts: Sequence[int],
    base: Rent,
    figures: Mapping[str, Any],
    says: str,
    prices: PriceCheck,
    draws: MoatDraws,
) -> Result:
    holds = base.ratio >= MW_RENT_LEAST_RATIO and prices.inside_count == prices.hours_count
    said = {"scene": scene.digest(), "terms": terms, "starts": starts, "seed": inputs.seed,
            "drawn": {name: inputs.ranges[name] for name in DRAWN}}  # fmt: skip
    return Result(
        id="T5",
        claim=CLAIM,
        label="sensitivity",
        number=base.ratio,
        unit=UNIT,
        threshold=THRESHOLD,
        verdict=verdict_of(holds),
        says=says,
        holds_share=draws.holds_share,
        draws_count=draws.count,
        inputs_hash=hash_of(said),
        figures={
            "zones": {p.name: zone for p, zone in zip(PLACES, scene.zones, strict=True)},
            "windows_count": len(starts),
            "token_usd_per_mtok": terms.token_usd_per_mtok,
            "token_usd_per_mwh": terms.token_usd_per_mtok * scene.mtok_per_mwh(),
            **figures,
            "prices": asdict(prices) | {"inside_share": prices.inside_share},
            "draws": draws.to_dict(),
            "own_ranges": {name: list(ends) for name, ends in OWN_RANGES.items()},
        },
        findings=tuple(finding.to_dict() for finding in findings_of(scene)),
    )


def _rent_figures(rent: Rent) -> dict[str, Any]:
    return asdict(rent) | {"ratio": rent.ratio}


def _case_figures(case: Case) -> dict[str, Any]:
    return {
        "name": case.name,
        "refused_share": case.refused_share,
        "rents": [_rent_figures(rent) for rent in case.rents],
    }


def _says(
    cases: Sequence[Case],
    alone: Sequence[Case],
    prices: PriceCheck,
    draws: MoatDraws,
    *,
    used_share: float,
) -> str:
    base, none, much = cases[0].rents[0], cases[1].rents, cases[2].rents[0]
    tight = max(none, key=lambda rent: rent.ratio)
    short, full = (case.rents[0].ratio for case in alone)
    return (
        f"With room for {BASE_ROOM_SHARE:.0%} more than each site's own peak (an assumption; "
        f"{used_share:.0%} of all GPUs are busy in the busiest hour), {MW_TIGHTENED_SHARE:.0%} "
        f"less MW in {base.place} is worth {base.rent_usd_per_mwh:.0f} USD/MWh on average in the "
        f"{base.bound_h:.0f} h in which it binds, {base.ratio:.1f} x the price of power; work was "
        f"refused in {base.scarce_h:.0f} of them. With room for {MUCH_ROOM_SHARE:.0%} more it is "
        f"{much.ratio:.1f} x (work moves), with none {full:.1f} x, with {-SHORT_ROOM_SHARE:.0%} "
        f"fewer GPUs than the peaks {short:.1f} x, and with no room and all three sites cut up to "
        f"{tight.ratio:.0f} x (it cannot). The moat is the last free MW, not any MW. "
        f"{prices.inside_count} of {prices.hours_count} sampled hours have every price within "
        f"its ends; the rent passes in {draws.holds_share:.0%} of the draws."
    )
