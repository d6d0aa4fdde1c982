"""Why a window with contracts cannot be met, or has no bound, in the user's words."""

from dataclasses import replace

import numpy as np
import pytest
from contract_cases import plant, rate, with_plants
from worlds import battery, plain, take

from tokenergy.dispatch.coarse import coarsened
from tokenergy.dispatch.duals import PriceBoard
from tokenergy.dispatch.explain import (
    infeasible_findings,
    market_findings,
    simultaneous_findings,
    window_warnings,
)
from tokenergy.dispatch.solve import WindowModel, solve_horizon
from tokenergy.dispatch.terms.matching import Matching
from tokenergy.dispatch.terms.periods import Periods
from tokenergy.dispatch.window import true_window
from tokenergy.dispatch.world import State, World
from tokenergy.errors import InfeasibleProgram


def broken(made: World):
    """Return the findings of a world that the program cannot solve."""
    with pytest.raises(InfeasibleProgram):
        solve_horizon(made)
    window = true_window(made, begin=made.first, count=made.count)
    return infeasible_findings(made, window, State.initial(made))


def test_a_plant_that_would_need_more_hours_than_its_permit_has() -> None:
    """8 MW stand, 5 come in: 3 of the plant's 6 MW, half an hour of permit in each of 4 hours."""
    made = plain([[20.0] * 4], [[0.0] * 4], fixed=8.0, import_limit=5.0)
    (finding,) = broken(with_plants(made, plant(made, capacity=6.0, permit=1.5)))
    assert finding.code == "PERMIT_HOURS_EXCEEDED"
    assert (finding.value, finding.limit, finding.unit) == ("2.000", "1.500", "h")
    for word in ("plant gas0", "2026-03-02T00:00Z", "site s0", "2.0 h", "1.5 h"):
        assert word in finding.reason


def test_a_plant_that_commits_uses_whole_hours() -> None:
    made = plain([[20.0] * 4], [[0.0] * 4], fixed=8.0, import_limit=5.0)
    gas = plant(made, capacity=6.0, permit=1.5, least=0.2)
    (finding,) = broken(with_plants(made, gas))
    assert (finding.value, finding.limit) == ("4.000", "1.500")


def test_a_target_that_no_clean_power_meets() -> None:
    """Half of 8 MWh of fixed load; 1 and 0.5 MWh are clean: 2.5 short, worst in the second hour."""
    made = plain([[20.0, 20.0]], [[0.0, 0.0]], fixed=4.0)
    term = Matching(
        contract_id="cfe",
        site=0,
        target_share=0.5,
        premium_usd_per_mwh=5.0,
        shortfall_usd_per_mwh=None,
        planned_usd_per_mwh=None,
        periods=Periods.of_labels(["2026-03"] * 2),
        takes=(),
        clean_mw=np.array([1.0, 0.5]),
        grid_share=np.zeros(2),
    )
    (finding,) = broken(replace(made, terms=(term,)))
    assert finding.code == "CFE_TARGET_UNMET"
    assert (finding.value, finding.limit, finding.unit) == ("4.000", "1.500", "MWh")
    assert "most at 2026-03-02T01:00Z: 4.0 MW of load, 0.5 MW" in finding.reason
    priced = replace(made, terms=(replace(term, shortfall_usd_per_mwh=50.0),))
    assert solve_horizon(priced).value("cfe.matched.short")[0] == pytest.approx(2.5)


def test_an_export_that_earns_more_than_an_import_pays_is_told_before_the_solver() -> None:
    """30 USD for a MWh out, 10 for one in: the same MWh in a circle earns 20."""
    made = plain([[40.0, 40.0]], [[0.0, 0.0]], export_limit=5.0)
    circle = replace(made, rates=(rate(made, 0, 10.0, [-5.0, -30.0]),))
    (finding,) = market_findings(circle)
    assert finding.code == "RESALE_ABOVE_BUY"
    assert (finding.value, finding.limit, finding.unit) == ("30.00", "10.00", "USD/MWh")
    assert "2026-03-02T01:00Z" in finding.reason
    assert "tariff0" in finding.remedy
    one_way = replace(circle, export_limit_mw=0.0 * circle.export_limit_mw)
    assert market_findings(one_way) == ()


def test_a_battery_that_burns_energy_is_a_warning() -> None:
    """At -50 with a spread of 2 every MWh bought earns: charge and discharge share the power."""
    made = plain([[-50.0] * 3], [[0.0] * 3], value=1.0)
    made = replace(made, batteries=(battery(capacity=6.0),), battery_site=(0,))
    optimum = solve_horizon(made)
    found = [each for each in window_warnings(made, optimum) if each.severity == "warning"]
    codes = {each.code for each in found}
    assert "SIMULTANEOUS_CHARGE_DISCHARGE" in codes
    quiet = simultaneous_findings(made, np.array([[2.0]]), np.array([[0.0]]), begin=0)
    assert quiet == ()


def test_a_warning_names_the_moment_on_the_window_s_own_edges() -> None:
    """Six hours as 3 + 1 + 2: power is worth less than nothing in the last, from 04:00 on."""
    made = plain([[30.0] * 4 + [-50.0] * 2], [[0.0] * 6], value=1.0, export_limit=5.0)
    made = replace(made, batteries=(battery(capacity=6.0, wear=1.0),), battery_site=(0,))
    fine = true_window(made, begin=0, count=6)
    window = coarsened(fine, np.array([0, 3, 4, 6]))
    optimum = WindowModel(made, window, State.initial(made)).solved(window)
    (burnt,) = [f for f in window_warnings(made, optimum) if f.code.startswith("SIMULTANEOUS")]
    assert "in 1 intervals, most at 2026-03-02T04:00Z" in burnt.reason


def test_prices_of_a_window_hold_the_plants_as_the_optimum_has_them() -> None:
    """A plant that runs at its least sets no price; the market's 100 does, at both ends."""
    made = plain([[100.0, 30.0]], [[6.0, 6.0]], marginal=1.0, value=500.0, rate=10.0)
    gas = plant(made, capacity=4.0, usd=42.0, least=0.5, start=50.0)
    made = with_plants(made, gas)
    window = true_window(made, begin=0, count=2)
    board = PriceBoard(made, window, State.initial(made))
    assert board.optimum.solution.integer
    ends = board.ends(workload=0, at=0)
    assert ends.high_usd_per_mtok == pytest.approx(100.0)
    assert ends.low_usd_per_mtok == pytest.approx(100.0)


def test_a_contract_behind_the_meter_still_drowns_a_site() -> None:
    made = plain([[20.0]], [[0.0]], fixed=1.0, takes=(take([5.0], behind=True, curtail=False),))
    (finding,) = broken(made)
    assert finding.code == "DELIVERY_EXCEEDS_SINK"
