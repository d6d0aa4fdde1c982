"""The cost of load at a site: by hand, and against the cheapest of all choices."""

from dataclasses import replace

import numpy as np
import pytest
from action_check import wild_world
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from tokenergy.dispatch.energy_cost import EnergyCosts
from tokenergy.dispatch.world import FixedBlock, Take, World


def test_a_curve_by_hand() -> None:
    """Buy 50, resale 48, 2 MW in and 1 MW out, a block of 0.5 MW over the grid.

    Behind the meter 1 MW at 20 and 1 MW at 49 may be had. From full export (least load -1):
    1 MW of the contract at 20; 1.5 MW of sales given up at 48; 1 MW at 49; 1.5 MW at 50.
    """
    made = _one_site(
        takes=[(True, 1.0, 20.0), (True, 1.0, 49.0)], block_mw=0.5, export_mw=1.0, import_mw=2.0
    )
    curve = EnergyCosts(made).curve(0, 0)
    assert curve.least_mw == -1.0
    assert curve.slopes_usd_per_mwh == (20.0, 48.0, 49.0, 50.0)
    assert curve.ends_mw == pytest.approx((0.0, 1.5, 2.5, 4.0))
    assert curve.usd_per_h(2.0) == pytest.approx(20.0 + 1.5 * 48.0 + 0.5 * 49.0)
    assert curve.takes_mw(2.0) == [(0, 1.0), (1, pytest.approx(0.5))]
    assert curve.flow_mw(2.0) == pytest.approx(0.5)
    assert curve.position_mw(2.0) == pytest.approx(0.0)


def test_resale_never_pays_more_than_buying_costs() -> None:
    """At -100 USD/MWh losses of 5 % make buying pay 105 and selling cost 102: one price holds."""
    made = replace(
        _one_site(), loss_share=np.array([0.05]), spot_usd_per_mwh=np.full((1, 1), -100.0)
    )
    costs = EnergyCosts(made)
    assert costs.sell_usd_per_mwh[0, 0] == costs.buy_usd_per_mwh[0, 0] == pytest.approx(-105.0)


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_curve_is_the_cheapest_way_to_carry_its_load(seed: int) -> None:
    """Cost differences along the curve equal a small program's; its choices keep the balance."""
    rng = np.random.default_rng(seed)
    takes = [
        (
            bool(rng.uniform() < 0.5),
            float(rng.uniform(0, 2)),
            float(rng.choice([0, 48, 49, 50, 60])),
        )
        for _ in range(int(rng.integers(0, 4)))
    ]
    made = _one_site(
        takes=takes,
        block_mw=float(rng.uniform(0, 3)),
        export_mw=float(rng.choice([0.0, 1.5])),
        import_mw=float(rng.uniform(0.5, 4)),
    )
    curve = EnergyCosts(made).curve(0, 0)
    loads = np.linspace(curve.least_mw, curve.most_mw, 9)
    base = _cheapest_usd(made, loads[0])
    for load_mw in loads:
        assert _cheapest_usd(made, load_mw) - base == pytest.approx(
            curve.usd_per_h(load_mw), abs=1e-6
        )
        taken = curve.takes_mw(load_mw)
        behind = sum(mw for at, mw in taken if made.takes[at].behind_the_meter)
        over_grid = sum(mw for at, mw in taken if not made.takes[at].behind_the_meter)
        assert curve.flow_mw(load_mw) + behind == pytest.approx(load_mw, abs=1e-9)
        block_mw = made.blocks[0].delivery_mw[0]
        assert curve.position_mw(load_mw) == pytest.approx(
            curve.flow_mw(load_mw) - block_mw - over_grid, abs=1e-9
        )


def _one_site(*, takes=(), block_mw=0.0, export_mw=0.0, import_mw=5.0) -> World:
    return replace(
        wild_world(0, hours=3, sites=1),
        spot_usd_per_mwh=np.full((1, 1), 50.0),
        import_limit_mw=np.full((1, 1), import_mw),
        export_limit_mw=np.full((1, 1), export_mw),
        pue=np.ones((1, 1)),
        takes=tuple(
            Take(
                contract_id=f"ppa{at}",
                site=0,
                behind_the_meter=behind,
                available_mw=np.array([size_mw]),
                floor_mw=np.zeros(1),
                take_usd_per_mwh=np.array([cost]),
                sunk_usd_per_h=np.zeros(1),
            )
            for at, (behind, size_mw, cost) in enumerate(takes)
        ),
        blocks=(
            FixedBlock(
                contract_id="block",
                site=0,
                behind_the_meter=False,
                delivery_mw=np.array([block_mw]),
                strike_usd_per_mwh=np.array([40.0]),
            ),
        ),
    )


def _cheapest_usd(made: World, load_mw: float) -> float:
    """Columns: import, export, buy, sell, takes."""
    costs = [0.0, 0.0, 50.0, -48.0] + [float(t.take_usd_per_mwh[0]) for t in made.takes]
    behind = [1.0 if t.behind_the_meter else 0.0 for t in made.takes]
    answer = linprog(
        costs,
        A_eq=[[1, -1, 0, 0, *behind], [-1, 1, 1, -1, *[1.0 - part for part in behind]]],
        b_eq=[load_mw, -float(made.blocks[0].delivery_mw[0])],
        bounds=[
            (0, float(made.import_limit_mw[0, 0])),
            (0, float(made.export_limit_mw[0, 0])),
            (0, None),
            (0, None),
            *[(0, float(t.available_mw[0])) for t in made.takes],
        ],
    )
    return float(answer.fun)
