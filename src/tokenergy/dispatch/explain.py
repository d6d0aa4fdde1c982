"""Why a window cannot be met, or not in full, in the words of the company file."""

from collections.abc import Iterator

import numpy as np

from tokenergy.company.finding import Finding
from tokenergy.dispatch.solve import Optimum, WindowModel
from tokenergy.dispatch.terms.shortfall import shortfall_findings, told
from tokenergy.dispatch.window import Window
from tokenergy.dispatch.world import FloatArray, IntArray, State, World

REFUSED_MTOK = 1e-6
POWER_MW = 1e-6
RENT_USD = 1e-6
"""A limit with a smaller rent, per MWh, GPU or Mtok, stands in nobody's way."""
CIRCLE_USD_PER_MWH = 1e-9
"""A gain that is rounding."""


def market_findings(world: World) -> tuple[Finding, ...]:
    """Return the sites where a MWh could be bought and sold at a gain without limit.

    Resale must not earn more than a purchase costs, in any interval, or the program has no
    bound (contracts sheet, section 2). It happens at very negative prices with losses, and where
    a supply tariff pays more for what is fed in than it charges. Nor may the meter pay more for
    an exported MWh than for an imported one is charged: a MWh in a circle would earn.
    """
    buy = world.buy_usd_per_mwh(world.spot_usd_per_mwh)
    sell = world.sell_usd_per_mwh(world.spot_usd_per_mwh)
    charged, earned = np.zeros_like(buy), np.zeros_like(buy)
    for rate in world.rates:
        charged[rate.site] += rate.import_usd_per_mwh
        earned[rate.site] -= rate.export_usd_per_mwh
    both_ways = np.minimum(world.import_limit_mw, world.export_limit_mw) > 0.0
    earned = np.where(both_ways, earned, charged)
    findings = []
    for site in range(world.sites_count):
        if np.any(sell[site] > buy[site] + CIRCLE_USD_PER_MWH):
            findings.append(_resale_finding(world, site, sell[site], buy[site]))
        elif np.any(earned[site] > charged[site] + CIRCLE_USD_PER_MWH):
            findings.append(_circle_finding(world, site, earned[site], charged[site]))
    return tuple(findings)


def _resale_finding(world: World, site: int, sell: FloatArray, buy: FloatArray) -> Finding:
    above = (sell > buy + CIRCLE_USD_PER_MWH).nonzero()[0]
    at = int(above[0])
    return Finding(
        code="RESALE_ABOVE_BUY",
        path=f"sites[{site}].market.price",
        value=f"{sell[at]:.2f}",
        limit=f"{buy[at]:.2f}",
        unit="USD/MWh",
        reason=(
            f"in {above.size} intervals, the first at {told(world.moment(at))}, site "
            f"{world.site_names[site]} would earn more by selling a MWh than buying it costs"
        ),
        remedy="Raise resale_spread_usd_per_mwh or the adder, or lower loss_share; of a supply "
        "tariff, lower export_usd_per_mwh",
    )


def _circle_finding(world: World, site: int, earned: FloatArray, charged: FloatArray) -> Finding:
    above = (earned > charged + CIRCLE_USD_PER_MWH).nonzero()[0]
    at = int(above[0])
    rates = [rate for rate in world.rates if rate.site == site]
    best = min(rates, key=lambda rate: float(rate.export_usd_per_mwh[at]))
    return Finding(
        code="RESALE_ABOVE_BUY",
        path=f"sites[{site}]",
        value=f"{earned[at]:.2f}",
        limit=f"{charged[at]:.2f}",
        unit="USD/MWh",
        reason=(
            f"in {above.size} intervals, the first at {told(world.moment(at))}, the "
            f"meter of site {world.site_names[site]} pays {earned[at]:.2f} USD for a MWh exported "
            f"and charges {charged[at]:.2f} USD for one imported: the same MWh in a circle earns"
        ),
        remedy=f"Lower export_usd_per_mwh of {best.contract_id}",
    )


