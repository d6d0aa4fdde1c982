"""From a company and its series to a `World`: names become indices, contracts become arrays."""

from datetime import UTC, date, datetime, timedelta

import numpy as np

from tokenergy.company.catalogue import Catalogue
from tokenergy.company.company import Company
from tokenergy.company.contract import Block, PpaAsProduced, Spot
from tokenergy.company.inputs import Inputs
from tokenergy.company.noun import midnight_utc
from tokenergy.company.site import Site
from tokenergy.dispatch.reach import build_routes
from tokenergy.dispatch.world import FixedBlock, FloatArray, IntArray, Take, World


def build_world(company: Company, inputs: Inputs, catalogue: Catalogue) -> World:
    """Resolve a checked company file into arrays.

    Raises:
        UnknownName: if a name of the file is in neither the file nor the catalogue.
        DoesNotFit: if a model was put on a fleet by name whose memory it exceeds.
    """
    count = company.horizon.intervals_count
    total = inputs.history_count + count
    sites = {site.name: at for at, site in enumerate(company.sites)}
    spot = np.array([inputs.price_usd_per_mwh[site.name][:total] for site in company.sites])
    terms = _spot_terms(company)
    limits = np.array([_import_limit_mw(site, inputs, total) for site in company.sites])
    routes = build_routes(company, inputs, catalogue)
    return World(
        company=company,
        inputs=inputs,
        start=inputs.start,
        first=inputs.history_count,
        count=count,
        step_h=inputs.step_h,
        site_names=tuple(site.name for site in company.sites),
        import_limit_mw=limits,
        export_limit_mw=np.array([np.full(total, site.export_limit_mw) for site in company.sites]),
        pue=np.array([_pue(site, inputs, total) for site in company.sites]),
        fixed_mw=np.array([site.fixed_load_mw for site in company.sites]),
        spot_usd_per_mwh=spot,
        loss_share=np.array([term.loss_share for term in terms]),
        adder_usd_per_mwh=np.array([term.adder_usd_per_mwh for term in terms]),
        resale_spread_usd_per_mwh=np.array([term.resale_spread_usd_per_mwh for term in terms]),
        published_until=np.array([_published_until(s, inputs, total) for s in company.sites]),
        arrivals_mtok=_arrivals_mtok(company, inputs, routes.tokens_per_request_count, total),
        floor_share=tuple(tier.quality_floor_share for tier in company.tiers),
        takes=tuple(
            _take(contract, sites[contract.site], inputs, spot)
            for contract in company.contracts
            if isinstance(contract, PpaAsProduced)
        ),
        blocks=tuple(
            _block(
                contract, company.sites[sites[contract.site]], sites[contract.site], inputs, total
            )
            for contract in company.contracts
            if isinstance(contract, Block)
        ),
        batteries=company.batteries,
        battery_site=tuple(sites[battery.site] for battery in company.batteries),
        fleets=routes.fleets,
        deployments=routes.deployments,
        routes=routes.routes,
        workloads=routes.workloads,
        unreachable=routes.unreachable,
    )


def _spot_terms(company: Company) -> list[Spot]:
    """Return the one spot contract of each site, in the order of the sites."""
    by_site = {c.site: c for c in company.contracts if isinstance(c, Spot)}
    return [by_site[site.name] for site in company.sites]


def _in_term(start: date | None, end: date | None, inputs: Inputs, total: int) -> np.ndarray:
    """Return whether each interval lies in a contract's term [T]."""
    step = timedelta(hours=inputs.step_h)
    inside = np.ones(total, dtype=bool)
    if start is not None:
        inside &= np.arange(total) >= (midnight_utc(start) - inputs.start) / step
    if end is not None:
        inside &= np.arange(total) < (midnight_utc(end) - inputs.start) / step
    return inside


def _import_limit_mw(site: Site, inputs: Inputs, total: int) -> FloatArray:
    """Return the import limit, 0 before the connection is energised [T]."""
    return site.import_limit_mw * _in_term(site.energised_on, None, inputs, total).astype(float)


