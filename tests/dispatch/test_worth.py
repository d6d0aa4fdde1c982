"""What half and double a tier's value would change, in a case where it changes everything."""

import numpy as np
import pytest
import worlds as w

from tokenergy.dispatch.solve import WindowModel
from tokenergy.dispatch.window import true_window
from tokenergy.dispatch.world import State
from tokenergy.dispatch.worth import value_changes


def test_half_the_value_refuses_what_costs_more_than_that() -> None:
    """E = 0.02 MWh/Mtok at 100 USD/MWh costs 2.00 USD/Mtok.

    `chat` is worth 3: at 1.50 its 10 Mtok an hour are refused, at 6 served as before. `free` is
    worth 1.50: refused as it is and at 0.75, served at 3.
    """
    made = w.world(
        np.full((1, 2), 100.0),
        np.full((2, 2), 10.0),
        routes=(w.route(0, 0, rate=10.0, marginal=0.01), w.route(1, 0, rate=10.0, marginal=0.01)),
        deployments=(w.deployment(0, base_mw=0.1),),
        fleets=(w.fleet(0),),
        workloads=(w.workload("chat", value=3.0), w.workload("free", value=1.5, tier_index=1)),
        floors=(0.0, 0.0),
    )
    window, state = true_window(made, begin=0, count=2), State.initial(made)
    optimum = WindowModel(made, window, state).solved(window)
    told: list[tuple[int, int]] = []
    found = {
        (change.tier, change.factor_ratio): change
        for change in value_changes(made, window, state, optimum, lambda *at: told.append(at))
    }
    refused = {key: change.refused_mtok for key, change in found.items()}
    assert refused == pytest.approx(
        {("tier0", 0.5): 20.0, ("tier0", 2.0): 0.0, ("tier1", 0.5): 20.0, ("tier1", 2.0): 0.0}
    )
    assert found["tier0", 0.5].own_refused_mtok == pytest.approx(0.0)
    assert found["tier1", 2.0].own_refused_mtok == pytest.approx(20.0)
    assert found["tier1", 2.0].served_mtok == pytest.approx(20.0)
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
