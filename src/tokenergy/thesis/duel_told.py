"""What a duel says, in words and beside it."""

from collections.abc import Mapping
from typing import Any, Final

from tokenergy.thesis.duel_draws import UnitCosts
from tokenergy.thesis.duel_gap import Duel, DuelPath
from tokenergy.units import H_PER_MONTH

USD_PER_MUSD: Final = 1e6
OPENING: Final = {
    "megawatts": "The power book decides by its megawatts, not by its price of a kWh",
    "kwh": "The power book decides by its price of a kWh, not by its megawatts",
    "neither": "The power book decides nothing",
}


def swing_figures(path: DuelPath) -> dict[str, Any]:
    """Return the duel in which demand swings: sums, and both costs in the last month of waiting."""
    waiting = path.before[-1] if path.before else path.months[0]
    return path.to_dict() | {
        "waiting_own_usd_per_mtok": waiting.own.full_usd_per_mtok,
        "waiting_rival_usd_per_mtok": waiting.rival.full_usd_per_mtok,
    }


def cheapest_grid_usd_per_mwh(path: DuelPath) -> float | None:
    """Return what the rival pays for power in its cheapest month of waiting; None: it never does.

    Where demand is level and nothing is fixed the claim holds with every plant below this price,
    and with none above it.
    """
    books = [month.rival for month in path.before if month.rival.used_mwh > 0.0]
    return min((book.power_usd / book.used_mwh for book in books), default=None)


def unused_plant_usd(path: DuelPath, *, plant_mw: float, strike_usd_per_mwh: float) -> float:
    """Return what a plant would cost beside, if all of it were paid while the rival waits.

    The duel takes what it needs and pays for that: kind to the owner, whose plant stands there
    from the first month on.
    """
    unused_mwh = (max(0.0, plant_mw * H_PER_MONTH - month.own.used_mwh) for month in path.before)
    return strike_usd_per_mwh * sum(unused_mwh)


def duel_says(
    fought: Duel,
    costs: UnitCosts,
    draws: Mapping[str, Any],
    swung: DuelPath,
    *,
    unused_usd: float,
) -> str:
    """Say which lever decides, with the figures, also where it is not the price of a kWh."""
    path, parts = fought.path, fought.stated_parts
    lost = [month for month in path.before if month.gap_usd("cost") <= 0.0]
    cheapest = cheapest_grid_usd_per_mwh(path)
    needed = "" if cheapest is None else f"a plant below {cheapest:.1f} would be cheaper in each; "
    return (
        f"{OPENING[parts.decides]}. At the higher full cost the gap is "
        f"{_musd(path.before_usd('cost'))} over the {len(path.before)} months before the rival's "
        f"megawatts arrive, and not above 0 in {len(lost)} of them: power at "
        f"{costs.own_usd_per_mwh:.0f} against {costs.grid_usd_per_mwh:.0f} USD/MWh is "
        f"{_kwh_share(costs):.1%} of full cost ({needed}all of the plant paid, used or not, it "
        f"would be {_musd(unused_usd)} less). By construction this rule gives the dearer company "
        "0, and tokens that the rival cannot make no worth (where demand swings by the day "
        f"it comes to {_musd(swung.before_usd('cost'))}: who is short of megawatts keeps its GPUs "
        f"busier). At the token price of the files the gap is {_musd(path.before_usd('stated'))} "
        f"before and {_musd(path.total_usd('stated') - path.before_usd('stated'))} after, "
        f"{_musd(parts.megawatts_usd)} of it from having megawatts and {_musd(parts.kwh_usd)} "
        f"from cheaper kWh; the moat {_closes(path)}. Of the draws, the gap at the higher full "
        f"cost is above 0 in every month of waiting in {draws['cost_every_month_share']:.1%}, at "
        f"the token price drawn it is so in sum in {draws['stated_total_share']:.1%}, and "
        f"megawatts outweigh kWh in {draws['megawatts_decide_share']:.1%}."
    )


def _kwh_share(costs: UnitCosts) -> float:
    """Return the difference of the power prices over the full cost of the rival's Mtok."""
    apart = costs.used_mwh_per_mtok * (costs.grid_usd_per_mwh - costs.own_usd_per_mwh)
    capital = costs.gpu_usd_per_mtok + costs.facility_usd_per_mtok
    return apart / (capital + costs.used_mwh_per_mtok * costs.grid_usd_per_mwh)


def _closes(path: DuelPath) -> str:
    month = path.closes_month("stated")
    return "stands at the end of the path" if month is None else f"closes in month {month}"


def _musd(usd: float) -> str:
    return f"{usd / USD_PER_MUSD:,.1f} M$"
