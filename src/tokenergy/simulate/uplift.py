"""What prices at the margin leave unpaid of a replica that runs whole: the uplift of a market.

In unit commitment a unit that runs is made whole where the price of energy does not cover its
start and its no-load cost (O'Neill et al. 2005, Efficient market-clearing prices in markets with
nonconvexities). Here, for deployment d of the company's own and interval t in which it serves:

    cost[d,t] = p pue ((base - sleep gpus) on + wake_mwh wake + sum_w marginal serve)
                + lease awake + sum_w (network + lost quality) serve
    uplift    = sum_d sum_t max(0, cost[d,t] - sum_w price[w,t] serve[w,d,t])

p is what a MWh more costs at the site's meter: the purchase price where the site buys, the resale
price where it sells, with what contracts charge on each MWh; price[w,t] what one Mtok more costs,
as the policy saw it then. Both are at the margin: rents of the price count for it, average cost
does not.
"""

import numpy as np

from tokenergy.dispatch.columns import serve_usd_per_mtok
from tokenergy.dispatch.world import FloatArray, World
from tokenergy.simulate.account import lease_usd_per_replica
from tokenergy.simulate.run import Run, sum_rows

LEAST_MTOK = 1e-9
"""Work below this is rounding: its deployment is not in use."""


def uplift_usd(world: World, run: Run) -> float | None:
    """Return what the price of a token fails to recover over a run, USD.

    None where the policy prices nothing: then there is nothing to recover it from.
    """
    if run.asked_usd_per_mtok is None:
        return None
    at = [route.deployment for route in world.routes]
    loads = [route.workload for route in world.routes]
    deployments_count = len(world.deployments)
    earned = sum_rows(run.asked_usd_per_mtok[loads] * run.serve_mtok, at, deployments_count)
    used = sum_rows(run.serve_mtok, at, deployments_count) > LEAST_MTOK
    used &= np.array([not d.external for d in world.deployments], dtype=bool)[:, None]
    unpaid = np.where(used, _running_usd(world, run) - earned, 0.0)
    return float(np.maximum(0.0, unpaid).sum())


def marginal_usd_per_mwh(world: World, run: Run) -> FloatArray:
    """Return what a MWh more costs at each meter, by the side of the market it is on [S, T]."""
    span = slice(world.first, world.last)
    spot = world.spot_usd_per_mwh[:, span]
    sells = run.sold_mwh > 0.0
    price = np.where(sells, world.sell_usd_per_mwh(spot, span), world.buy_usd_per_mwh(spot, span))
    for rate in world.rates:
        sends = run.export_mwh[rate.site] > 0.0
        drawn, sent = rate.import_usd_per_mwh[span], rate.export_usd_per_mwh[span]
        price[rate.site] += np.where(sends, -sent, drawn)
    return np.asarray(price)


def _running_usd(world: World, run: Run) -> FloatArray:
    """Return what each deployment's replicas and work cost above sleep [D, T]."""
    made = world.deployments
    sites = [max(0, d.site) for d in made]
    at = [route.deployment for route in world.routes]
    sleep = [0.0 if d.external else world.fleets[d.fleet].sleep_mw_per_gpu for d in made]
    asleep_mwh = np.array([mw * d.gpus_count for mw, d in zip(sleep, made, strict=True)])
    on, _ = run.drawing(world)
    pue = world.pue[sites, world.first : world.last]
    spared_mwh = asleep_mwh[:, None] * world.step_h * on * pue
    tokens_mwh = sum_rows(run.token_mwh(world), at, len(made))
    energy = run.replica_mwh(world) - spared_mwh + tokens_mwh
    paid = serve_usd_per_mtok(world)[:, None] * run.serve_mtok
    lease = lease_usd_per_replica(world)[:, None] * run.awake
    return np.asarray(
        marginal_usd_per_mwh(world, run)[sites] * energy + lease + sum_rows(paid, at, len(made))
    )
