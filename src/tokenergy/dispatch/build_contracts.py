"""From the contracts of a company file to arrays: takes, blocks, and what follows the calendar.

A term begins and ends at midnight, and a contract year turns, in the market's own time zone
(contracts sheet, section 1).
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo

import numpy as np

from tokenergy.company.company import Company
from tokenergy.company.contract import Block, Colocation, PpaAsProduced, PpaBaseload
from tokenergy.company.contract_base import Escalating
from tokenergy.company.inputs import Inputs
from tokenergy.dispatch.supply import (
    BoolArray,
    FixedBlock,
    FloatArray,
    Take,
)


def takes_of(company: Company, inputs: Inputs, spot_usd_per_mwh: FloatArray) -> tuple[Take, ...]:
    """Return every contract whose output may be taken; spot prices are by site [S, T]."""
    sites = {site.name: at for at, site in enumerate(company.sites)}
    takes = []
    for contract in company.contracts:
        site = sites[contract.site]
        zone = company.sites[site].market.tz
        if isinstance(contract, PpaAsProduced):
            takes.append(_take(contract, site, inputs, spot_usd_per_mwh[site], zone))
        elif isinstance(contract, Colocation):
            total = spot_usd_per_mwh.shape[1]
            takes.append(_next_door(contract, site, inputs, total, zone))
    return tuple(takes)


def blocks_of(company: Company, inputs: Inputs, total: int) -> tuple[FixedBlock, ...]:
    """Return every contract whose delivery and cost no decision moves, over `total` intervals."""
    sites = {site.name: at for at, site in enumerate(company.sites)}
    blocks = []
    for contract in company.contracts:
        site = sites[contract.site]
        zone = company.sites[site].market.tz
        if isinstance(contract, Block):
            blocks.append(_block(contract, site, inputs, total, zone))
        elif isinstance(contract, PpaBaseload):
            blocks.append(_baseload(contract, site, inputs, total, zone))
    return tuple(blocks)


def midnight_in(zone: tzinfo, day: date) -> datetime:
    """Return the first moment of a local day, in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def in_term(
    start: date | None, end: date | None, inputs: Inputs, total: int, zone: tzinfo
) -> BoolArray:
    """Return whether each interval lies in a term of local days `[start, end)` [T]."""
    step = timedelta(hours=inputs.step_h)
    inside = np.ones(total, dtype=bool)
    if start is not None:
        inside &= np.arange(total) >= (midnight_in(zone, start) - inputs.start) / step
    if end is not None:
        inside &= np.arange(total) < (midnight_in(zone, end) - inputs.start) / step
    return inside


def escalated(
    strike_usd_per_mwh: float,
    share_per_year: float,
    start: date | None,
    inputs: Inputs,
    total: int,
    zone: tzinfo,
) -> FloatArray:
    """Return the strike by interval, raised once per full contract year [T]."""
    if not share_per_year or start is None:
        return np.full(total, strike_usd_per_mwh)
    years = np.zeros(total)
    for at in range(total):
        day = (inputs.start + timedelta(hours=at * inputs.step_h)).astimezone(zone).date()
        before_anniversary = (day.month, day.day) < (start.month, start.day)
        years[at] = max(0, day.year - start.year - before_anniversary)
    return np.asarray(strike_usd_per_mwh * (1.0 + share_per_year) ** years)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Made:
    """What the buyer's part of a project makes, and what its clauses say of it.

    Attributes:
        made_mw: the buyer's part of the output [T].
        stopped: whether a clause on prices below 0 ends delivery [T].
        paid_anyway: whether output is paid taken or not [T].
    """

    made_mw: FloatArray
    stopped: BoolArray
    paid_anyway: BoolArray


def made_of(
    contract: PpaAsProduced, inputs: Inputs, spot_usd_per_mwh: FloatArray, zone: tzinfo
) -> Made:
    """Apply the clauses of an as-produced contract (contracts sheet, section 3)."""
    total = spot_usd_per_mwh.size
    inside = in_term(contract.start, contract.end, inputs, total, zone)
    profile = inputs.profile_share[contract.id][:total]
    stopped = (spot_usd_per_mwh < 0.0) & (contract.negative_price_clause != "none")
    pays = contract.negative_price_clause == "pay"
    return Made(
        made_mw=contract.share * contract.project_mw * profile * inside,
        stopped=stopped,
        paid_anyway=np.where(stopped, pays, contract.deemed_generation),
    )


