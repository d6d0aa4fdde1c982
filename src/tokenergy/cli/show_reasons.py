"""Why a plan is as it is, as tables for people: sites, supply curve, places, other worlds."""

import math

from tokenergy.api.plan_reasons import Reasons
from tokenergy.api.scenarios import Fan
from tokenergy.cli.columns import decimals_for, figure, put, say
from tokenergy.plan.curve import PlanCurve
from tokenergy.plan.ranking import Ranking
from tokenergy.plan.resilience import Concentration


def reasons(found: Reasons) -> None:
    """Print why sites stand where they do, and what would have to change."""
    if found.ranking is not None:
        _sites(found.ranking)
    if found.curve is not None:
        _curve(found.curve)
    if found.concentration is not None:
        _places(found.concentration)
    if found.premium is not None:
        say(found.premium.sentence())
    if found.make_or_buy is not None:
        for bought in found.make_or_buy.bought:
            say(f"Make or buy: {bought.sentence()}")


def _sites(ranking: Ranking) -> None:
    put(
        "The sites in order: what the plan would cost more without each, solved again, USD a year",
        [
            [
                f"{site.rank_count}",
                site.name,
                figure(site.built_mw, 1),
                figure(site.most_mw, 1),
                figure(site.gpus_count, 0),
                figure(site.adds_usd_per_year, 0),
            ]
            for site in ranking.sites
        ],
        left=("", "site"),
        right=("MW", "of", "GPUs", "without it"),
    )
    for site in ranking.sites:
        say(f"{site.rank_count} {site.name}: {site.reason}.")
    if ranking.runner_up is not None and ranking.needed:
        say(f"What would have to change: {ranking.wins_when} when")
        for need in ranking.needed:
            say(f"- {need.sentence()}")


def _curve(curve: PlanCurve) -> None:
    segments = sorted(curve.segments, key=lambda each: each.marginal_usd_per_mtok)
    full = [each.full_usd_per_mtok for each in segments if each.full_usd_per_mtok is not None]
    decimals = decimals_for([*full, *(each.marginal_usd_per_mtok for each in segments)])
    put(
        "Token supply curve, USD/Mtok: running is marginal without the rents of what is scarce",
        [
            [
                each.label,
                figure(each.capacity_mtok_per_h, 0),
                figure(each.served_mtok_per_h, 0),
                figure(each.marginal_usd_per_mtok, decimals),
                figure(each.full_usd_per_mtok, decimals),
            ]
            for each in segments
        ],
        left=("deployment",),
        right=("can serve Mtok/h", "serves Mtok/h", "running", "full"),
    )


def _places(found: Concentration) -> None:
    for line in found.sentences():
        say(line)


def fan(found: Fan) -> None:
    """Print what every plan costs over all worlds, and the one whose worst regret is least."""
    regrets = found.regrets
    put(
        "Each plan in every world, USD over the horizon",
        [
            [
                name,
                _usd(spread.mean_usd),
                _usd(spread.p10_usd),
                _usd(spread.p90_usd),
                _usd(spread.cvar95_usd),
                _usd(float(regrets.mean_regret_usd[at])),
                _usd(float(regrets.worst_regret_usd[at])),
            ]
            for at, (name, spread) in enumerate(zip(regrets.names, regrets.spreads, strict=True))
        ],
        left=("plan made for",),
        right=("mean", "P10", "P90", "CVaR 95 %", "mean regret", "worst regret"),
    )
    careful = " or ".join(regrets.careful)
    if careful:
        say(f"Worst regret is least with the plan made for {careful}.", style="bold")
    else:
        say("Every plan fails to carry some world: there is no careful one.", style="yellow")


def _usd(value: float) -> str:
    return figure(value, 0) if math.isfinite(value) else "cannot"
