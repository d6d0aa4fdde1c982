"""`survives: any_one_site`: premiums by hand, what cannot be had, and an exhaustive oracle."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import linprog
from worlds import api, api_route, deployment, fleet, random_case, route, workload, world

from tokenergy.dispatch.solve import WindowModel
from tokenergy.dispatch.survival import survival_premium, with_survival
from tokenergy.dispatch.window import true_window
from tokenergy.dispatch.world import State


def two_sites(*, wake_h, gpus=(100.0, 100.0), asked=50.0, limit=1e3, hours=3):
    """Power at 10 and 100 USD/MWh; a replica draws 0.1 MW awake and makes 10 Mtok/h."""
    return world(
        np.array([[10.0], [100.0]]) + np.zeros((2, hours)),
        np.full((1, hours), asked),
        routes=(route(0, 0, marginal=0.0), route(0, 1, marginal=0.0)),
        deployments=tuple(deployment(s, base_mw=0.1, wake_h=wake_h) for s in range(2)),
        fleets=tuple(fleet(s, gpus=gpus[s]) for s in range(2)),
        workloads=(workload(),),
        import_limit=np.broadcast_to(np.asarray(limit, float), (2,))[:, None],
    )


def warm(made):
    """Everybody awake at the start, so that the first hour wakes nobody."""
    start = State.initial(made)
    return replace(start, awake=np.array([fleet.gpus_count for fleet in made.fleets]))


def premium_of(made, workloads=(0,)):
    window = true_window(made, begin=0, count=made.count)
    return survival_premium(made, window, warm(made), workloads=workloads)


def test_replicas_that_wake_at_once_cost_nothing():
    found = premium_of(two_sites(wake_h=0.0))
    assert found.premium_usd == pytest.approx(0.0, abs=1e-9)
    assert not found.findings


def test_replicas_that_take_the_hour_to_wake_have_to_be_held_awake():
    """5 replicas at the cheap site serve; 5 at the dear one stay awake for 3 h x 0.1 MW x 100 USD.

    5 x 0.1 x 100 x 3 = 150 USD; the cheap site's own 5 work anyway.
    """
    found = premium_of(two_sites(wake_h=1.0))
    assert found.premium_usd == pytest.approx(150.0)
    assert found.without_usd == pytest.approx(5 * 0.1 * 10.0 * 3)
    assert "costs 150.00 USD over 3 h" in found.sentence()


def test_half_an_hour_to_wake_doubles_the_replicas_it_takes():
    """Woken replicas serve half of the hour: ten would do; with eight, some have to be held.

    10 a + 5 (8 - a) = 50 gives a = 2: 2 x 0.1 x 100 x 3 = 60 USD; they work meanwhile, so that two
    at the cheap site sleep: 6 USD less.
    """
    assert premium_of(two_sites(wake_h=0.5, gpus=(100.0, 10.0))).premium_usd == pytest.approx(
        0.0, abs=1e-9
    )
    assert premium_of(two_sites(wake_h=0.5, gpus=(100.0, 8.0))).premium_usd == pytest.approx(54.0)


@pytest.mark.parametrize(
    ("changes", "most"),
    [({"gpus": (100.0, 3.0)}, 30.0), ({"limit": [1e3, 0.2]}, 20.0)],
    ids=["GPUs", "megawatts"],
)
def test_what_cannot_be_had_names_site_tier_need_and_limit(changes, most):
    found = premium_of(two_sites(wake_h=0.0, **changes))
    (finding,) = found.findings
    assert finding.code == "SURVIVAL_IMPOSSIBLE" and finding.severity == "warning"
    assert (float(finding.value), float(finding.limit)) == pytest.approx((50.0, most))
    assert finding.path == "tiers[0].survives" and finding.unit == "Mtok/h"
    assert "with site s0 dark at 2026-03-02T00:00Z tier tier0 needs 50" in finding.reason
    assert "in 3 of 3 h" in finding.reason
    assert found.sentence().endswith("cannot be kept in full.")


def test_work_of_others_makes_way():
    """The dear site is full of work worth little: that is refused when the other goes dark."""
    made = two_sites(wake_h=1.0, gpus=(5.0, 5.0))
    loads = (*made.workloads, workload("free", value=20.0, tier_index=1, must_serve=False))
    both = replace(
        made,
        workloads=loads,
        routes=(*made.routes, route(1, 1, marginal=0.0)),
        arrivals_mtok=np.vstack([made.arrivals_mtok, np.full((1, 3), 50.0)]),
        floor_share=(0.0, 0.0),
    )
    found = premium_of(both)
    assert found.premium_usd == pytest.approx(0.0, abs=1e-9) and not found.findings


def test_an_api_survives_every_site():
    made = two_sites(wake_h=0.0, gpus=(100.0, 3.0))
    bought = replace(
        made,
        deployments=(*made.deployments, api(limit=15.0)),
        routes=(*made.routes, api_route(0, 2, usd_per_mtok=30.0)),
    )
    (finding,) = premium_of(bought).findings
    assert float(finding.limit) == pytest.approx(45.0)


def test_nothing_promised_is_no_term():
    made = two_sites(wake_h=0.0)
    assert with_survival(made, ()) is made
    assert premium_of(made, ()) is None


@pytest.mark.parametrize("seed", range(8))
def test_every_case_can_be_dispatched_from_what_is_awake(seed):
    """Oracle: of the optimum's awake replicas alone, each dark site's program is solved by itself.

    A small program of one interval, laid out here from the promise's words, covers all of it but
    what the term says is short.
    """
    made = random_case(seed, hours=4)[0]
    made = replace(made, floor_share=(0.0, 0.0, 0.0))
    kept = with_survival(made, (0,))
    window, state = true_window(kept, begin=0, count=4), State.initial(kept)
    optimum = WindowModel(kept, window, state).solved(window)
    short = optimum.value("survival.short").reshape(4, -1)
    dark = sorted({d.site for d in made.deployments if not d.external})
    for at in range(4):
        for case, site in enumerate(dark):
            most = _most_covered(made, at, site, optimum.value("awake", at))
            asked = made.arrivals_mtok[0, at]
            assert short[at, case] == pytest.approx(max(0.0, asked - most), abs=1e-5)


def _most_covered(made, at, dark, awake):
    """Return the most Mtok of workload 0 that the other sites can serve in an interval."""
    own = [d for d in made.deployments if not d.external]
    routes = [
        r for r in made.routes
        if r.workload == 0 and made.deployments[r.deployment].site != dark
    ]  # fmt: skip
    n, m = len(routes), len(own)
    size = n + 2 * m  # cover, kept, woken
    rows, limits = [], []
    for d, target in enumerate(own):
        row = np.zeros(size)
        for c, r in enumerate(routes):
            row[c] = (r.deployment == d) / r.rate_mtok_per_h
        row[n + d], row[n + m + d] = -1.0, -(1.0 - min(1.0, target.wake_h))
        rows.append(row)
        limits.append(0.0)
    for f, held in enumerate(made.fleets):
        row = np.zeros(size)
        for d, target in enumerate(own):
            row[n + d] = row[n + m + d] = target.gpus_count * (target.fleet == f)
        rows.append(row)
        limits.append(held.gpus_count)
    blocks = made.block_delivery_mw(behind_the_meter=True)
    for site in range(made.sites_count):
        row = np.zeros(size)
        for c, r in enumerate(routes):
            if made.deployments[r.deployment].site == site:
                row[c] = r.marginal_mwh_per_mtok
        standing = made.fixed_mw[site]
        for d, target in enumerate(own):
            if target.site == site:
                sleep = made.fleets[target.fleet].sleep_mw_per_gpu * target.gpus_count
                row[n + d] = target.base_mw - sleep
                row[n + m + d] = target.base_mw - sleep + target.wake_mwh
        standing += sum(f.sleep_mw_per_gpu * f.gpus_count for f in made.fleets if f.site == site)
        rows.append(made.pue[site, at] * row)
        room = made.import_limit_mw[site, at] + blocks[site, at]
        limits.append(max(0.0, room - made.pue[site, at] * standing))
    for d in range(m, len(made.deployments)):
        row = np.zeros(size)
        row[:n] = [float(r.deployment == d) for r in routes]
        rows.append(row)
        limits.append(made.deployments[d].limit_mtok_per_h)
    dark_own = np.array([target.site == dark for target in own])
    bounds = [(0, None)] * n
    bounds += [(0, 0 if gone else most) for gone, most in zip(dark_own, awake, strict=True)]
    bounds += [(0, 0 if gone else None) for gone in dark_own]
    cost = np.concatenate([-np.ones(n), np.zeros(2 * m)])
    return -linprog(cost, A_ub=np.array(rows), b_ub=limits, bounds=bounds).fun
