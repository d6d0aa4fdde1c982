"""What may be drawn from the grid, by interval: limits by date, and events that take megawatts.

The least of the connection and of what is contracted of a large load by that date; less what the
grid takes back of the non-firm part.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from math import ceil, floor
from zoneinfo import ZoneInfo

import numpy as np

from tokenergy.company.company import Company
from tokenergy.company.connection import NonFirm
from tokenergy.company.inputs import Inputs
from tokenergy.company.site import Site
from tokenergy.dispatch.build_contracts import in_term
from tokenergy.dispatch.build_tariffs import contracted_mw
from tokenergy.dispatch.local_time import LocalTime
from tokenergy.dispatch.supply import Cut, FloatArray

NEARLY = 1e-9
"""Part of an interval that is rounding."""


def connection_limits_mw(company: Company, inputs: Inputs, total_count: int) -> FloatArray:
    """Return what each site may import by date, events aside [S, T].

    Nothing before the connection is energised, and no more than its ramp has reached; of a large
    load no more than is contracted then.
    """
    limits_mw = np.zeros((len(company.sites), total_count))
    for at, site in enumerate(company.sites):
        zone = site.market.tz
        there = in_term(site.energised_on, None, inputs, total_count, zone)
        limits_mw[at, there] = _ramp_mw(site, inputs, total_count)[there]
        for tariff in company.tariffs:
            if tariff.site != site.name or tariff.large_load is None:
                continue
            clock = zone if tariff.time_zone is None else ZoneInfo(tariff.time_zone)
            local = LocalTime.of(inputs.start, inputs.step_h, total_count, clock)
            inside = local.inside(tariff.start, tariff.end)
            most_mw = contracted_mw(tariff.large_load, local)
            limits_mw[at, inside] = np.minimum(limits_mw[at, inside], most_mw[inside])
    return limits_mw


def _ramp_mw(site: Site, inputs: Inputs, total_count: int) -> FloatArray:
    """Return what a connection has reached by date [T]: each step stands until the next."""
    reached_mw = np.full(total_count, 0.0 if site.ramp else site.import_limit_mw)
    for step in site.ramp:
        reached_mw[in_term(step.start, None, inputs, total_count, site.market.tz)] = step.mw
    return reached_mw


def curtailed(
    company: Company, inputs: Inputs, import_limit_mw: FloatArray
) -> tuple[FloatArray, tuple[Cut, ...]]:
    """Return import limits less what the grid takes back of non-firm megawatts, and the events.

    An event that covers a part of an interval is counted for all of it.
    """
    limits_mw = import_limit_mw.copy()
    cuts: list[Cut] = []
    for at, site in enumerate(company.sites):
        if site.non_firm is None:
            continue
        firm = site.non_firm
        left_mw = firm.firm_mw + firm.nonfirm_mw * firm.available_share
        for begin, end, announced in _curtailed(site, firm, inputs, limits_mw.shape[1]):
            lost_mw = np.maximum(0.0, limits_mw[at, begin:end] - left_mw)
            limits_mw[at, begin:end] -= lost_mw
            cuts.append(
                Cut(
                    name=f"non-firm {site.name}",
                    site=at,
                    begin=begin,
                    end=end,
                    announced=announced,
                    lost_mw=lost_mw,
                )
            )
    return limits_mw, tuple(cuts)


def _curtailed(
    site: Site, non_firm: NonFirm, inputs: Inputs, total_count: int
) -> Iterator[tuple[int, int, int]]:
    """Yield (first interval, the one after the last, that of the announcement) of each event.

    Events beyond the hours that may be curtailed in a calendar year of the market bind nobody; one
    that exceeds them binds until they are used up.
    """
    used_h: dict[int, float] = {}
    reached = datetime.min.replace(tzinfo=inputs.start.tzinfo)

    def place(moment: datetime) -> float:
        return (moment - inputs.start) / timedelta(hours=inputs.step_h)

    for event in sorted(non_firm.events, key=lambda each: each.start):
        start, end = max(event.start, reached), event.end
        if start >= end:
            continue
        reached = end
        if non_firm.cap_h_per_year is not None:
            year = start.astimezone(site.market.tz).year
            left_h = non_firm.cap_h_per_year - used_h.get(year, 0.0)
            length_h = min(left_h, (end - start) / timedelta(hours=1))
            used_h[year] = used_h.get(year, 0.0) + max(0.0, length_h)
            if length_h <= 0.0:
                continue
            end = start + timedelta(hours=length_h)
        begin = min(total_count, max(0, floor(place(start) + NEARLY)))
        until = min(total_count, max(0, ceil(place(end) - NEARLY)))
        told = place(event.start - timedelta(hours=non_firm.notice_h))
        if begin < until:
            yield begin, until, floor(told + NEARLY) + 1