def _take(
    contract: PpaAsProduced,
    site: int,
    inputs: Inputs,
    spot_usd_per_mwh: FloatArray,
    zone: tzinfo,
) -> Take:
    """Return what an as-produced contract offers after its clauses."""
    total, made = spot_usd_per_mwh.size, made_of(contract, inputs, spot_usd_per_mwh, zone)
    strike = strike_usd_per_mwh(contract, inputs, total, zone)
    available_mw = np.where(made.stopped, 0.0, made.made_mw)
    return Take(
        contract_id=contract.id,
        site=site,
        behind_the_meter=contract.delivery == "behind_the_meter",
        available_mw=available_mw,
        floor_mw=np.zeros(total) if contract.may_curtail else available_mw,
        take_usd_per_mwh=np.where(made.paid_anyway, 0.0, strike),
        sunk_usd_per_h=np.where(made.paid_anyway, strike * made.made_mw, 0.0),
    )


def _next_door(contract: Colocation, site: int, inputs: Inputs, total: int, zone: tzinfo) -> Take:
    """Return a neighbour's generator: what it makes may be taken, and is paid for either way.

    Without take-or-pay only what is taken is paid.
    """
    inside = in_term(contract.start, contract.end, inputs, total, zone)
    made_mw = contract.project_mw * inputs.profile_share[contract.id][:total] * inside
    strike = strike_usd_per_mwh(contract, inputs, total, zone)
    return Take(
        contract_id=contract.id,
        site=site,
        behind_the_meter=True,
        available_mw=made_mw,
        floor_mw=np.zeros(total),
        take_usd_per_mwh=np.zeros(total) if contract.take_or_pay else strike,
        sunk_usd_per_h=strike * made_mw if contract.take_or_pay else np.zeros(total),
    )


def _baseload(
    contract: PpaBaseload, site: int, inputs: Inputs, total: int, zone: tzinfo
) -> FixedBlock:
    """Return what a seller delivers of the power that it owes."""
    return FixedBlock(
        contract_id=contract.id,
        site=site,
        behind_the_meter=contract.delivery == "behind_the_meter",
        delivery_mw=np.asarray(
            owed_mw(contract, inputs, total, zone)
            * (1.0 - inputs.series[f"{contract.id}.shortfall"][:total])
        ),
        strike_usd_per_mwh=strike_usd_per_mwh(contract, inputs, total, zone),
    )


def owed_mw(contract: PpaBaseload, inputs: Inputs, total: int, zone: tzinfo) -> FloatArray:
    """Return the power that the seller of a shaped contract owes [T]."""
    inside = in_term(contract.start, contract.end, inputs, total, zone)
    return np.asarray(contract.contract_mw * inputs.series[f"{contract.id}.shape"][:total] * inside)


def strike_usd_per_mwh(
    contract: Escalating, inputs: Inputs, total: int, zone: tzinfo
) -> FloatArray:
    """Return a contract's strike by interval [T]."""
    return escalated(
        contract.strike_usd_per_mwh,
        contract.escalator_share_per_year,
        contract.start,
        inputs,
        total,
        zone,
    )


def _block(contract: Block, at: int, inputs: Inputs, total: int, zone: tzinfo) -> FixedBlock:
    """Return a block's delivery in its hours of the market's own day [T]."""
    delivered = in_term(contract.start, contract.end, inputs, total, zone)
    whole_day = contract.from_hour == 0 and contract.to_hour == 24 and not contract.weekdays_only
    for index in range(0 if whole_day else total):
        local = (inputs.start + timedelta(hours=index * inputs.step_h)).astimezone(zone)
        in_hours = contract.from_hour <= local.hour < contract.to_hour
        if not in_hours or (contract.weekdays_only and local.weekday() >= 5):
            delivered[index] = False
    return FixedBlock(
        contract_id=contract.id,
        site=at,
        behind_the_meter=contract.delivery == "behind_the_meter",
        delivery_mw=contract.contract_mw * delivered.astype(float),
        strike_usd_per_mwh=strike_usd_per_mwh(contract, inputs, total, zone),
    )
