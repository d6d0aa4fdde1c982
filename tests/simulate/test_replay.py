"""A policy's word is not taken: limits, balances and deadlines are worked out again."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulate.played import Optimal, Refuser, Scripted, random_company, roomy_case
from worlds import (
    api,
    api_route,
    battery,
    block,
    deployment,
    fleet,
    plain,
    random_world,
    route,
    take,
    workload,
    world,
)

from tokenergy.dispatch.world import Action, World
from tokenergy.errors import UnexpectedError
from tokenergy.simulate.interval import LimitBroken
from tokenergy.simulate.replay import replay
from tokenergy.simulate.run import Run, sum_rows


def action(
    serve=(0.0,), *, refused=(0.0,), awake=(0.0,), take=(), charge=(), discharge=()
) -> Action:
    return Action(
        serve_mtok=np.array(serve, float),
        refused_mtok=np.array(refused, float),
        awake=np.array(awake, float),
        take_mw=np.array(take, float),
        charge_mw=np.array(charge, float),
        discharge_mw=np.array(discharge, float),
        source="scripted",
    )


def one_site(hours=1, *, arrivals=8.0, deployments=None, fleets=None, **changes) -> World:
    """Make one site: 10 Mtok/h and 1 MW a replica, 0.1 MWh/Mtok, one GPU each of 100."""
    return world(
        [[50.0] * hours],
        [[arrivals] * hours],
        routes=(route(0, 0),),
        deployments=deployments or (deployment(0, base_mw=1.0),),
        fleets=fleets or (fleet(0),),
        workloads=changes.pop("workloads", (workload(),)),
        **changes,
    )


def closes(made: World, run: Run) -> None:
    """Assert the closure properties of simulator sheet, section 7, over the whole run."""
    near = {"rtol": 1e-9, "atol": 1e-9}
    span = slice(made.first, made.last)
    at = {name: list(made.battery_site) for name in ("charge", "discharge")}
    charge = sum_rows(run.charge_mwh, at["charge"], made.sites_count)
    discharge = sum_rows(run.discharge_mwh, at["discharge"], made.sites_count)
    behind = [t.site if t.behind_the_meter else -1 for t in made.takes]
    over = [-1 if t.behind_the_meter else t.site for t in made.takes]
    h = made.step_h
    own = sum_rows(run.take_mwh, behind, made.sites_count)
    own += made.block_delivery_mw(behind_the_meter=True)[:, span] * h
    np.testing.assert_allclose(
        run.import_mwh + own + discharge, run.load_mwh + charge + run.export_mwh, **near
    )
    delivered = sum_rows(run.take_mwh, over, made.sites_count)
    delivered += made.block_delivery_mw(behind_the_meter=False)[:, span] * h
    np.testing.assert_allclose(
        run.bought_mwh + delivered, run.sold_mwh + run.import_mwh - run.export_mwh, **near
    )
    assert not np.any((run.import_mwh > 0) & (run.export_mwh > 0))
    assert not np.any((run.bought_mwh > 0) & (run.sold_mwh > 0))
    np.testing.assert_allclose(run.load_mwh, made.pue[:, span] * run.it_mwh, **near)
    for b, store in enumerate(made.batteries):
        gained = store.charge_eff_share * run.charge_mwh[b]
        gained = gained - run.discharge_mwh[b] / store.discharge_eff_share
        np.testing.assert_allclose(
            run.energy_mwh[b], run.initial.energy_mwh[b] + gained.cumsum(), **near
        )
    arrived = made.arrivals_mtok[:, span].cumsum(axis=1)
    done = (run.served_mtok(made) + run.refused_mtok).cumsum(axis=1)
    np.testing.assert_allclose(arrived, done + run.backlog_mtok, rtol=1e-9, atol=1e-7)
    for w, load in enumerate(made.workloads):
        due = np.concatenate([np.zeros(load.defer_count), arrived[w]])[: run.intervals_count]
        assert np.all(done[w] >= due - 1e-6)
    np.testing.assert_allclose(done[:, -1], arrived[:, -1], rtol=1e-9, atol=1e-7)
    before = np.column_stack([run.initial.awake, run.awake[:, :-1]])
    np.testing.assert_allclose(run.wake, np.maximum(0.0, run.awake - before), **near)


@given(st.integers(0, 400))
def test_refusing_everything_closes(seed: int) -> None:
    made = random_world(seed, hours=12)
    run = replay(made, Refuser(made))
    closes(made, run)
    assert run.serve_mtok.sum() == 0.0
    assert run.refused_mtok.sum() == pytest.approx(made.arrivals_mtok.sum())


@settings(max_examples=25)
@given(st.integers(0, 400))
def test_the_optimum_passes_and_closes(seed: int) -> None:
    made = random_world(seed)
    closes(made, replay(made, Optimal(made)))


@settings(max_examples=25)
@given(st.integers(0, 100), st.sampled_from([0.25, 0.5, 1.0, 4.0]))
def test_the_optimum_of_a_world_with_everything_closes(seed: int, step_h: float) -> None:
    made = roomy_case(seed, step_h=step_h)
    closes(made, replay(made, Optimal(made)))


@settings(max_examples=25)
@given(st.integers(0, 100))
def test_the_optimum_of_a_company_with_history_closes(seed: int) -> None:
    made = random_company(seed)
    assert made.first > 0
    closes(made, replay(made, Optimal(made)))


def test_load_by_hand() -> None:
    """0.8 replicas of 1 MW and 8 Mtok x 0.1: 1.6; 99.2 GPUs asleep x 0.01; fixed 2; PUE 1.5.

    it = 2 + 0.992 + 0.8 + 0.8 = 4.592 MWh, and 0.8 wakes x 0.25 MWh = 0.2 more.
    """
    asleep = deployment(0, base_mw=1.0, wake_h=0.25)
    made = one_site(deployments=(asleep,), fleets=(fleet(0, sleep_mw=0.01),), pue=1.5, fixed=2.0)
    awake = 0.8 / 0.75
    run = replay(made, Scripted(action([8.0], awake=[awake])))
    it_mwh = 2.0 + (100.0 - awake) * 0.01 + awake * (1.0 + 0.25) + 0.8
    assert run.it_mwh[0, 0] == pytest.approx(it_mwh)
    assert run.import_mwh[0, 0] == pytest.approx(1.5 * it_mwh)
    assert run.bought_mwh[0, 0] == run.import_mwh[0, 0]


def test_below_a_price_of_zero_only_work_draws() -> None:
    """10 awake, 0.8 at work: base 0.8 MWh, no wake energy, 99.2 GPUs asleep x 0.01."""
    cold = deployment(0, base_mw=1.0, wake_h=0.25)
    made = one_site(deployments=(cold,), fleets=(fleet(0, sleep_mw=0.01),))
    made = replace(made, spot_usd_per_mwh=np.array([[-1.0]]))
    run = replay(made, Scripted(action([8.0], awake=[10.0])))
    assert run.it_mwh[0, 0] == pytest.approx(0.992 + 0.8 + 0.8)
    assert run.wake[0, 0] == 10.0


def test_what_is_delivered_is_sold_over_the_grid_and_exported_behind_the_meter() -> None:
    """Load 1.6; behind the meter 3 + 0.5 -> export 1.9; over the grid 2 + 1 -> sold 4.9."""
    made = replace(
        one_site(export_limit=5.0),
        takes=(take([3.0], behind=True), take([2.0])),
        blocks=(block([0.5], behind=True), block([1.0])),
    )
    run = replay(made, Scripted(action([8.0], awake=[0.8], take=[3.0, 2.0])))
    assert (run.import_mwh[0, 0], run.bought_mwh[0, 0]) == (0.0, 0.0)
    assert run.export_mwh[0, 0] == pytest.approx(1.9)
    assert run.sold_mwh[0, 0] == pytest.approx(4.9)


def test_waiting_work_is_served_earliest_due_first() -> None:
    """Arrivals 4, 6, 0, 0 may wait 2: 4 are due in interval 2, 6 in interval 3."""
    made = one_site(4, workloads=(workload(defer=2),))
    made = replace(made, arrivals_mtok=np.array([[4.0, 6.0, 0.0, 0.0]]))
    run = replay(
        made,
        Scripted(
            action([1.0], awake=[1.0]),
            action([1.0], awake=[1.0]),
            action([2.0], awake=[1.0]),
            action([6.0], awake=[1.0]),
        ),
    )
    assert run.backlog_mtok.tolist() == [[3.0, 8.0, 6.0, 0.0]]
    assert run.deferred_mtok(made).tolist() == [[0.0, 1.0, 2.0, 6.0]]


def test_work_past_its_deadline_is_an_error() -> None:
    made = one_site(4, workloads=(workload(defer=2),))
    made = replace(made, arrivals_mtok=np.array([[4.0, 6.0, 0.0, 0.0]]))
    idle = action()
    with pytest.raises(LimitBroken, match=r"scripted at 2026-03-02T02:00Z: workload 'chat': work "
                       r"past its deadline 4 Mtok exceeds 0 Mtok"):  # fmt: skip
        replay(made, Scripted(idle, idle, idle, idle))


def test_what_waits_at_the_end_is_refused() -> None:
    made = one_site(2, workloads=(workload(defer=8),))
    run = replay(made, Scripted(action([3.0], awake=[1.0]), action([2.0], awake=[1.0])))
    assert run.backlog_mtok.tolist() == [[5.0, 0.0]]
    assert run.refused_mtok.tolist() == [[0.0, 11.0]]


@pytest.mark.parametrize(
    ("changes", "done", "words"),
    [
        ({}, action([9.0], awake=[1.0]), "'chat': served and refused 9 Mtok exceeds 8 Mtok"),
        ({}, action([8.0], awake=[0.5]), "'m@f0': serving takes 0.8 replica-hours exceeds 0.5"),
        ({}, action([8.0], awake=[101.0]), "fleet 'f0': awake 101 GPUs exceeds 100 GPUs"),
        ({}, action([8.0], awake=[-1.0]), "deployment 'm@f0': awake -1 replicas is below 0"),
        ({}, action([-1.0], refused=[8.0]), "workload 'chat' on 'm@f0': served -1 Mtok is below 0"),
        ({}, action([np.nan], awake=[1.0]), "served nan Mtok"),
        ({"import_limit": 1.5}, action([8.0], awake=[0.8]), "site 's0': import 1.6 MW exceeds 1.5"),
        ({}, action(refused=[8.0], discharge=[1.0]), "site 's0': export 1 MW exceeds 0"),
        ({}, action(refused=[8.0], charge=[6.0]), "charge and discharge together 6 MWh exceeds 5"),
        ({}, action(refused=[8.0], charge=[3.0], discharge=[3.0]), "together 6 MWh exceeds 5 MWh"),
        ({"floors": (0.9,)}, action([8.0], awake=[0.8]), "tier 'tier0': quality above its floor"),
    ],
)  # fmt: skip
def test_a_limit_is_named_with_value_and_unit(changes, done, words) -> None:
    made = one_site(batteries=(battery(),), battery_site=(0,), **changes)
    if "floors" in changes:
        made = replace(made, routes=(route(0, 0, quality=0.5),))
    pad = {name: getattr(done, name) if getattr(done, name).size else np.zeros(1)
           for name in ("charge_mw", "discharge_mw")}  # fmt: skip
    with pytest.raises(LimitBroken, match=words):
        replay(made, Scripted(replace(done, **pad)))
    assert issubclass(LimitBroken, UnexpectedError)


def test_a_wake_takes_its_time_from_serving() -> None:
    """A replica that wakes for 0.25 h serves 7.5 of its 10 Mtok in its first hour."""
    made = one_site(2, arrivals=7.5, deployments=(deployment(0, wake_h=0.25),))
    ready = action([7.5], awake=[1.0])
    run = replay(made, Scripted(ready, ready))
    assert run.wake.tolist() == [[1.0, 0.0]]
    with pytest.raises(LimitBroken, match=r"serving takes 0.75 replica-hours exceeds 0.7425"):
        replay(made, Scripted(action([7.5], awake=[0.99]), ready))


@pytest.mark.parametrize(
    ("taken", "words"),
    [(4.0, "'ppa': taken 4 MWh exceeds 3 MWh"), (2.0, "'ppa': taken 2 MWh is below 3 MWh")],
)
def test_a_contract_delivers_what_it_has(taken, words) -> None:
    made = replace(one_site(), takes=(take([3.0], curtail=False),))
    with pytest.raises(LimitBroken, match=words):
        replay(made, Scripted(action(refused=[8.0], take=[taken])))


def test_a_store_is_neither_overfilled_nor_emptied_below_nothing() -> None:
    """10 of 20 MWh stored: 5 MW for an hour empty 5 / 0.95 of it, twice is more than all."""
    made = one_site(3, batteries=(battery(),), battery_site=(0,), export_limit=9.0)
    out = action(refused=[8.0], charge=[0.0], discharge=[5.0])
    with pytest.raises(LimitBroken, match=r"01:00Z: battery 'b': stored energy -0.526316 MWh"):
        replay(made, Scripted(out, out, out))


def test_the_rate_limit_of_an_api_holds() -> None:
    made = one_site(deployments=(deployment(0, base_mw=1.0), api(limit=5.0)))
    made = replace(made, routes=(route(0, 0), api_route(0, 1, usd_per_mtok=3.0)))
    run = replay(made, Scripted(action([3.0, 5.0], awake=[0.3])))
    assert run.load_mwh[0, 0] == pytest.approx(0.6)
    with pytest.raises(LimitBroken, match="deployment 'api': served 6 Mtok exceeds 5 Mtok"):
        replay(made, Scripted(action([2.0, 6.0], awake=[0.3])))


def test_every_fault_of_an_action_is_told_at_once() -> None:
    made = one_site(import_limit=1.0)
    with pytest.raises(LimitBroken) as caught:
        replay(made, Scripted(action([9.0], awake=[0.5])))
    assert str(caught.value).count(";") == 2


def test_rounding_beyond_a_limit_is_trimmed_to_it() -> None:
    made = one_site(batteries=(battery(),), battery_site=(0,), export_limit=9.0)
    made = replace(made, batteries=(battery(power=20.0),))
    over = action([8.0 + 1e-8], awake=[0.8], charge=[0.0], discharge=[9.5 + 1e-8])
    run = replay(made, Scripted(over))
    assert run.serve_mtok[0, 0] == pytest.approx(8.0, abs=1e-12)
    assert run.energy_mwh[0, 0] == 0.0
    assert run.discharge_mwh[0, 0] == pytest.approx(9.5, abs=1e-12)


def test_progress_is_told_and_sources_are_kept() -> None:
    made, seen = random_world(3, hours=6), []
    run = replay(made, Refuser(made), on_progress=lambda done, of: seen.append((done, of)))
    assert seen == [(done, 6) for done in range(1, 7)]
    assert run.sources == ("refuser",) * 6
    assert run.policy == "refuser"


def test_a_policy_cannot_change_the_past() -> None:
    class Meddler(Refuser):
        def decide(self, at, state):
            done = super().decide(at, state)
            state.energy_mwh[:] = 0.0
            return done

    made = random_world(1, hours=4)
    run = replay(made, Meddler(made))
    np.testing.assert_allclose(run.energy_mwh[:, -1], run.initial.energy_mwh)
    assert run.initial.energy_mwh.tolist() == [10.0, 10.0]


def test_nothing_in_a_plain_world_needs_batteries_or_contracts() -> None:
    made = plain([[40.0, 50.0]], [[5.0, 6.0]])
    run = replay(made, Optimal(made))
    assert run.charge_mwh.shape == (0, 2)
    closes(made, run)
