"""What does not stand there yet: GPUs before their delivery, and sites before their first power.

Before the first step of its ramp a site is as if it were dark: its fixed load comes with its first
power, unless something behind its meter may power it before the grid comes. GPUs come on the day
on which they are delivered; where the file does not say when, they come to such a site with its
first power. (A site with `energised_on` alone states no ramp: what stands there needs power from
the start, and a finding says so if there is none.)
"""

from dataclasses import replace
from datetime import date

import numpy as np

from tokenergy.company.company import Company
from tokenergy.company.fleet import Fleet
from tokenergy.company.site import Site
from tokenergy.dispatch.build_contracts import in_term
from tokenergy.dispatch.supply import Loss
from tokenergy.dispatch.world import World


def first_power_on(site: Site) -> date | None:
    """Return the first day on which a connection with a ramp delivers; None without a ramp."""
    if not site.ramp:
        return None
    return max(site.ramp[0].start, site.energised_on or date.min)


def powered_behind(company: Company, site: str) -> bool:
    """Tell whether anything gives a site power on its own side of the meter."""
    return any(
        contract.site == site
        and (
            contract.kind in ("on_site", "colocation")
            or getattr(contract, "delivery", "grid") == "behind_the_meter"
        )
        for contract in company.contracts
    )


def delivered_on(fleet: Fleet, company: Company) -> date | None:
    """Return the day from which GPUs stand there; None: before any horizon.

    Where the file does not say, it is the day on which the ramp of their site begins, unless
    something else could power them before.
    """
    if fleet.delivered_on is not None or powered_behind(company, fleet.site):
        return fleet.delivered_on
    site = next(site for site in company.sites if site.name == fleet.site)
    return first_power_on(site)


def without_what_comes_later(world: World) -> World:
    """Return the world in which nothing stands before it has come; everybody knows it will."""
    company, losses, exports_mw = world.company, list(world.losses), world.export_limit_mw
    for at, site in enumerate(company.sites):
        if not site.ramp or powered_behind(company, site.name):
            continue
        end = _intervals_before(world, first_power_on(site), site)
        if end:
            losses.append(_absent(f"site {site.name} before its first power", end, world, site=at))
            exports_mw = exports_mw.copy()
            exports_mw[at, :end] = 0.0
    for at, fleet in enumerate(company.fleets):
        site = next(site for site in company.sites if site.name == fleet.site)
        end = _intervals_before(world, delivered_on(fleet, company), site)
        if end:
            losses.append(_absent(f"fleet {fleet.name} before its delivery", end, world, fleet=at))
    if len(losses) == len(world.losses):
        return world
    return replace(world, losses=tuple(losses), export_limit_mw=exports_mw)


def _intervals_before(world: World, day: date | None, site: Site) -> int:
    """Return how many intervals of the world begin before a day of the site's market."""
    if day is None:
        return 0
    total = int(world.pue.shape[1])
    return int(np.count_nonzero(~in_term(day, None, world.inputs, total, site.market.tz)))


def _absent(
    name: str, end: int, world: World, *, site: int | None = None, fleet: int | None = None
) -> Loss:
    export_mw = np.zeros(end) if site is None else world.export_limit_mw[site, :end].copy()
    return Loss(
        name=name,
        site=site,
        fleet=fleet,
        begin=0,
        end=end,
        announced=0,
        left_share=0.0,
        export_mw=export_mw,
        block_mw=np.zeros(end),
        comes=True,
    )
