"""Why a window cannot be met, in the user's words."""

from dataclasses import replace

import numpy as np
import pytest
from worlds import (
    api,
    api_route,
    battery,
    block,
    deployment,
    fleet,
    plain,
    random_case,
    route,
    take,
    workload,
    world,
)

from tokenergy.company.finding import Finding
from tokenergy.dispatch.explain import infeasible_findings, market_findings, refused_findings
from tokenergy.dispatch.solve import solve_horizon
from tokenergy.dispatch.window import true_window
from tokenergy.dispatch.world import State, World
from tokenergy.errors import InfeasibleProgram, UnboundedProgram


def broken(made: World) -> tuple[Finding, ...]:
    """Return the findings of a world that the program cannot solve."""
    with pytest.raises(InfeasibleProgram):
        solve_horizon(made)
    window = true_window(made, begin=made.first, count=made.count)
    return infeasible_findings(made, window, State.initial(made))


def refused(made: World) -> tuple[Finding, ...]:
    return refused_findings(made, solve_horizon(made))


def test_a_fixed_load_above_the_import_limit():
    """4 MW of fixed load at PUE 1.25 are 5 MW at the meter; 3.5 come in, in the second hour."""
    made = plain([[20.0, 20.0]], np.zeros((1, 2)), fixed=4.0, pue=1.25, import_limit=[[9.0, 3.5]])
    (finding,) = broken(made)
    assert finding.code == "FIXED_LOAD_UNSERVED"
    assert finding.severity == "error"
    assert finding.path == "sites[0].import_limit_mw"
    assert (finding.value, finding.limit, finding.unit) == ("5.000", "3.500", "MW")
    assert finding.reason == (
        "site s0 needs 5.0 MW at 2026-03-02T01:00Z for its fixed load and its sleeping GPUs "
        "alone; its import limit is 3.5 MW"
    )
    assert "import_limit_mw" in finding.remedy


def test_sleeping_gpus_count_as_fixed_load():
    """1000 GPUs asleep at 0.002 MW are 2 MW, behind a connection of 1.5 MW."""
    made = plain([[20.0]], [[0.0]], import_limit=1.5, base_mw=0.01)
    made = replace(made, fleets=(fleet(0, gpus=1000.0, sleep_mw=0.002),))
    (finding,) = broken(made)
    assert "needs 2.0 MW" in finding.reason


def test_power_that_nobody_may_refuse():
    """5 MW behind the meter, 1 MW of load, 1.5 MW of export: 2.5 MW too much."""
    contract = take([5.0], behind=True, curtail=False)
    made = plain([[20.0]], [[0.0]], fixed=1.0, export_limit=1.5, takes=(contract,))
    (finding,) = broken(made)
    assert finding.code == "DELIVERY_EXCEEDS_SINK"
    assert finding.reason == (
        "site s0 has 2.5 MW too much behind its meter at 2026-03-02T00:00Z: it may export "
        "1.5 MW and its contracts do not allow curtailment"
    )


def test_each_site_is_named_once_and_every_fault_is_told():
    """Site 0 lacks power in two hours (worst the first), site 1 drowns in a block."""
    made = plain(
        [[20.0, 20.0], [20.0, 20.0]],
        np.zeros((1, 2)),
        fixed=3.0,
        import_limit=[[1.0, 2.0], [9.0, 9.0]],
    )
    made = replace(made, blocks=(block([8.0, 0.0], site=1, behind=True),))
    findings = broken(made)
    assert [(f.code, f.path) for f in findings] == [
        ("FIXED_LOAD_UNSERVED", "sites[0].import_limit_mw"),
        ("DELIVERY_EXCEEDS_SINK", "sites[1]"),
    ]
    assert "needs 3.0 MW at 2026-03-02T00:00Z" in findings[0].reason


def test_a_battery_may_save_what_the_limit_cannot():
    """3 MW of load on 2 MW of import: an hour from a battery is fine, two are not."""
    store = battery(power=5.0, capacity=2.2, efficiency=1.0)  # half full: 1.1 MWh
    bare = plain([[20.0]], [[0.0]], fixed=3.0, import_limit=2.0)
    made = replace(bare, batteries=(store,), battery_site=(0,))
    assert solve_horizon(made).objective_usd == pytest.approx(2.0 * 20.0 - 0.1 * 20.0)
    assert len(broken(bare)) == 1


@pytest.mark.parametrize("seed", range(4))
def test_a_sound_window_has_no_findings(seed):
    made, state = random_case(seed, hours=5)
    assert infeasible_findings(made, true_window(made, begin=0, count=5), state) == ()


# ---- must-serve work that is refused -----------------------------------------------------


def test_refused_for_want_of_megawatts():
    """60 Mtok of 0.1 MWh are 6 MW at PUE 1; 4 MW come in and carry 40: 20 Mtok need 2 MW more."""
    made = plain([[20.0]], [[60.0]], import_limit=4.0)
    (finding,) = refused(made)
    assert (finding.code, finding.severity) == ("MUST_SERVE_REFUSED", "warning")
    assert finding.path == "workloads[0]"
    assert (finding.value, finding.limit, finding.unit) == ("20.000", "40.000", "Mtok")
    assert finding.reason == (
        "20.0 of 60.0 Mtok of chat at 2026-03-02T00:00Z cannot be served: site s0 would need "
        "6.0 MW; its import limit is 4.0 MW"
    )