def infeasible_findings(world: World, window: Window, state: State) -> tuple[Finding, ...]:
    """Return where power is missing or in excess whatever the dispatch does, a site at most once.

    Only fixed load, sleeping GPUs and deliveries that may not be curtailed can do that: work
    itself can always be refused (dispatch sheet, section 3). Then what terms of contracts lack:
    clean power for a target, hours of a permit.
    """
    model = WindowModel(world, window, state, elastic=True)
    optimum = model.solved(window)
    findings = [
        finding
        for term, added in model.terms.items()
        for finding in shortfall_findings(world, term, added, optimum)
    ]
    for block, code in (("missing", "FIXED_LOAD_UNSERVED"), ("excess", "DELIVERY_EXCEEDS_SINK")):
        power_mw = optimum.value(block) / window.lengths_h[:, None]
        for site in power_mw.max(axis=0, initial=0.0).nonzero()[0]:
            at = int(power_mw[:, site].argmax())
            if power_mw[at, site] > POWER_MW:
                findings.append(
                    _power_finding(world, window, code, int(site), at, float(power_mw[at, site]))
                )
    return tuple(findings)


def _power_finding(
    world: World, window: Window, code: str, site: int, at: int, power_mw: float
) -> Finding:
    name = world.site_names[site]
    when = told(world.moment(int(window.edges[at])))
    path = f"sites[{site}]"
    if code == "FIXED_LOAD_UNSERVED":
        limit_mw = float(window.import_limit_mw[site, at])
        return Finding(
            code=code,
            path=f"{path}.import_limit_mw",
            value=f"{limit_mw + power_mw:.3f}",
            limit=f"{limit_mw:.3f}",
            unit="MW",
            reason=(
                f"site {name} needs {limit_mw + power_mw:.1f} MW at {when} for its fixed load and "
                f"its sleeping GPUs alone; its import limit is {limit_mw:.1f} MW"
            ),
            remedy="Raise import_limit_mw, lower fixed_load_mw, set energised_on earlier, or state "
            "delivered_on of its fleets",
        )
    sink_mw = float(window.export_limit_mw[site, at])
    return Finding(
        code=code,
        path=path,
        value=f"{power_mw:.3f}",
        limit=f"{sink_mw:.3f}",
        unit="MW",
        reason=(
            f"site {name} has {power_mw:.1f} MW too much behind its meter at {when}: it may "
            f"export {sink_mw:.1f} MW and its contracts do not allow curtailment"
        ),
        remedy="Raise export_limit_mw, allow may_curtail, or deliver over the grid",
    )


def simultaneous_findings(
    world: World, charge_mwh: FloatArray, discharge_mwh: FloatArray, *, begin: int
) -> tuple[Finding, ...]:
    """Return a warning for each battery that charges and discharges at once.

    It burns energy where a MWh is worth less than nothing; that it is one or the other would need
    whole numbers (contracts sheet, section 4).

    Args:
        world: the company as arrays.
        charge_mwh: by battery and interval of the world [B, n].
        discharge_mwh: likewise.
        begin: index of the first interval.
    """
    edges = np.arange(begin, begin + charge_mwh.shape[1] + 1)
    return tuple(_simultaneous(world, charge_mwh, discharge_mwh, edges))


def _simultaneous(
    world: World, charge_mwh: FloatArray, discharge_mwh: FloatArray, edges: IntArray
) -> Iterator[Finding]:
    """Yield the same of intervals between `edges`, as a window has them [n + 1]."""
    least_mwh = POWER_MW * world.step_h * np.diff(edges)
    both_mwh = np.minimum(charge_mwh, discharge_mwh)
    for battery, spec in enumerate(world.batteries):
        hits = (both_mwh[battery] > least_mwh).nonzero()[0]
        if not hits.size:
            continue
        worst = int(both_mwh[battery].argmax())
        when = told(world.moment(int(edges[worst])))
        yield Finding(
            code="SIMULTANEOUS_CHARGE_DISCHARGE",
            path=f"batteries[{battery}]",
            value=f"{both_mwh[battery, worst]:.3f}",
            limit="0",
            unit="MWh",
            severity="warning",
            reason=(
                f"battery {spec.name} charges and discharges at once in {hits.size} intervals, "
                f"most at {when}: {both_mwh[battery, worst]:.1f} MWh; it burns energy where "
                "a MWh is worth less than nothing"
            ),
            remedy="Let contracts curtail, raise export_limit_mw, or state "
            "cycle_usd_per_mwh_discharged",
        )


