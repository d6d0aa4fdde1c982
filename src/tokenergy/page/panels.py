"""The nine panels of a treasurer on one screen: the figure of each, and where it is shown whole."""

from collections.abc import Iterator
from html import escape
from typing import Final, NamedTuple

from tokenergy.page.data import ReportData
from tokenergy.page.html import Section
from tokenergy.page.number import amount, cell, known, money, percent, significant
from tokenergy.page.pay_rows import lever_name, lever_rows
from tokenergy.page.rows import Given
from tokenergy.page.stated import stated
from tokenergy.page.tiles import saving_words, turns

SHOWN_TIERS_COUNT: Final = 5


class Panel(NamedTuple):
    """One panel: its name, the section that shows it whole, its figure, and lines under it.

    The figure and the lines are HTML; every number in them is a `<data>`.
    """

    name: str
    anchor: str
    figure: str
    lines: tuple[str, ...]


def panels(data: ReportData, economics: Given) -> Section:
    """Return the nine panels as cards."""
    cards = "".join(_card(at, panel) for at, panel in enumerate(_panels(data, economics), 1))
    when = stated(data).subtitle(data.currency, "allocation where nothing else is said")
    body = f'<p class="facts">{escape(when)}</p><ol class="panels">{cards}</ol>'
    return Section(anchor="panels", link="Nine panels", title="The nine panels", body=body)


def _card(at: int, panel: Panel) -> str:
    lines = "".join(f"<p>{line}</p>" for line in panel.lines if line)
    return (
        f'<li><h4><a href="#{panel.anchor}">{at}. {escape(panel.name)}</a></h4>'
        f'<p class="figure">{panel.figure}</p>{lines}</li>'
    )


def _panels(data: ReportData, economics: Given) -> Iterator[Panel]:
    yield _margin(data, economics)
    yield _unit(data, economics)
    yield _users(economics)
    yield _growth(data, economics)
    yield _levers(data, economics)
    yield _bills(data, economics)
    yield _saving(data, economics)
    yield _unused(data, economics)
    yield _risk(data, economics)


def _of(part: object, whole: object) -> float | None:
    return part / whole if known(part) and known(whole) and whole > 0.0 else None


def _margin(data: ReportData, economics: Given) -> Panel:
    left = economics.get("margin_usd")
    revenue = (economics.get("company_margin") or {}).get("revenue_usd")
    share = cell(_of(left, revenue), percent)
    tiers = [
        f"{escape(str(tier['tier']))} {cell(tier['full_margin_usd'], money)}"
        for tier in economics.get("margin_by_tier") or ()
    ]
    more = f" and {len(tiers) - SHOWN_TIERS_COUNT} more" if len(tiers) > SHOWN_TIERS_COUNT else ""
    by_tier = f"By tier, usage: {', '.join(tiers[:SHOWN_TIERS_COUNT])}{more}."
    return Panel(
        "From revenue to margin", "pay", f"{cell(left, money)} {escape(data.currency)}",
        (f"{share} of {cell(revenue, money)} revenue, allocation.", by_tier if tiers else ""),
    )  # fmt: skip


def _unit(data: ReportData, economics: Given) -> Panel:
    full, marginal, price = (
        cell(economics.get(f"usd_per_mtok_{basis}"), significant)
        for basis in ("full", "marginal", "price")
    )
    binds, rent = economics.get("mw_binds_h"), economics.get("mw_rent_usd_per_mwh")
    mw = "Megawatts bind nowhere." if known(binds) else "Whether megawatts bind is not known."
    if known(binds) and binds > 0.0:
        worth = f", one MWh more worth {cell(rent, significant)} {escape(data.currency)}"
        mw = f"Megawatts bind {cell(binds, amount)} site-h{worth if known(rent) else ''}."
    shares = ", ".join(
        f"{word} {cell(economics.get(name), percent)}"
        for word, name in (
            ("kWh", "share_kwh"), ("MW", "share_powered_capacity"), ("silicon", "share_silicon"),
        )
    )  # fmt: skip
    return Panel(
        "What a Mtok costs and brings", "unit",
        f"{full} <small>full</small> · {marginal} <small>marginal</small> · "
        f"{price} <small>price</small>",
        (f"{escape(data.currency)}/Mtok. Of the full cost {shares}.", mw),
    )  # fmt: skip


