"""The answer in five short lines: the price of a token, margin, growth, levers, dispatch."""

from collections.abc import Iterator

from tokenergy.api.earned import Earned
from tokenergy.api.growing import Grown
from tokenergy.api.simulating import Simulation

ROUNDS_UP_SHARE = 0.9995
"""From this part of a size on, three digits of what is below it would be 1e+03."""


def answer(shown: Simulation, held: Earned, grown: Grown | None) -> Iterator[str]:
    """Yield five lines of about 80 characters; the panels say more of each."""
    currency = str(shown.heading["currency"])
    yield _token(shown, held, currency)
    yield _margin(shown, held, currency)
    yield growth_text(grown, currency)
    yield _levers(held)
    yield _dispatch(held)


def _token(shown: Simulation, held: Earned, currency: str) -> str:
    full = shown.full
    if full.allocation_usd_per_mtok is None or full.kwh_share is None:
        return "No token was served: there is no cost of a token."
    costs = f"{full.allocation_usd_per_mtok:.3g} {currency}"
    text = f"A Mtok costs {costs} in full, kWh {full.kwh_share:.1%}"
    if held.marginal_usd_per_mtok is not None:
        text += f"; marginal {held.marginal_usd_per_mtok:.2g}"
    if held.price_usd_per_mtok is not None:
        text += f"; sells for {held.price_usd_per_mtok:.3g}"
    return f"{text}."


def _margin(shown: Simulation, held: Earned, currency: str) -> str:
    company = held.company
    word = "earned" if company.margin_usd >= 0.0 else "lost"
    text = (
        f"{short(abs(company.margin_usd))} {currency} {word} on {short(company.revenue_usd)} in "
        f"{shown.full.hours_h:g} h"
    )
    lose = held.users.unprofitable_share
    if lose is None:
        return f"{text}; which users lose money is not known."
    return f"{text}; {lose:.0%} of users cost more than they bring."


def growth_text(grown: Grown | None, currency: str) -> str:
    """Say what one more user does, on the capacity that stands and with more bought along."""
    if grown is None:
        return "No tier names its users, so nothing grows with them."
    scale, later = grown.today.today.scale, grown.following.scale
    costs, brings = scale.marginal_usd_per_user_year, scale.revenue_usd_per_user_year
    bought = later.marginal_usd_per_user_year
    text = f"A user more brings {_each(brings)} {currency}/y, costs {_each(costs)}"
    slope = grown.today.today.slope_usd_per_user_year
    loses = grown.today.today.books.profit_usd_per_year < 0.0
    if slope < 0.0:
        return f"{text}: growth {'makes the loss larger' if loses else 'takes from the profit'}."
    text += f" (new GPUs: {_each(bought)})"
    if slope == 0.0:
        return f"{text}: no change."
    word = "cuts the loss" if loses else "pays"
    return f"{text}: it {word}." if grown.lasts else f"{text}: it {word} until full."


def _levers(held: Earned) -> str:
    costs = [lever for lever in held.levers if lever.metric == "full_cost"]
    power = next((lever for lever in costs if lever.name == "power_price"), None)
    if power is None:
        return "No token was served: no lever moves its cost."
    binds = _binds(held)
    first = costs[0].name.replace("_", " ").capitalize()
    place = _place(costs.index(power))
    return f"{first} moves cost most, power price {place}; {binds}."


def _binds(held: Earned) -> str:
    if not held.mw_binds_h:
        return "no MW binds"
    text = f"MW bind {held.mw_binds_h:.0f} h"
    rent = held.mw_rent_usd_per_mwh
    return text if rent is None else f"{text} ({short(rent)} {held.currency}/MWh)"


def _place(at: int) -> str:
    return ("first", "second", "third", "fourth", "fifth", "sixth", "seventh")[at]


def _dispatch(held: Earned) -> str:
    saved = held.savings
    if saved is None or saved.of_full_share is None:
        return "No baseline was run: no saving is told."
    share, word = saved.of_full_share, "saves" if saved.saving_usd >= 0.0 else "loses"
    text = f"Dispatch {word} {abs(share):.2%} of full cost ({saved.baseline})"
    if _is_none(share):
        text = f"Dispatch makes no difference to {saved.baseline}"
    regret = saved.regret_share
    if regret is None:
        return f"{text}."
    if _is_none(regret):
        return f"{text}; clairvoyant does no better."
    side = "above clairvoyant" if regret > 0.0 else "below clairvoyant: other work"
    return f"{text}, {abs(regret):.2%} {side}."


def _is_none(share: float) -> bool:
    """Tell whether a share would be told as 0.00 %: that is no difference, of either sign."""
    return f"{abs(share):.2%}" == f"{0.0:.2%}"


def short(usd: float) -> str:
    """Write an amount of 0 or more in three digits with its size."""
    for size, name in ((1e12, " tn"), (1e9, " bn"), (1e6, " M"), (1e3, " k")):
        if usd >= ROUNDS_UP_SHARE * size:
            return f"{usd / size:.3g}{name}"
    return f"{usd:.3g}"


def _each(usd: float) -> str:
    """Write what one user comes to: in cents, from a hundred on in three digits."""
    if abs(usd) < 1e2:
        return f"{usd:z.2f}"
    return f"{'-' if usd < 0.0 else ''}{short(abs(usd))}"