def refused_findings(world: World, optimum: Optimum) -> tuple[Finding, ...]:
    """Return must-serve work that the optimum refuses, with the limit that stands in the way."""
    return tuple(_refused(world, optimum))


def window_warnings(world: World, optimum: Optimum) -> tuple[Finding, ...]:
    """Return what a solved window does that its user should know: refused work, burnt energy."""
    charge, discharge = optimum.value("charge").T, optimum.value("discharge").T
    burnt = _simultaneous(world, charge, discharge, optimum.window.edges)
    return (*refused_findings(world, optimum), *burnt)


def _refused(world: World, optimum: Optimum) -> Iterator[Finding]:
    refused_mtok = optimum.value("refused")
    for workload, spec in enumerate(world.workloads):
        worst = int(refused_mtok[:, workload].argmax())
        amount_mtok = float(refused_mtok[worst, workload])
        if not spec.must_serve or amount_mtok <= REFUSED_MTOK:
            continue
        mine = [i for i, r in enumerate(world.routes) if r.workload == workload]
        served_mtok = float(optimum.value("serve")[worst, mine].sum())
        asked_mtok = served_mtok + amount_mtok  # of work that may wait, what does not wait on
        when = told(world.moment(int(optimum.window.edges[worst])))
        yield Finding(
            code="MUST_SERVE_REFUSED",
            path=f"workloads[{workload}]",
            value=f"{amount_mtok:.3f}",
            limit=f"{served_mtok:.3f}",
            unit="Mtok",
            severity="warning",
            reason=(
                f"{amount_mtok:.1f} of {asked_mtok:.1f} Mtok of {spec.name} at {when} cannot be "
                f"served: {_obstacle(world, optimum, workload, worst, amount_mtok)}"
            ),
            remedy="Add GPUs or megawatts there, widen the latency limit, or lower the demand",
        )


def _obstacle(world: World, optimum: Optimum, workload: int, at: int, amount_mtok: float) -> str:
    """Say what the place that could do it most easily lacks."""
    mine = [r for r in world.routes if r.workload == workload]
    own = [r for r in mine if not world.deployments[r.deployment].external]
    if not mine:
        return "no deployment is within its latency"
    value = world.workloads[workload].value_usd_per_mtok
    priced = f"it is worth {value:.2f} USD/Mtok, less than serving it would cost"
    if not own:
        full = bool(np.any(optimum.dual("api")[at] < -RENT_USD))
        return "its external APIs are at their rate limits" if full else priced
    best = min(own, key=lambda r: r.marginal_mwh_per_mtok)
    deployment = world.deployments[best.deployment]
    site, fleet = deployment.site, world.fleets[deployment.fleet]
    step_h = float(optimum.window.lengths_h[at])
    replicas = amount_mtok / (best.rate_mtok_per_h * step_h)
    if -optimum.reduced("meter_import")[at, site] > RENT_USD:
        extra_mw = float(optimum.window.pue[site, at]) * (
            best.marginal_mwh_per_mtok * amount_mtok / step_h + replicas * deployment.base_mw
        )
        limit_mw = float(optimum.window.import_limit_mw[site, at])
        return (
            f"site {world.site_names[site]} would need {limit_mw + extra_mw:.1f} MW; its import "
            f"limit is {limit_mw:.1f} MW"
        )
    # A rent, not a count: empty replicas may be awake where that costs nothing.
    if -optimum.dual("fleet")[at, deployment.fleet] <= RENT_USD:
        return priced
    gpus = float(np.ceil(fleet.gpus_count + replicas * deployment.gpus_count))
    return (
        f"site {world.site_names[site]} would need {gpus:,.0f} {fleet.accelerator}; fleet "
        f"{fleet.name} has {fleet.gpus_count:,.0f}"
    )