def test_the_megawatts_it_would_need_hold_the_replicas_and_pue():
    """Base 0.5 MW for 10 Mtok/h, slope 0.1, PUE 1.2, half hours.

    10 Mtok more need 2 replicas and 10 x 0.1 / 0.5 = 2 MW of work: 1.2 x (1 + 2) = 3.6 MW above
    the limit.
    """
    made = plain([[20.0]], [[10.0]], base_mw=0.5, pue=1.2, step_h=0.5, import_limit=1e-9)
    (finding,) = refused(made)
    assert "would need 3.6 MW; its import limit is 0.0 MW" in finding.reason


def test_refused_for_want_of_gpus():
    """150 Mtok on 10 GPUs of 10 Mtok/h: 50 Mtok need 5 more."""
    made = replace(plain([[20.0]], [[150.0]]), fleets=(fleet(0, gpus=10.0),))
    (finding,) = refused(made)
    assert finding.reason.endswith("site s0 would need 15 X; fleet f0 has 10")


def test_refused_because_it_is_not_worth_it():
    """0.1 MWh at 600 USD/MWh cost 60, a value of 50."""
    (finding,) = refused(plain([[600.0]], [[10.0]], value=50.0))
    assert finding.reason.endswith("it is worth 50.00 USD/Mtok, less than serving it would cost")


def test_refused_because_nobody_is_in_reach():
    made = replace(plain([[20.0]], [[10.0]]), routes=())
    (finding,) = refused(made)
    assert finding.reason.endswith("no deployment is within its latency")


def test_refused_because_the_only_api_is_at_its_limit():
    """10 Mtok, an API of 4 Mtok/h within reach: 6 are refused, and latency is not to blame."""
    made = world(
        [[20.0]],
        [[10.0]],
        routes=(api_route(0, 1, usd_per_mtok=1.0),),
        deployments=(deployment(0), api(limit=4.0)),
        fleets=(fleet(0),),
        workloads=(workload(),),
    )
    (finding,) = refused(made)
    assert finding.value == "6.000"
    assert finding.reason.endswith("its external APIs are at their rate limits")


def test_work_that_may_be_refused_is_a_choice_and_no_finding():
    made = plain([[20.0]], [[60.0]], import_limit=4.0)
    free = replace(made, workloads=(workload("free", must_serve=False),))
    assert refused(free) == ()


def test_the_worst_hour_is_named():
    made = plain([[20.0, 20.0, 20.0]], [[41.0, 70.0, 50.0]], import_limit=4.0)
    (finding,) = refused(made)
    assert "30.0 of 70.0 Mtok of chat at 2026-03-02T01:00Z" in finding.reason


def test_each_workload_is_told_apart():
    made = world(
        [[20.0]],
        [[60.0], [5.0]],
        routes=(route(0, 0), route(1, 0)),
        deployments=(deployment(0),),
        fleets=(fleet(0),),
        workloads=(workload("chat", value=50.0), workload("vip", value=90.0, tier_index=1)),
        import_limit=4.0,
        floors=(0.0, 0.0),
    )
    (finding,) = refused(made)
    assert "25.0 of 60.0 Mtok of chat" in finding.reason


def test_waiting_work_that_is_refused_is_counted_as_what_was_due():
    """40 Mtok wait, due now, nothing arrives, 0.5 MW serve 5 of them: 35 of 40 are refused."""
    made = plain([[20.0]], [[0.0]], import_limit=0.5)
    made = replace(made, workloads=(workload(defer=1),))
    state = replace(State.initial(made), backlog_mtok=np.array([[40.0]]))
    (finding,) = refused_findings(made, solve_horizon(made, state))
    assert (finding.value, finding.limit) == ("35.000", "5.000")
    assert finding.reason.startswith("35.0 of 40.0 Mtok of chat")


# ---- markets ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("spread", "bounded"), [(1.9, False), (2.1, True)])
def test_buying_and_selling_the_same_mwh_at_a_gain_is_told_and_has_no_bound(
    spread: float, bounded: bool
) -> None:
    """At -100 USD/MWh with 2 % of losses buying earns 102, and selling costs 100 + spread."""
    made = plain([[20.0, -100.0]], np.zeros((1, 2)), spread=spread)
    made = replace(made, loss_share=np.array([0.02]))
    findings = market_findings(made)
    if bounded:
        assert findings == ()
        solve_horizon(made)
        return
    assert [finding.code for finding in findings] == ["RESALE_ABOVE_BUY"]
    with pytest.raises(UnboundedProgram, match="falls without end along 2 columns"):
        solve_horizon(made)


@pytest.mark.parametrize(("seed", "hours"), [(8985, 6), (1764, 4), (1606, 14)])
def test_the_worlds_of_these_tests_have_a_bound(seed: int, hours: int) -> None:
    """Seeds that drew such a site before `least_adder_usd_per_mwh`."""
    assert market_findings(random_case(seed, hours=hours)[0]) == ()
