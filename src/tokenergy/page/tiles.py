"""The figures of the first look: what a token costs and brings, and whether that pays."""

import math
from collections.abc import Iterator
from html import escape

from tokenergy.page.data import ReportData
from tokenergy.page.number import amount, cell, known, money, percent, significant
from tokenergy.page.rows import Given

Tile = tuple[str, str]
"""What a figure is, and the figure as HTML."""


def tiles(data: ReportData) -> list[Tile]:
    """Return the figures of the first look; a saving stands beside the share of energy."""
    if not data.full_cost:
        return []
    found = list(_cost(data) if data.economics is None else _pays(data, data.economics))
    score = (data.scorecard.get("policies") or {}).get(data.policy) or {}
    if not score:
        return found
    found += _saving(data, score)
    if data.economics is None:
        found += _run(data, score)
    served = cell(score["served_mtok"], amount) + _small("Mtok")
    return [*found, ("Tokens served", served)]


def _small(text: str) -> str:
    return f" <small>{escape(text)}</small>"


def _per_mtok(data: ReportData) -> str:
    return _small(f"{data.currency}/Mtok")


def _cost(data: ReportData) -> Iterator[Tile]:
    """Yield what a token costs in full, and how much of that is power."""
    full = data.full_cost
    cost = cell(full.get("allocation_usd_per_mtok"), significant)
    yield "Full cost, allocation", cost + _per_mtok(data)
    yield "kWh in full cost", cell(full.get("kwh_share"), percent)
    score = data.scorecard["policies"].get(data.policy)
    if score:
        yield f"Cost under {data.policy}", cell(score["cost_usd"], money) + _small(data.currency)


def _pays(data: ReportData, economics: Given) -> Iterator[Tile]:
    """Yield full, marginal and price, the margin, who loses, where growth turns, and energy."""
    per = _per_mtok(data)
    names = (("Full cost, allocation", "full"), ("Marginal cost", "marginal"), ("Price", "price"))
    for title, basis in names:
        yield title, cell(economics.get(f"usd_per_mtok_{basis}"), significant) + per
    held = economics.get("company_margin") or {}
    left, revenue = economics.get("margin_usd"), held.get("revenue_usd")
    share = left / revenue if known(left) and known(revenue) and revenue > 0.0 else None
    of = f", {cell(share, percent)} of revenue" if share is not None else ""
    money_of = f" <small>{escape(data.currency)}{of}</small>"
    yield "Margin, allocation", cell(left, money) + money_of
    users = economics.get("users") or {}
    lose = cell(users.get("share_unprofitable"), percent)
    marginal = users.get("marginal_share_unprofitable")
    if known(marginal):
        lose += f" <small>usage; marginal {cell(marginal, percent)}</small>"
    yield "Users that lose money", lose
    if economics.get("scale"):
        yield "Growth turns at", turns(economics["scale"])
    energy = cell(economics.get("share_kwh"), percent)
    if known(economics.get("mw_binds_h")):
        energy += f" <small>MW bind {cell(economics['mw_binds_h'], amount)} site-h</small>"
    yield "kWh in full cost", energy
    idle, whole = (
        economics.get("unused_capacity_usd"),
        (economics.get("full_cost") or {}).get("allocation_usd"),
    )
    part = idle / whole if known(idle) and known(whole) and whole > 0.0 else None
    yield "Unused capacity", cell(part, percent) + _small("of all that is paid")


def turns(scale: Given) -> str:
    """Return the users at which growth turns, nearest to today's, and what one more user does."""
    adds = ((scale.get("today") or {}).get("today") or {}).get("marginal_profit_usd_per_user_year")
    word = "one more pays" if known(adds) and adds >= 0.0 else "one more loses"
    found = scale.get("n_star_count") or ()
    if not found:
        return f"nowhere{_small(f'today {word}')}"
    here = ((scale.get("today") or {}).get("today") or {}).get("users_count")
    nearest = min(found, key=lambda users: abs(math.log(users / here)) if here else users)
    many = f", nearest of {len(found)}" if len(found) > 1 else ""
    return cell(nearest, amount) + _small(f"users{many}; today {word}")


def _saving(data: ReportData, score: Given) -> Iterator[Tile]:
    """Yield the saving against the baseline, what it is of the full cost, and what is left."""
    baseline = data.scorecard.get("baseline")
    saving = score.get(f"saving_{baseline}") or {}
    if not baseline or baseline == data.policy or not known(saving.get("share")):
        return
    held = (data.economics or {}).get("savings") or {}
    told = held | {"baseline": baseline, "regret_share": score.get("regret_share")}
    words = saving_words({**told, "of_cost_share": saving["share"]}, short=True)
    yield f"Saving on {baseline}", f"{cell(saving['share'], percent)} <small>{words}</small>"


def saving_words(savings: Given, *, short: bool = False) -> str:
    """Return what a saving is never told without: against whom, of what, and how far it is left.

    Args:
        savings: the baseline, the shares of its cost and of the full cost, and the regret.
        short: leave out the baseline and its share, where they stand beside it.
    """
    said = []
    if not short:
        share = cell(savings.get("of_cost_share"), percent)
        said.append(f"{share} of the cost of {escape(str(savings['baseline']))}")
    if known(savings.get("of_full_share")):
        said.append(f"{cell(savings['of_full_share'], _fine)} of full cost")
    left = savings.get("regret_share")
    if not known(left):
        said.append("clairvoyant was not run: what is left is not known")
    else:
        word = "above" if left >= 0.0 else "below"
        said.append(f"{cell(abs(left), _fine)} {word} clairvoyant")
    return ", ".join(said)


def _fine(share: float) -> str:
    return percent(share, 2)


def _run(data: ReportData, score: Given) -> Iterator[Tile]:
    """Yield how near the run is to the bound, and what it made of cheap hours."""
    if known(score.get("regret_share")):
        bound = data.scorecard.get("bound")
        yield f"Regret to {bound}", cell(score["regret_share"], lambda x: percent(x, 2))
    if known(score.get("zero_price_share")):
        yield "Made at price ≤\N{NO-BREAK SPACE}0", cell(score["zero_price_share"], percent)
