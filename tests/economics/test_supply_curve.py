"""The merit order against the program: same price, same cost, in a world without state."""

from dataclasses import replace

import numpy as np
import pytest
import worlds as w

from tokenergy.dispatch.duals import PriceBoard
from tokenergy.dispatch.solve import WindowModel
from tokenergy.dispatch.window import true_window
from tokenergy.dispatch.world import State
from tokenergy.economics.supply_curve import supply_curve


def plain(prices, arrivals, *, limits=1e3, leases=(0.0, 0.0, 0.0), value=50.0):
    """Three sites, one workload, one model; nothing couples intervals."""
    sites = len(prices)
    return w.world(
        np.array(prices, float)[:, None],
        np.array([[arrivals]], float),
        routes=tuple(
            w.route(0, s, rate=10.0, marginal=0.01, network=0.01 * s) for s in range(sites)
        ),
        deployments=tuple(w.deployment(s, base_mw=0.1) for s in range(sites)),
        fleets=tuple(w.fleet(s, gpus=10.0, lease=leases[s]) for s in range(sites)),
        workloads=(w.workload(value=value),),
        import_limit=np.array(limits, float).reshape(-1, 1) if np.ndim(limits) else limits,
    )


def test_segments_by_hand() -> None:
    """E = 0.01 + 0.1 / 10 = 0.02 MWh/Mtok, 10 replicas x 10 Mtok/h = 100 Mtok a site.

    Prices 50, 20, 80: 0.02 x 20 + 0.01 = 0.41, 0.02 x 50 = 1.00, 0.02 x 80 + 0.02 = 1.62.
    """
    curve = supply_curve(plain([50, 20, 80], 100), workload=0, at=0)
    assert [s.usd_per_mtok for s in curve] == pytest.approx([0.41, 1.00, 1.62])
    assert [s.cum_mtok for s in curve] == pytest.approx([100, 200, 300])
    assert [s.site for s in curve] == ["s1", "s0", "s2"]


def test_a_tight_connection_shortens_its_segment() -> None:
    """1 MW of import at 0.02 MWh/Mtok is 50 Mtok/h, not 100."""
    curve = supply_curve(plain([50, 20, 80], 100, limits=[1e3, 1.0, 1e3]), workload=0, at=0)
    assert curve[0].capacity_mtok == pytest.approx(50.0)


@pytest.mark.parametrize("seed", range(12))
def test_the_curve_is_the_programs_price_and_its_area_the_programs_cost(seed: int) -> None:
    """Economics sheet, section 3: for one interval without state, price and area agree."""
    rng = np.random.default_rng(seed)
    asked = float(rng.uniform(20, 280))
    world = plain(
        rng.normal(40, 40, 3),
        asked,
        limits=rng.uniform(0.5, 3.0, 3),
        leases=rng.uniform(0, 0.5, 3),
    )
    curve = supply_curve(world, workload=0, at=0)
    state = State.initial(world)
    window = true_window(world, begin=0, count=1)
    optimum = WindowModel(world, window, state).solved(window)
    served = float(optimum.value("serve").sum())
    left, area = served, 0.0
    for segment in curve:
        here = min(left, segment.capacity_mtok)
        area += here * segment.usd_per_mtok
        left -= here
    refused_usd = float(optimum.value("refused").sum()) * 50.0
    assert left == pytest.approx(0.0, abs=1e-6)
    assert area + refused_usd == pytest.approx(optimum.objective_usd, rel=1e-6, abs=1e-6)
    if served < asked - 1e-9:
        return  # the curve has run out: the price is the value of what is refused
    reached = next(s for s in curve if s.cum_mtok >= served - 1e-9)
    ends = PriceBoard(world, window, state).ends(workload=0, at=0)
    assert ends.low_usd_per_mtok - 1e-6 <= reached.usd_per_mtok <= ends.high_usd_per_mtok + 1e-6


@pytest.mark.parametrize("seed", range(24))
def test_contracts_and_two_fleets_stand_on_the_curve_as_in_the_program(seed: int) -> None:
    """What would be curtailed enters at its strike, not at the resale that the export limits."""
    rng = np.random.default_rng(seed)
    asked = float(rng.uniform(20, 350))
    world = replace(
        plain(rng.uniform(20, 80, 3), asked, limits=rng.uniform(1.0, 4.0, 3)),
        export_limit_mw=rng.uniform(0.0, 1.0, (3, 1)),
        fixed_mw=np.full(3, 0.4),
        takes=(
            w.take([float(rng.uniform(0, 3))], behind=True, strike=float(rng.uniform(0, 60))),
            w.take([float(rng.uniform(0, 3))], site=1, strike=float(rng.uniform(10, 60))),
        ),
        blocks=(w.block([1.0], site=2), w.block([0.3], site=1, behind=True)),
    )
    world = replace(
        world,
        fleets=(*world.fleets, replace(w.fleet(0, gpus=6.0), name="f0b")),
        deployments=(*world.deployments, w.deployment(0, fleet=3, base_mw=0.3)),
        routes=(*world.routes, w.route(0, 3, rate=10.0, marginal=0.01)),
    )
    curve = supply_curve(world, workload=0, at=0)
    state, window = State.initial(world), true_window(world, begin=0, count=1)
    idle = true_window(replace(world, arrivals_mtok=np.zeros((1, 1))), begin=0, count=1)
    optimum = WindowModel(world, window, state).solved(window)
    rest_usd = WindowModel(world, idle, state).solved(idle).objective_usd
    served = float(optimum.value("serve").sum())
    left, area = served, 0.0
    for segment in curve:
        here = min(left, segment.capacity_mtok)
        area += here * segment.usd_per_mtok
        left -= here
    assert left == pytest.approx(0.0, abs=1e-6)
    refused_usd = float(optimum.value("refused").sum()) * 50.0
    assert rest_usd + area + refused_usd == pytest.approx(optimum.objective_usd, abs=1e-6)


def test_an_external_api_costs_what_it_charges_and_what_its_quality_loses() -> None:
    """2 USD/Mtok and a tenth of a value of 50: 7 USD/Mtok."""
    own = plain([50, 20, 80], 100)
    world = replace(
        own,
        deployments=(*own.deployments, w.api(limit=40.0)),
        routes=(*own.routes, w.api_route(0, 3, usd_per_mtok=2.0, quality=0.9)),
    )
    last = supply_curve(world, workload=0, at=0)[-1]
    assert (last.label, last.usd_per_mtok) == ("api", pytest.approx(7.0))
