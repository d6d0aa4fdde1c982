"""The present interval as it was observed: what its power costs, and what one Mtok more would."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from tokenergy.api.observed.limits import begun_awake
from tokenergy.api.observed.world import Observed, Placed, observed_world
from tokenergy.api.opened import OpenCompany
from tokenergy.company.company import Company
from tokenergy.company.finding import Finding
from tokenergy.company.marginal import MarginalCost
from tokenergy.dispatch.duals import PriceBoard
from tokenergy.dispatch.forecast import Forecaster
from tokenergy.dispatch.world import World
from tokenergy.economics.attribution import bill_by_site
from tokenergy.errors import InfeasibleProgram
from tokenergy.simulate.account import account
from tokenergy.simulate.as_observed import AsObserved
from tokenergy.simulate.interval import LimitBroken
from tokenergy.simulate.replay import replay


@dataclass(frozen=True, kw_only=True, eq=False)
class Now:
    """Prices of the present interval.

    Attributes:
        world: the company, one interval long, with the demand that was observed.
        marginal: by engine, what one Mtok more of its workload costs there; None where no
            program could price it.
        power_usd_per_mwh: by site, the mean of what its contracts charge at this load; None
            where nothing was drawn.
        findings: what stood in the way.
    """

    world: World
    marginal: Mapping[str, MarginalCost]
    power_usd_per_mwh: tuple[float | None, ...]
    findings: tuple[Finding, ...]


def priced_now(
    opened: OpenCompany,
    engines: Iterable[Placed],
    mtok: Mapping[str, float],
    *,
    energy_ratio: Mapping[str, float] | None = None,
) -> Now:
    """Price the present interval.

    The optimum starts with the replicas that are awake, so that no wake is in the price of
    tokens that somebody serves already.

    Args:
        opened: the company on a horizon of one interval: this one.
        engines: where each engine stands.
        mtok: output Mtok by engine in the interval, at the rate that was observed.
        energy_ratio: metered over modelled joules by engine, where it was metered.
    """
    stands = tuple(engines)
    held = {name: np.array([amount]) for name, amount in mtok.items()}
    try:
        observed = observed_world(opened, stands, held, energy_ratio=energy_ratio)
    except (InfeasibleProgram, LimitBroken) as error:
        world = opened.world
        told = _infeasible("what was observed exceeds a limit of the file", error)
        nowhere = (None,) * world.sites_count
        return Now(world=world, marginal={}, power_usd_per_mwh=nowhere, findings=(told,))
    findings = list(observed.findings)
    marginal: dict[str, MarginalCost] = {}
    try:
        marginal = dict(_marginal(observed, stands))
    except InfeasibleProgram as error:
        findings.append(_infeasible("no dispatch keeps the company's limits in this hour", error))
    power: tuple[float | None, ...] = (None,) * observed.world.sites_count
    try:
        power = _power_usd_per_mwh(opened.company, observed)
    except (InfeasibleProgram, LimitBroken) as error:
        findings.append(_infeasible("what was observed exceeds a limit of the file", error))
    return Now(
        world=observed.world,
        marginal=marginal,
        power_usd_per_mwh=power,
        findings=tuple(findings),
    )


def _marginal(observed: Observed, engines: tuple[Placed, ...]) -> dict[str, MarginalCost]:
    """Return the row of the price board of each engine."""
    world = observed.world
    window = Forecaster(world).window(world.first, 1)
    board = PriceBoard(world, window, begun_awake(world, observed.awake))
    # one row for each route, in the order of the routes: two fleets may have the same SKU
    rows = tuple(board.rows(range(1)))
    return {each.engine.name: rows[each.route] for each in engines if each.route is not None}


def _power_usd_per_mwh(company: Company, observed: Observed) -> tuple[float | None, ...]:
    """Return the bill of each site over its load, as it was observed."""
    world = observed.world
    run = replay(
        world,
        AsObserved(world, serve_mtok=observed.serve_mtok, awake=observed.awake),
        initial=begun_awake(world, observed.awake),
    )
    bills = bill_by_site(company, account(world, run).power_usd)
    load_mwh = run.load_mwh.sum(axis=1)
    return tuple(
        float(bill / load) if load > 0.0 else None
        for bill, load in zip(bills, load_mwh, strict=True)
    )


def _infeasible(what: str, error: Exception) -> Finding:
    return Finding(
        code="OBSERVED_INFEASIBLE",
        path="observe",
        severity="warning",
        reason=f"{what}: {error}",
        remedy="Correct the limits of the file (import_limit_mw, gpu_count, measured replicas)",
    )
