"""T13, energy is the moat: a duel of two companies with the same demand and two power books.

Economics sheet, section 9. One owns cheap megawatts now, the other buys from the grid and waits
for its megawatts. Models and GPU prices are alike; a token sells for the higher of their full
costs (who must be paid for the market to be served) and, beside that, for what the files state:
`duel_gap` says why both are needed.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Final

import numpy as np

from tokenergy.company.company import Company
from tokenergy.dispatch.world import World
from tokenergy.economics.unit_cost import capital_rent
from tokenergy.errors import InputError
from tokenergy.thesis.draws import unverified
from tokenergy.thesis.duel_books import (
    OWN_USD_PER_MWH,
    PLANT_MW,
    book_world,
    book_zone,
    grid_queue,
    own_power,
)
from tokenergy.thesis.duel_draws import DRAWN, drawn_terms, gaps_of, held, stated_terms, unit_costs
from tokenergy.thesis.duel_gap import Duel, DuelMonth, DuelPath, GapParts, Rule
from tokenergy.thesis.duel_month import MonthBook, Months, Queue, arrival_month
from tokenergy.thesis.duel_told import (
    cheapest_grid_usd_per_mwh,
    duel_says,
    swing_figures,
    unused_plant_usd,
)
from tokenergy.thesis.inputs import ThesisInputs
from tokenergy.thesis.result import Result, Told, hash_of, verdict_of
from tokenergy.thesis.thresholds import DRAWS_COUNT, DUEL_GAP_LEAST_USD

DELAYS_MONTHS: Final = (0.0, 6.0, 12.0, 24.0, 36.0, 60.0)
"""Delays of the rival's megawatts that are swept."""
SAME: Final = (
    "months",
    "logistic",
    "users",
    "tokens_per_user_growth_share_per_year",
    "token_price_decline_share_per_year",
)
"""What the growth of both has to say alike."""


def duel(
    own: World,
    rival: World,
    *,
    delays_months: Sequence[float] = DELAYS_MONTHS,
    told: Told | None = None,
) -> Duel:
    """Fight a duel, month by month over the path of users.

    Each month each company serves what its megawatts allow, at the least cost that the dispatch
    program finds; GPUs and halls follow powered megawatts (`duel_month`). To split the gap the
    owner fights twice more: at its own prices with the rival's megawatts, and the other way round.

    Args:
        own: the company whose power book is on trial.
        rival: the one that waits: `growth.lead_time_months`, or sites that are energised later.
        delays_months: of the rival, each fought apart; the path at the file's own is told besides.
        told: told (done, of) paths.

    Raises:
        InputError: naming everything in which the two differ beside their power books, or that
            a duel cannot heed.
    """
    _refuse_unlike(own, rival)
    fight = _Fight(own, rival)
    queues = [Queue(), Queue(asked="as_needed")]
    queues += [Queue(delay_months=each) for each in delays_months]
    paths = []
    for done, queue in enumerate(queues):
        paths.append(fight.path(queue))
        if told is not None:
            told(done + 1, len(queues) + 1)
    parts = fight.parts()
    if told is not None:
        told(len(queues) + 1, len(queues) + 1)
    return Duel(
        path=paths[0],
        as_needed=paths[1],
        sweep=tuple(paths[2:]),
        cost_parts=parts("cost"),
        stated_parts=parts("stated"),
        missing=tuple(
            sorted({*capital_rent(own.company).missing, *capital_rent(rival.company).missing})
        ),
    )


def duel_path(own: World, rival: World) -> DuelPath:
    """Fight at the delay of the rival's file alone, without sweep and split.

    Raises:
        InputError: as `duel`.
    """
    _refuse_unlike(own, rival)
    return _Fight(own, rival).path(Queue())


class _Fight:
    """Both companies, whose months are solved once each."""

    def __init__(self, own: World, rival: World) -> None:
        self._own, self._rival = Months(own), Months(rival)

    def path(self, queue: Queue) -> DuelPath:
        """Return the duel in which the rival queues like that."""
        return self._path(
            queue,
            lambda month: self._own.book(month, self._own.carried_mw(month, Queue())),
            lambda month: self._rival.book(month, self._rival.carried_mw(month, queue)),
        )

    def parts(self) -> Callable[[Rule], GapParts]:
        """Return what splits the gap at the delay of the rival's file."""

        def rival(month: int) -> MonthBook:
            return self._rival.book(month, self._rival.carried_mw(month, Queue()))

        def cheaper(month: int) -> MonthBook:
            return self._own.book(month, self._rival.carried_mw(month, Queue()))

        def larger(month: int) -> MonthBook:
            return self._rival.book(month, self._own.carried_mw(month, Queue()))

        whole = self.path(Queue())
        kwh = self._path(Queue(), cheaper, rival)
        megawatts = self._path(Queue(), larger, rival)

        def split(rule: Rule) -> GapParts:
            of = (kwh.total_usd(rule), megawatts.total_usd(rule))
            return GapParts(
                kwh_usd=of[0],
                megawatts_usd=of[1],
                interaction_usd=whole.total_usd(rule) - of[0] - of[1],
            )

        return split

    def _path(
        self,
        queue: Queue,
        own: Callable[[int], MonthBook],
        rival: Callable[[int], MonthBook],
    ) -> DuelPath:
        months = tuple(
            DuelMonth(month=month, own=own(month), rival=rival(month))
            for month in range(self._own.growth.months)
        )
        return DuelPath(
            delay_months=arrival_month(self._rival.world.company, queue),
            asked=queue.asked,
            wacc_share=self._own.world.company.money.wacc_share,
            months=months,
        )


