"""From a company and its series to a `World`: names become indices, contracts become arrays."""

from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache

import numpy as np

from tokenergy.company.catalogue import Catalogue
from tokenergy.company.company import Company
from tokenergy.company.contract import Spot
from tokenergy.company.inputs import Inputs
from tokenergy.company.settle import initial_states
from tokenergy.company.site import Site
from tokenergy.dispatch.before_power import without_what_comes_later
from tokenergy.dispatch.build_connection import connection_limits_mw, curtailed
from tokenergy.dispatch.build_contracts import blocks_of, takes_of
from tokenergy.dispatch.build_tariffs import supplied_throughout, tariff_parts
from tokenergy.dispatch.build_terms import contract_parts, limits_next_door
from tokenergy.dispatch.carbon import carbon_rates
from tokenergy.dispatch.local_time import KEPT_COUNT
from tokenergy.dispatch.outages import apply_outages
from tokenergy.dispatch.reach import build_routes
from tokenergy.dispatch.world import FloatArray, IntArray, World
from tokenergy.errors import InputError


def build_world(company: Company, inputs: Inputs, catalogue: Catalogue) -> World:
    """Resolve a checked company file into arrays.

    Raises:
        UnknownName: if a name of the file, an outage's too, is in neither it nor the catalogue.
        DoesNotFit: if a model was put on a fleet by name whose memory it exceeds.
        InputError: naming every site whose power nobody sells in some interval of the horizon.
    """
    count = company.horizon.intervals_count
    total = inputs.history_count + count
    sites = {site.name: at for at, site in enumerate(company.sites)}
    spot = np.array([inputs.price_usd_per_mwh[site.name][:total] for site in company.sites])
    exports = np.array([np.full(total, site.export_limit_mw) for site in company.sites])
    limits = connection_limits_mw(company, inputs, total)
    limits, exports = limits_next_door(company, inputs, limits, exports)
    limits, cuts = curtailed(company, inputs, limits)
    takes, blocks = takes_of(company, inputs, spot), blocks_of(company, inputs, total)
    contracts = contract_parts(company, inputs, total, takes=takes, blocks=blocks)
    tariffs = tariff_parts(company, inputs, total)
    supplied = supplied_throughout(tariffs.supply_buy_usd_per_mwh, company, inputs.history_count)
    terms = _spot_terms(company, supplied)
    routes = build_routes(company, inputs, catalogue)
    built = World(
        company=company,
        inputs=inputs,
        start=inputs.start,
        first=inputs.history_count,
        count=count,
        step_h=inputs.step_h,
        site_names=tuple(site.name for site in company.sites),
        import_limit_mw=limits,
        export_limit_mw=exports,
        pue=np.array([_pue(site, inputs, total) for site in company.sites]),
        fixed_mw=np.array([site.fixed_load_mw for site in company.sites]),
        spot_usd_per_mwh=spot,
        loss_share=np.array([term.loss_share for term in terms]),
        adder_usd_per_mwh=np.array([term.adder_usd_per_mwh for term in terms]),
        resale_spread_usd_per_mwh=np.array([term.resale_spread_usd_per_mwh for term in terms]),
        published_until=np.array([_published_until(s, inputs, total) for s in company.sites]),
        arrivals_mtok=_arrivals_mtok(company, inputs, routes.tokens_per_request_count, total),
        floor_share=tuple(tier.quality_floor_share for tier in company.tiers),
        takes=takes,
        blocks=blocks,
        batteries=company.batteries,
        battery_site=tuple(sites[battery.site] for battery in company.batteries),
        fleets=routes.fleets,
        deployments=routes.deployments,
        routes=routes.routes,
        workloads=routes.workloads,
        unreachable=routes.unreachable,
        rates=(*contracts.rates, *tariffs.rates, *carbon_rates(company, inputs, total)),
        sunk=(*contracts.sunk, *tariffs.sunk),
        terms=(*contracts.terms, *tariffs.terms),
        generators=contracts.generators,
        cuts=cuts,
        before=initial_states(company),
        supply_buy_usd_per_mwh=tariffs.supply_buy_usd_per_mwh,
        supply_sell_usd_per_mwh=tariffs.supply_sell_usd_per_mwh,
    )
    return apply_outages(without_what_comes_later(built))


def _spot_terms(company: Company, supplied: Collection[str]) -> list[Spot]:
    """Return the one spot contract of each site, in the order of the sites.

    A site whose tariff supplies it has none: its terms are of no effect.

    Raises:
        InputError: naming every site whose power nobody sells in some interval of the horizon.
    """
    by_site = {c.site: c for c in company.contracts if isinstance(c, Spot)}
    dark = [s.name for s in company.sites if s.name not in by_site and s.name not in supplied]
    if dark:
        raise InputError(
            f"no spot contract, and no supply tariff through the whole horizon: {', '.join(dark)}"
        )
    none = [Spot(id="none", kind="spot", site=site.name) for site in company.sites]
    return [by_site.get(site.name, none[at]) for at, site in enumerate(company.sites)]


def _published_until(site: Site, inputs: Inputs, total: int) -> IntArray:
    """Return, by interval, the index up to which the site's prices are public [T].

    Day-ahead prices come out at the market's own hour for the whole of the next market day;
    before that hour the current market day is known (dispatch sheet, section 5).
    """
    if site.market.day_ahead_at is None:
        return np.arange(1, total + 1)
    until = _day_ahead_until(
        inputs.start, inputs.step_h, total, zone=site.market.tz, told_at=site.market.day_ahead_at
    )
    return np.maximum(until, np.arange(1, total + 1))


@lru_cache(maxsize=KEPT_COUNT)
def _day_ahead_until(
    start: datetime, step_h: float, total: int, *, zone: tzinfo, told_at: str
) -> IntArray:
    """Return, by interval, the index of the end of the last market day that is public [T]."""
    hour, minute = (int(part) for part in told_at.split(":"))
    step, ends = timedelta(hours=step_h), dict[tuple[date, int], int]()
    until = np.empty(total, dtype=np.int64)
    for at in range(total):
        now = (start + at * step).astimezone(zone)
        key = now.date(), 2 if (now.hour, now.minute) >= (hour, minute) else 1
        if (end := ends.get(key)) is None:
            day = key[0] + timedelta(days=key[1])
            midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
            end = ends[key] = int((midnight.astimezone(UTC) - start) / step)
        until[at] = end
    until.flags.writeable = False
    return until


def _pue(site: Site, inputs: Inputs, total: int) -> FloatArray:
    """Return facility power over IT power: linear between the points, flat outside [T]."""
    if not isinstance(site.pue, tuple):
        return np.full(total, site.pue)
    points_c = [point.outdoor_c for point in site.pue]
    points = [point.pue for point in site.pue]
    if len(points) == 1:
        return np.full(total, points[0])
    return np.interp(inputs.outdoor_c[site.name][:total], points_c, points)


def _arrivals_mtok(
    company: Company, inputs: Inputs, tokens_per_request_count: tuple[float, ...], total: int
) -> FloatArray:
    """Return output Mtok asked for in each interval [W, T]."""
    rows = [
        inputs.requests_per_s[workload.name][:total] * 3600.0 * inputs.step_h * tokens / 1e6
        for workload, tokens in zip(company.workloads, tokens_per_request_count, strict=True)
    ]
    return np.array(rows)
