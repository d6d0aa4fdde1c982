"""Bills of what is bought by the MWh: spot, blocks, power purchase agreements, hub swaps."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date

from tokenergy.company.connection import ImportSteps
from tokenergy.company.contract import Block, PpaAsProduced, PpaBaseload, PpaVirtual, Spot
from tokenergy.company.contract_base import Escalating
from tokenergy.company.contract_state import ContractState
from tokenergy.company.settle.clock import anniversary, full_years, in_term
from tokenergy.company.settle.lines import Bill, Charge
from tokenergy.company.settle.meter import METER_TOLERANCE_SHARE, MeterSeries, Span
from tokenergy.errors import InfeasiblePower


def settle_spot(spot: Spot, series: MeterSeries, bill: Bill) -> None:
    """Bill (1 + loss)(N + adder) on what was bought, pay N - spread for what was sold.

    Where the site's purchases move its price, each MWh bought within a step pays the step's
    adder on top. A site has one spot contract, and its residual has to be settled somewhere: so
    its term is not asked for (that it ends within the horizon is a finding).
    """
    node_usd_per_mwh = series.needed("spot_usd_per_mwh", spot.id)
    bought_mwh = series.needed("bought_mwh", spot.id)
    sold_mwh = series.needed("sold_mwh", spot.id)
    for span in series.spans():
        price, mwh = node_usd_per_mwh[span.at], bought_mwh[span.at]
        rate = (1.0 + spot.loss_share) * (price + spot.adder_usd_per_mwh)
        bill.add(span.start, span.end, Charge("purchase", mwh, "MWh", rate))
        if series.import_price is not None:
            for number, charge in _stepped(series.import_price, mwh, span.length_h):
                bill.add(span.start, span.end, charge._replace(component=f"import_step_{number}"))
        rate = price - spot.resale_spread_usd_per_mwh
        bill.add(span.start, span.end, Charge("resale", sold_mwh[span.at], "MWh", -rate))


def _stepped(steps: ImportSteps, mwh: float, length_h: float) -> Iterator[tuple[int, Charge]]:
    """Yield the adder on what was bought within each step, where there is one."""
    below_mwh = 0.0
    for number, step in enumerate(steps.steps, start=1):
        most_mwh = mwh if step.up_to_mw is None else min(mwh, step.up_to_mw * length_h)
        if step.adder_usd_per_mwh and most_mwh > below_mwh:
            yield number, Charge("", most_mwh - below_mwh, "MWh", step.adder_usd_per_mwh)
        below_mwh = max(below_mwh, most_mwh)


def settle_block(block: Block, series: MeterSeries, bill: Bill) -> None:
    """Bill the strike on the block's power in each of its hours, used or not."""
    for span in series.spans():
        mwh = block_mwh(block, span)
        rate = strike_usd_per_mwh(block, span)
        bill.add(span.start, span.end, Charge("delivery", mwh, "MWh", rate))


def block_mwh(block: Block, span: Span) -> float:
    """Return what a block delivers in an interval: its hours are those of the local clock."""
    if not in_term(block, span) or span.local.hour not in range(block.from_hour, block.to_hour):
        return 0.0
    if block.weekdays_only and span.local.isoweekday() in (6, 7):
        return 0.0
    return block.contract_mw * span.length_h


def settle_as_produced(
    ppa: PpaAsProduced, series: MeterSeries, state: ContractState, bill: Bill
) -> ContractState:
    """Bill what was taken, and what was not taken where the contract has it paid anyway.

    With a minimum take, what a contract year (or the term, where it ends first) lacks of the
    minimum is billed at that year's strike in the interval with which it ends.

    Returns:
        The state: what the running contract year has taken or paid for.
    """
    price = series.needed("spot_usd_per_mwh", ppa.id)
    taken_mwh = series.needed("taken_mwh", ppa.id)
    profile_share = series.needed("profile_share", ppa.id)
    for span in series.spans():
        at, within = span.at, in_term(ppa, span)
        made_mwh = made_by(ppa, span, profile_share[at])
        stopped = price[at] < 0.0 and ppa.negative_price_clause != "none"
        running_mwh = 0.0 if stopped else made_mwh
        _may_take(ppa, taken_mwh[at], running_mwh, span)
        rate = strike_usd_per_mwh(ppa, span)
        used_mwh = taken_mwh[at] if running_mwh else 0.0
        bill.add(span.start, span.end, Charge("delivery", used_mwh, "MWh", rate))
        paid_anyway = ppa.negative_price_clause == "pay" if stopped else ppa.deemed_generation
        unused_mwh = max(0.0, made_mwh - used_mwh) if paid_anyway else 0.0
        bill.add(span.start, span.end, Charge("deemed_generation", unused_mwh, "MWh", rate))
        if within and ppa.min_take_share and ppa.annual_mwh is not None and ppa.start is not None:
            least_mwh = ppa.min_take_share * ppa.annual_mwh
            state = _of_year(state, ppa.start, span.local.date(), used_mwh + unused_mwh)
            if _year_ends(ppa, ppa.start, span):
                missing_mwh = max(0.0, least_mwh - state.taken_mwh)
                bill.add(span.start, span.end, Charge("minimum_take", missing_mwh, "MWh", rate))
    return state