def _users(economics: Given) -> Panel:
    users = economics.get("users") or {}
    lose = cell(users.get("share_unprofitable"), percent)
    marginal = cell(users.get("marginal_share_unprofitable"), percent)
    return Panel(
        "Users that lose money", "users", lose,
        ("By what their tokens used.", f"By what one more token costs: {marginal}."),
    )  # fmt: skip


def _growth(data: ReportData, economics: Given) -> Panel:
    if not economics.get("scale"):
        return Panel("Where growth turns", "growth", cell(None), ("No growth was asked for.",))
    phi = cell(economics.get("break_even_conversion"), lambda share: percent(share, 2))
    paid = cell(economics.get("paid_share"), lambda share: percent(share, 2))
    return Panel(
        "Where growth turns", "growth", turns(economics["scale"]),
        (f"Paying users today {paid}; needed to break even {phi}.",),
    )  # fmt: skip


def _levers(data: ReportData, economics: Given) -> Panel:
    """Return what moves the full cost most, and where the price of power ranks."""
    held = [each for each in economics.get("levers") or () if each["metric"] == "full_cost"]
    sizes: dict[str, float] = {}
    for row in lever_rows(held):
        if known(row["change_share"]):
            size = abs(float(row["change_share"]))
            sizes[row["lever"]] = max(size, sizes.get(row["lever"], 0.0))
    ranked = sorted(sizes, key=lambda name: -sizes[name])
    if not ranked:
        return Panel("What would change it", "levers", cell(None), ("No token was served.",))
    power = next((lever_name(each) for each in held if each["name"] == "power_price"), "")
    told = ""
    if power in ranked:
        place = f"{ranked.index(power) + 1} of {len(ranked)}"
        told = f"The price of power is lever {place}: {cell(sizes[power], percent)}."
    moves = f"It moves the full cost by up to {cell(sizes[ranked[0]], percent)}."
    return Panel("What would change it", "levers", escape(ranked[0]), (moves, told))


def _bills(data: ReportData, economics: Given) -> Panel:
    held = economics.get("reconciliation") or {}
    unit = escape(data.currency)
    return Panel(
        "Whether the books tie", "bills", f"{cell(held.get('allocated_share'), percent)} allocated",
        (
            f"Of {cell(held.get('invoiced_usd'), money)} {unit} invoiced; residual "
            f"{cell(held.get('residual_usd'), money)} {unit}.",
        ),
    )  # fmt: skip


def _saving(data: ReportData, economics: Given) -> Panel:
    held = economics.get("savings")
    if not held:
        return Panel("What dispatch saves", "saving", cell(None), ("No baseline was run.",))
    band = held.get("saving")
    sure = (
        f"90 % band {cell(band['low_usd'], money)} to {cell(band['high_usd'], money)} "
        f"{escape(data.currency)}."
        if band
        else "The horizon is too short for a band."
    )
    return Panel(
        "What dispatch saves", "saving",
        f"{cell(held['saving_usd'], money)} {escape(data.currency)}",
        (saving_words(held), sure),
    )  # fmt: skip


def _unused(data: ReportData, economics: Given) -> Panel:
    idle = economics.get("unused_capacity_usd")
    whole = (economics.get("full_cost") or {}).get("allocation_usd")
    return Panel(
        "Unused capacity", "unused", f"{cell(idle, money)} {escape(data.currency)}",
        (f"{cell(_of(idle, whole), percent)} of all that is paid; charged to nobody.",),
    )  # fmt: skip


def _risk(data: ReportData, economics: Given) -> Panel:
    held, band = economics.get("exposures") or {}, economics.get("cost_band")
    spread = (
        f"Cost P10 {cell(band['p10_usd'], money)}, P90 {cell(band['p90_usd'], money)} "
        f"{escape(data.currency)}."
        if band
        else "The horizon is too short for P10 and P90."
    )
    names = ("volume", "price", "shape", "covariance", "basis")
    sizes = {name: held.get(f"{name}_usd") for name in names}
    told = {name: usd for name, usd in sizes.items() if known(usd)}
    largest = max(told, key=lambda name: abs(told[name])) if told else ""
    most = f"{cell(told[largest], money)} {escape(data.currency)}" if told else ""
    exposed = f"Largest of five exposures: {largest}, {most}." if told else ""
    return Panel(
        "Hedged, and at risk", "risk", f"{cell(held.get('hedge_share'), percent)} hedged",
        (spread, exposed),
    )  # fmt: skip