def _refuse_unlike(own: World, rival: World) -> None:
    """Refuse a duel between companies that differ in more than power, with all faults at once."""
    ours, theirs = own.company, rival.company
    faults = [*_unheeded(ours), *_unheeded(theirs)]
    pairs = [
        ("currency", ours.currency, theirs.currency),
        ("sites", own.site_names, rival.site_names),
        ("tiers", ours.tiers, theirs.tiers),
        ("models", ours.models, theirs.models),
        ("fleets", ours.fleets, theirs.fleets),
        ("horizon", ours.horizon, theirs.horizon),
    ]
    if ours.growth is not None and theirs.growth is not None:
        pairs += [
            (f"growth.{name}", getattr(ours.growth, name), getattr(theirs.growth, name))
            for name in SAME
        ]
    faults += [f"{name} differ" for name, mine, other in pairs if mine != other]
    if not faults and not np.array_equal(own.arrivals_mtok, rival.arrivals_mtok):
        faults.append("demand differs")
    if faults:
        raise InputError(
            f"no duel between {ours.company!r} and {theirs.company!r}: {'; '.join(faults)}. Both "
            "must say the same but for sites' connections, contracts, batteries and lead time"
        )


def _unheeded(company: Company) -> list[str]:
    """Return what a company's growth says that a duel cannot heed."""
    if company.growth is None:
        return []
    said = [
        name for name in ("price_elasticity_ratio", "model_mix") if getattr(company.growth, name)
    ]
    return [f"growth.{name} of {company.company!r} plays no part in a duel" for name in said]


def run(inputs: ThesisInputs, told: Told | None = None) -> Result:
    """Fight the duel of `examples/duel` on the given prices, and in draws from the ranges."""
    companies = (own_power(), grid_queue())
    own, rival = (book_world(each, inputs.catalogue, inputs.prices) for each in companies)
    fought = duel(own, rival, told=told)
    swung = duel_path(
        *(book_world(each, inputs.catalogue, inputs.prices, swings=True) for each in companies)
    )
    costs = unit_costs(fought.path)
    base = gaps_of(
        stated_terms(rival.company, costs, delay_months=fought.path.delay_months),
        costs,
        rival.company,
    )
    terms = drawn_terms(inputs.ranges, seed=inputs.seed, count=DRAWS_COUNT)
    draws = held(gaps_of(terms, costs, rival.company))
    draws["own_dearer_share"] = float((terms.own_usd_per_mwh >= terms.usd_per_mwh).mean())
    draws["closed_gap_cost_usd"] = float(base.cost_usd.sum())
    draws["closed_gap_stated_usd"] = float(base.stated_usd.sum())
    least_usd = fought.path.least_usd("cost")
    unused_usd = unused_plant_usd(
        fought.path, plant_mw=PLANT_MW, strike_usd_per_mwh=OWN_USD_PER_MWH
    )
    return Result(
        id="T13",
        claim="energy is the moat: the duel",
        label="sensitivity",
        number=least_usd,
        unit="USD",
        threshold=(
            f"least margin gap of a month before the rival's megawatts arrive "
            f"> {DUEL_GAP_LEAST_USD:g}, a token at the higher full cost"
        ),
        verdict=verdict_of(least_usd is not None and least_usd > DUEL_GAP_LEAST_USD),
        says=duel_says(fought, costs, draws, swung, unused_usd=unused_usd),
        holds_share=draws["cost_every_month_share"],
        draws_count=DRAWS_COUNT,
        inputs_hash=_hash(inputs, companies),
        figures={
            **fought.to_dict(),
            "zone": book_zone(inputs.prices),
            "prices": inputs.prices.source,
            "synthetic": inputs.prices.synthetic,
            "own_usd_per_mwh": costs.own_usd_per_mwh,
            "grid_usd_per_mwh": costs.grid_usd_per_mwh,
            "cheapest_grid_usd_per_mwh": cheapest_grid_usd_per_mwh(fought.path),
            "unused_plant_before_usd": unused_usd,
            "token_price_usd_per_mtok": rival.workloads[0].price_usd_per_mtok,
            "used_mwh_per_mtok": costs.used_mwh_per_mtok,
            "swings": swing_figures(swung),
            "draws": draws,
        },
        findings=unverified(inputs.ranges, DRAWN),
    )


def _hash(inputs: ThesisInputs, companies: Sequence[Company]) -> str:
    zone = book_zone(inputs.prices)
    return hash_of(
        {
            "companies": [each.model_dump(mode="json") for each in companies],
            "prices": [zone, inputs.prices.start, inputs.prices.usd_per_mwh[zone].tolist()],
            "ranges": {name: asdict(inputs.ranges[name]) for name in DRAWN},
            "seed": inputs.seed,
        }
    )
