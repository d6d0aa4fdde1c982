"""The duel in a thousand worlds: a closed form on the unit costs that the program solved.

Everything is in proportion to tokens where demand is level and nothing is fixed, so one Mtok of
either company costs `e u + g + f`: `e` MWh at the meter at `u` USD/MWh, the rent `g` of its GPUs
and `f` of their halls. The owner pays its strike, the rival the mean price of the grid x the
shape of the year that was solved. The rival serves at most what its first megawatts made.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from tokenergy.company.annuity import annuity_share
from tokenergy.company.company import Company
from tokenergy.company.preset import Range
from tokenergy.thesis.draws import drawn
from tokenergy.thesis.duel_gap import DuelPath
from tokenergy.thesis.duel_month import PARTS_COUNT, growth_of
from tokenergy.thesis.inputs import FloatArray
from tokenergy.thesis.thresholds import DUEL_GAP_LEAST_USD
from tokenergy.units import MONTHS_PER_YEAR

DRAWN: Final = (
    "own_usd_per_mwh",
    "usd_per_mwh",
    "mw_delay_months",
    "demand_growth_share_per_year",
    "usd_per_gpu",
    "wacc_share",
    "token_price_usd_per_mtok",
)
"""Sourced ranges that the draws are taken from."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class UnitCosts:
    """What a Mtok of the solved duel costs, and how much of it there was.

    Attributes:
        used_mwh_per_mtok: power at the meter.
        gpu_usd_per_mtok, facility_usd_per_mtok: rents at the terms of the file.
        asked_mtok: of the first month.
        most_mtok: of a month on the rival's first megawatts.
        grid_ratio: price of the rival's power by month of the year over their mean [12].
        own_usd_per_mwh, grid_usd_per_mwh: prices of power as solved.
    """

    used_mwh_per_mtok: float
    gpu_usd_per_mtok: float
    facility_usd_per_mtok: float
    asked_mtok: float
    most_mtok: float
    grid_ratio: FloatArray
    own_usd_per_mwh: float
    grid_usd_per_mwh: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Terms:
    """Drawn terms, one value by draw [N]."""

    own_usd_per_mwh: FloatArray
    usd_per_mwh: FloatArray
    mw_delay_months: FloatArray
    demand_growth_share_per_year: FloatArray
    usd_per_gpu: FloatArray
    wacc_share: FloatArray
    token_price_usd_per_mtok: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Gaps:
    """Gaps by draw and month [N, T]; the parts are those under the stated price."""

    before: FloatArray
    """1 before the rival's megawatts arrive, else 0."""
    cost_usd: FloatArray
    stated_usd: FloatArray
    kwh_usd: FloatArray
    megawatts_usd: FloatArray


def unit_costs(path: DuelPath) -> UnitCosts:
    """Return the unit costs of a solved duel with level demand and nothing fixed.

    The owner's power price is the mean of what it paid; that of the rival by month of the year.
    """
    own, year = path.months[0].own, path.months[:PARTS_COUNT]
    paid = np.array([month.rival.power_usd / month.rival.used_mwh for month in year])
    served = [month.rival.served_mtok for month in path.before] or [np.inf]
    return UnitCosts(
        used_mwh_per_mtok=own.used_mwh / own.served_mtok,
        gpu_usd_per_mtok=own.gpu_usd / own.served_mtok,
        facility_usd_per_mtok=own.facility_usd / own.served_mtok,
        asked_mtok=own.asked_mtok,
        most_mtok=float(max(served)),
        grid_ratio=paid / paid.mean(),
        own_usd_per_mwh=float(
            np.mean([month.own.power_usd / month.own.used_mwh for month in path.months])
        ),
        grid_usd_per_mwh=float(paid.mean()),
    )


def drawn_terms(ranges: Mapping[str, Range], *, seed: int, count: int) -> Terms:
    """Draw each term apart from the others: uniform, or in the logarithm where it spans more."""
    random = np.random.default_rng([seed, 13])
    return Terms(**drawn(random, ranges, DRAWN, count=count))


def stated_terms(company: Company, costs: UnitCosts, *, delay_months: float) -> Terms:
    """Return the terms of the solved duel itself, as one draw."""
    growth, owned = growth_of(company), company.fleets[0].owned
    rate = growth.logistic.rate_share_per_year if growth.logistic else 0.0
    return Terms(
        own_usd_per_mwh=np.array([costs.own_usd_per_mwh]),
        usd_per_mwh=np.array([costs.grid_usd_per_mwh]),
        mw_delay_months=np.array([delay_months]),
        demand_growth_share_per_year=np.array([np.expm1(rate)]),
        usd_per_gpu=np.array([owned.usd_per_gpu if owned else 0.0]),
        wacc_share=np.array([company.money.wacc_share]),
        token_price_usd_per_mtok=np.array([company.tiers[0].price_usd_per_mtok or 0.0]),
    )