def _published_until(site: Site, inputs: Inputs, total: int) -> IntArray:
    """Return, by interval, the index up to which the site's prices are public [T].

    Day-ahead prices come out at the market's own hour for the whole of the next market day;
    before that hour the current market day is known (dispatch sheet, section 5).
    """
    if site.market.day_ahead_at is None:
        return np.arange(1, total + 1)
    hour, minute = (int(part) for part in site.market.day_ahead_at.split(":"))
    zone, step = site.market.tz, timedelta(hours=inputs.step_h)
    until = np.empty(total, dtype=np.int64)
    for at in range(total):
        now = (inputs.start + at * step).astimezone(zone)
        days = 2 if (now.hour, now.minute) >= (hour, minute) else 1
        day = now.date() + timedelta(days=days)
        midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
        until[at] = int((midnight.astimezone(UTC) - inputs.start) / step)
    return np.maximum(until, np.arange(1, total + 1))


def _pue(site: Site, inputs: Inputs, total: int) -> FloatArray:
    """Return facility power over IT power: linear between the points, flat outside [T]."""
    if not isinstance(site.pue, tuple):
        return np.full(total, site.pue)
    points_c = [point.outdoor_c for point in site.pue]
    points = [point.pue for point in site.pue]
    if len(points) == 1:
        return np.full(total, points[0])
    return np.interp(inputs.outdoor_c[site.name][:total], points_c, points)


def _escalated(
    strike_usd_per_mwh: float, share_per_year: float, start: date | None, inputs: Inputs, total: int
) -> FloatArray:
    """Return the strike by interval, raised once per full contract year [T]."""
    if not share_per_year or start is None:
        return np.full(total, strike_usd_per_mwh)
    years = np.zeros(total)
    for at in range(total):
        day = (inputs.start + timedelta(hours=at * inputs.step_h)).date()
        before_anniversary = (day.month, day.day) < (start.month, start.day)
        years[at] = max(0, day.year - start.year - before_anniversary)
    return np.asarray(strike_usd_per_mwh * (1.0 + share_per_year) ** years)


def _take(contract: PpaAsProduced, site: int, inputs: Inputs, spot: FloatArray) -> Take:
    """Apply the clauses of an as-produced contract (contracts sheet, section 3)."""
    total = spot.shape[1]
    inside = _in_term(contract.start, contract.end, inputs, total)
    made_mw = (
        contract.share * contract.project_mw * inputs.profile_share[contract.id][:total] * inside
    )
    strike = _escalated(
        contract.strike_usd_per_mwh,
        contract.escalator_share_per_year,
        contract.start,
        inputs,
        total,
    )
    stopped = (spot[site] < 0.0) & (contract.negative_price_clause != "none")
    available_mw = np.where(stopped, 0.0, made_mw)
    paid_anyway = np.where(
        stopped, contract.negative_price_clause == "pay", contract.deemed_generation
    )
    return Take(
        contract_id=contract.id,
        site=site,
        behind_the_meter=contract.delivery == "behind_the_meter",
        available_mw=available_mw,
        floor_mw=np.zeros(total) if contract.may_curtail else available_mw,
        take_usd_per_mwh=np.where(paid_anyway, 0.0, strike),
        sunk_usd_per_h=np.where(paid_anyway, strike * made_mw, 0.0),
    )


def _block(contract: Block, site: Site, at: int, inputs: Inputs, total: int) -> FixedBlock:
    """Return a block's delivery in its hours of the market's own day [T]."""
    delivered = _in_term(contract.start, contract.end, inputs, total)
    zone = site.market.tz
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
        strike_usd_per_mwh=_escalated(
            contract.strike_usd_per_mwh,
            contract.escalator_share_per_year,
            contract.start,
            inputs,
            total,
        ),
    )


def _arrivals_mtok(
    company: Company, inputs: Inputs, tokens_per_request_count: tuple[float, ...], total: int
) -> FloatArray:
    """Return output Mtok asked for in each interval [W, T]."""
    rows = [
        inputs.requests_per_s[workload.name][:total] * 3600.0 * inputs.step_h * tokens / 1e6
        for workload, tokens in zip(company.workloads, tokens_per_request_count, strict=True)
    ]
    return np.array(rows)