def _of_year(state: ContractState, start: date, day: date, paid_mwh: float) -> ContractState:
    """Add to what the contract year has paid for; a new one begins at 0."""
    year = contract_year(start, day)
    before_mwh = state.taken_mwh if state.period == year else 0.0
    return replace(state, period=year, taken_mwh=before_mwh + paid_mwh)


def contract_year(start: date, day: date) -> str:
    """Return the name of the contract year that a day falls in: its first day."""
    return anniversary(start, full_years(start, day)).isoformat()


def _year_ends(ppa: PpaAsProduced, start: date, span: Span) -> bool:
    """Tell whether a contract year, or the whole term, ends with this interval."""
    turn = anniversary(start, full_years(start, span.local.date()) + 1)
    if ppa.end is not None:
        turn = min(turn, ppa.end)
    return span.local_end.date() >= turn


def _may_take(ppa: PpaAsProduced, taken_mwh: float, running_mwh: float, span: Span) -> None:
    check_taken(ppa.id, taken_mwh, running_mwh, span)
    slack_mwh = METER_TOLERANCE_SHARE * max(1.0, running_mwh)
    if not ppa.may_curtail and taken_mwh < running_mwh - slack_mwh:
        raise InfeasiblePower(
            f"contract {ppa.id!r} at {span.start:%Y-%m-%dT%H:%MZ}: {taken_mwh:.6g} MWh taken "
            f"of {running_mwh:.6g} MWh made: the contract gives no right to curtail"
        )


def check_taken(owner_id: str, taken_mwh: float, running_mwh: float, span: Span) -> None:
    """Hold what was taken against what there was.

    Raises:
        InfeasiblePower: if it is more.
    """
    slack_mwh = METER_TOLERANCE_SHARE * max(1.0, running_mwh)
    if not taken_mwh <= running_mwh + slack_mwh:
        raise InfeasiblePower(
            f"contract {owner_id!r} at {span.start:%Y-%m-%dT%H:%MZ}: {taken_mwh:.6g} MWh taken, "
            f"its project delivers {running_mwh:.6g} MWh"
        )


def settle_baseload(ppa: PpaBaseload, series: MeterSeries, bill: Bill) -> None:
    """Bill the strike on what was delivered; the seller pays a penalty on what was missing."""
    shape_share = series.own("shape", ppa.shape, ppa.id)
    missing_share = series.own("shortfall", ppa.shortfall, ppa.id)
    for span in series.spans():
        if not in_term(ppa, span):
            continue
        owed_mwh = ppa.contract_mw * shape_share[span.at] * span.length_h
        missing_mwh = owed_mwh * missing_share[span.at]
        rate = strike_usd_per_mwh(ppa, span)
        bill.add(span.start, span.end, Charge("delivery", owed_mwh - missing_mwh, "MWh", rate))
        if ppa.shortfall_penalty_usd_per_mwh:
            rate = -ppa.shortfall_penalty_usd_per_mwh
            bill.add(span.start, span.end, Charge("shortfall_penalty", missing_mwh, "MWh", rate))


def settle_virtual(ppa: PpaVirtual, series: MeterSeries, bill: Bill) -> None:
    """Bill the strike less the hub's price on the project's output, after the clauses on it."""
    profile_share = series.needed("profile_share", ppa.id)
    hub_usd_per_mwh = series.own("hub_price", ppa.hub_price, ppa.id)
    for span in series.spans():
        price = hub_usd_per_mwh[span.at]
        dropped_below = ppa.zero_volume_below_usd_per_mwh
        if dropped_below is not None and price < dropped_below:
            continue
        if ppa.floor_usd_per_mwh is not None:
            price = max(price, ppa.floor_usd_per_mwh)
        if ppa.cap_usd_per_mwh is not None:
            price = min(price, ppa.cap_usd_per_mwh)
        mwh = made_by(ppa, span, profile_share[span.at])
        rate = strike_usd_per_mwh(ppa, span) - price
        bill.add(span.start, span.end, Charge("difference", mwh, "MWh", rate))


def made_by(ppa: PpaAsProduced | PpaVirtual, span: Span, profile_share: float) -> float:
    """Return the buyer's share of what a project makes in an interval; out of term, nothing."""
    if not in_term(ppa, span):
        return 0.0
    return ppa.share * ppa.project_mw * profile_share * span.length_h


def strike_usd_per_mwh(contract: Escalating, span: Span) -> float:
    """Return the strike, raised once for each full contract year."""
    growth_ratio = 1.0 + contract.escalator_share_per_year
    years = full_years(contract.start, span.local.date())
    return float(contract.strike_usd_per_mwh * growth_ratio**years)