def gaps_of(terms: Terms, costs: UnitCosts, company: Company) -> Gaps:
    """Return the gaps of each draw; `company` says what capital cost where the costs were solved.

    Growth `g` a year is the logistic whose rate is ln(1 + g), with the limit of the file.
    """
    growth = growth_of(company)
    months = np.arange(growth.months)[None, :]
    limit = growth.logistic.limit_ratio if growth.logistic else np.inf
    rate = np.log1p(terms.demand_growth_share_per_year)[:, None]
    users = limit / (1.0 + (limit - 1.0) * np.exp(-rate * months / MONTHS_PER_YEAR))
    own_mtok = costs.asked_mtok * users
    before = months < terms.mw_delay_months[:, None]
    rival_mtok = np.where(before, np.minimum(own_mtok, costs.most_mtok), own_mtok)
    capital = _capital_usd_per_mtok(terms, costs, company)[:, None]
    grid_ratio = costs.grid_ratio[months % PARTS_COUNT]
    own_cost = capital + costs.used_mwh_per_mtok * terms.own_usd_per_mwh[:, None]
    rival_cost = capital + costs.used_mwh_per_mtok * terms.usd_per_mwh[:, None] * grid_ratio
    higher = np.maximum(own_cost, rival_cost)
    price = terms.token_price_usd_per_mtok[:, None]
    return Gaps(
        before=before.astype(float),
        cost_usd=(higher - own_cost) * own_mtok - (higher - rival_cost) * rival_mtok,
        stated_usd=(price - own_cost) * own_mtok - (price - rival_cost) * rival_mtok,
        kwh_usd=(rival_cost - own_cost) * rival_mtok,
        megawatts_usd=(price - rival_cost) * (own_mtok - rival_mtok),
    )


def _capital_usd_per_mtok(terms: Terms, costs: UnitCosts, company: Company) -> FloatArray:
    """Return the rents of GPUs and halls of a Mtok at the drawn terms [N]."""
    owned, site = company.fleets[0].owned, company.sites[0]
    if owned is None:
        return np.full(terms.wacc_share.size, costs.gpu_usd_per_mtok + costs.facility_usd_per_mtok)

    def gpu_usd(usd_per_gpu: float, wacc_share: float) -> float:
        share = annuity_share(wacc_share=wacc_share, life_y=owned.life_y)
        return usd_per_gpu * (share + owned.ops_share_per_year)

    def hall_share(wacc_share: float) -> float:
        return annuity_share(wacc_share=wacc_share, life_y=site.facility_life_y)

    stated = company.money.wacc_share
    base_usd, base_share = gpu_usd(owned.usd_per_gpu, stated), hall_share(stated)
    pairs = zip(terms.usd_per_gpu.tolist(), terms.wacc_share.tolist(), strict=True)
    return np.array(
        [
            costs.gpu_usd_per_mtok * gpu_usd(usd, wacc) / base_usd
            + costs.facility_usd_per_mtok * hall_share(wacc) / base_share
            for usd, wacc in pairs
        ]
    )


def held(gaps: Gaps) -> dict[str, Any]:
    """Return in what share of the draws the claim holds, and how the gap spreads."""
    waits = gaps.before > 0.0
    monthly = [
        np.where(waits, usd, np.inf).min(axis=1) > DUEL_GAP_LEAST_USD
        for usd in (gaps.cost_usd, gaps.stated_usd)
    ]
    stated_usd, cost_usd = gaps.stated_usd.sum(axis=1), gaps.cost_usd.sum(axis=1)
    kwh_usd, megawatts_usd = gaps.kwh_usd.sum(axis=1), gaps.megawatts_usd.sum(axis=1)
    return {
        "cost_every_month_share": float(monthly[0].mean()),
        "stated_every_month_share": float(monthly[1].mean()),
        "cost_total_share": float((cost_usd > DUEL_GAP_LEAST_USD).mean()),
        "stated_total_share": float((stated_usd > DUEL_GAP_LEAST_USD).mean()),
        "megawatts_decide_share": float((np.abs(megawatts_usd) > np.abs(kwh_usd)).mean()),
        "megawatts_earn_share": float((megawatts_usd > 0.0).mean()),
        "gap_cost_p50_usd": float(np.quantile(cost_usd, 0.5)),
        "gap_stated_p5_usd": float(np.quantile(stated_usd, 0.05)),
        "gap_stated_p50_usd": float(np.quantile(stated_usd, 0.5)),
        "gap_stated_p95_usd": float(np.quantile(stated_usd, 0.95)),
    }
