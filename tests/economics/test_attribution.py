"""Attribution: by hand, to the cent, for every run; and prices at the margin, hour by hour."""

from dataclasses import replace

import numpy as np
import pytest
from commands import SMALL
from economics.paying import POLICIES, SEEDS, costed, paid
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import (
    api,
    api_route,
    battery,
    company_of,
    deployment,
    fleet,
    plain,
    route,
    site_dict,
    workload,
    world,
)

import tokenergy as te
from tokenergy.company.tariff import Tariff
from tokenergy.dispatch.policies import make_policy
from tokenergy.dispatch.world import State, World
from tokenergy.economics.attribution import (
    admitted_mtok,
    attribute,
    bill_by_site,
    marginal_usd,
    used_capacity_share,
)
from tokenergy.economics.unit_cost import FullCost, capital_rent, full_cost, gpu_used_share
from tokenergy.simulate.account import account
from tokenergy.simulate.entries import ledger_entries
from tokenergy.simulate.replay import replay
from tokenergy.simulate.run import Run
from tokenergy.units import J_PER_MWH, MICROJOULES_PER_J


def two_sites() -> World:
    """Chat and batch reach site 0; site 1 stands by; an API answers chat too."""
    gpus = {"accelerator": "H100", "gpu_count": 10}
    owner = company_of(
        sites=[site_dict("s0", facility_usd_per_kw=8760.0), site_dict("s1")],
        contracts=[{"id": f"spot-{s}", "kind": "spot", "site": s} for s in ("s0", "s1")],
        money={"wacc_share": 0.0, "staff_usd_per_year": 87600.0},
        fleets=[
            {"name": "f0", "site": "s0", "lease": {"kind": "reserved", "usd_per_gpu_hour": 2.0}}
            | gpus,
            {"name": "f1", "site": "s1", "lease": {"kind": "on_demand", "usd_per_gpu_hour": 3.0}}
            | gpus,
        ],
    )
    made = world(
        [[30.0], [30.0]],
        [[20.0], [6.0]],
        routes=(route(0, 0, network=0.3), route(1, 0), api_route(0, 2, usd_per_mtok=4.0)),
        deployments=(deployment(0), deployment(1), api()),
        fleets=(fleet(0, gpus=10.0), fleet(1, gpus=10.0, lease=3.0)),
        workloads=(workload("chat"), workload("batch", tier_index=1)),
        batteries=(battery(wear=5.0),),
        battery_site=(1,),
        floors=(0.0, 0.0),
    )
    return replace(made, company=owner)


def hand_run(made: World, *, serve, awake, discharge=(), refused=None, asked=None) -> Run:
    """Make a run of what matters here; the rest is nothing."""
    serve = np.asarray(serve, float)
    nothing = lambda rows: np.zeros((rows, serve.shape[1]))  # noqa: E731
    loads, sites, stores = len(made.workloads), made.sites_count, len(made.batteries)
    meters = ("it", "load", "import", "export", "bought", "sold")
    return Run(
        policy="hand",
        initial=State.initial(made),
        serve_mtok=serve,
        refused_mtok=nothing(loads) if refused is None else np.asarray(refused, float),
        backlog_mtok=nothing(loads),
        awake=np.asarray(awake, float),
        wake=nothing(len(made.deployments)),
        take_mwh=nothing(len(made.takes)),
        charge_mwh=nothing(stores),
        discharge_mwh=np.asarray(discharge, float) if len(discharge) else nothing(stores),
        energy_mwh=nothing(stores),
        sources=("hand",) * serve.shape[1],
        asked_usd_per_mtok=None if asked is None else np.asarray(asked, float),
        **{f"{name}_mwh": nothing(sites) for name in meters},
    )


def hand_full(made: World, run: Run, *, power_usd: float) -> FullCost:
    gpu_h = [float(row.sum()) for row in run.awake[:2]]
    return full_cost(
        made.company,
        hours_h=1.0,
        served_mtok=float(run.serve_mtok.sum()),
        power_usd=power_usd,
        awake_lease_usd=3.0 * gpu_h[1],
        api_usd=4.0 * float(run.serve_mtok[2].sum()),
        other_usd=0.3 * float(run.serve_mtok[0].sum()) + 5.0 * float(run.discharge_mwh.sum()),
        gpu_used_share=gpu_used_share(made.company, gpu_h, hours_h=1.0),
    )


def test_every_part_by_hand():
    """An hour: chat has 10 Mtok at site 0 and 5 of the API, batch 6 at site 0; 0.1 MWh/Mtok.

    Energy 1 and 0.6 MWh, so shares 5/8 and 3/8. Bills of 100 at site 0 and 16 USD at site 1,
    where nobody is served: chat 62.50 + 10, batch 37.50 + 6. Fleet 0: 4 of 10 GPUs awake at 2
    USD; work of 1 and 0.6 GPU-hours: 5 and 3 USD. Fleet 1: one GPU awake for nobody at 3 USD:
    1.875 and 1.125. Facility: 8,760 USD/kW x 50 MW over 15 years without interest are
    50,000 / 15 = 3,333.33 USD an hour; 4/10 is used: 1,333.33, of which chat 833.33. Unused: 12 +
    2,000. Network 3, API 20 for chat. The battery gives 2 MWh at 5 USD at site 1: 6.25 and 3.75.
    """
    made = two_sites()
    run = hand_run(
        made, serve=[[10.0], [6.0], [5.0]], awake=[[4.0], [1.0], [0.0]], discharge=[[2.0]],
        refused=[[5.0], [0.0]],
    )  # fmt: skip
    full = hand_full(made, run, power_usd=116.0)
    chat, batch = attribute(made, run, full, power_usd_by_site=np.array([100.0, 16.0]))
    assert (chat.workload, chat.tier, batch.tier) == ("chat", "tier0", "tier1")
    assert (chat.served_mtok, chat.refused_mtok, batch.served_mtok) == (15.0, 5.0, 6.0)
    assert (chat.energy_mwh, batch.energy_mwh) == pytest.approx((1.0, 0.6))
    assert (chat.power_usd, batch.power_usd) == pytest.approx((72.5, 43.5))
    assert (chat.gpu_rent_usd, batch.gpu_rent_usd) == pytest.approx((5.0, 3.0))
    assert (chat.gpu_lease_usd, batch.gpu_lease_usd) == pytest.approx((1.875, 1.125))
    used = 0.4 * 50_000 / 15
    assert chat.powered_capacity_usd == pytest.approx(used * 5 / 8)
    assert batch.powered_capacity_usd == pytest.approx(used * 3 / 8)
    assert (chat.network_usd, batch.network_usd) == pytest.approx((3.0, 0.0))
    assert (chat.api_usd, batch.api_usd) == pytest.approx((20.0, 0.0))
    assert (chat.wear_usd, batch.wear_usd) == pytest.approx((6.25, 3.75))
    assert full.unused_capacity_usd == pytest.approx(12.0 + 0.6 * 50_000 / 15)
    assert chat.dispatch_usd == pytest.approx(72.5 + 1.875 + 20.0 + 3.0 + 6.25)
    assert chat.usage_usd == pytest.approx(chat.dispatch_usd + 5.0 + used * 5 / 8)
    assert chat.silicon_usd == pytest.approx(26.875)
    assert (chat.marginal_usd, chat.surplus_usd) == (None, None)
    assert chat.meter_tier == "modelled"
    _assert_whole(full, (chat, batch))
    assert chat.to_dict()["usage_usd"] == chat.usage_usd


def test_silicon_goes_by_the_time_on_its_fleet_and_not_by_energy():
    """Batch is four times as slow: the same 1 and 0.6 MWh, but 1 and 2.4 GPU-hours of 8 USD."""
    made = two_sites()
    chat_route, batch_route, by_api = made.routes
    slow = replace(batch_route, rate_mtok_per_h=batch_route.rate_mtok_per_h / 4.0)
    made = replace(made, routes=(chat_route, slow, by_api))
    run = hand_run(made, serve=[[10.0], [6.0], [5.0]], awake=[[4.0], [0.0], [0.0]])
    full = hand_full(made, run, power_usd=100.0)
    chat, batch = attribute(made, run, full, power_usd_by_site=np.array([100.0, 0.0]))
    assert (chat.energy_mwh, batch.energy_mwh) == pytest.approx((1.0, 0.6))
    assert (chat.gpu_rent_usd, batch.gpu_rent_usd) == pytest.approx((8.0 / 3.4, 19.2 / 3.4))
    _assert_whole(full, (chat, batch))


def test_where_nothing_is_served_what_was_paid_is_for_what_was_asked():
    """20 and 6 Mtok were asked for and refused: a bill of 26 USD is split 20 to 6."""
    made = two_sites()
    run = hand_run(
        made, serve=np.zeros((3, 1)), awake=np.zeros((3, 1)), refused=[[20.0], [6.0]],
    )  # fmt: skip
    full = hand_full(made, run, power_usd=26.0)
    chat, batch = attribute(made, run, full, power_usd_by_site=np.array([26.0, 0.0]))
    assert (chat.power_usd, batch.power_usd) == pytest.approx((20.0, 6.0))
    assert full.unused_capacity_usd == pytest.approx(full.allocation_usd - 26.0 - full.staff_usd)
    assert (chat.meter_tier, chat.energy_low_share) == (None, None)
    _assert_whole(full, (chat, batch))


def test_the_band_of_a_workload_is_that_of_its_energy():
    """1 MWh on a route of 0.8 to 1.5 and 3 MWh on one of 0.6 to 1.1: 0.65 and 1.2."""
    made = plain([[30.0], [30.0]], [[40.0]])
    bands = ((0.8, 1.5, "measured"), (0.6, 1.1, "modelled"))
    routes = tuple(
        replace(r, energy_low_share=low, energy_high_share=high, energy_tier=tier)
        for r, (low, high, tier) in zip(made.routes, bands, strict=True)
    )
    made = replace(made, routes=routes, company=two_sites().company)
    run = hand_run(made, serve=[[10.0], [30.0]], awake=[[1.0], [3.0]])
    full = full_cost(
        made.company, hours_h=1.0, served_mtok=40.0, power_usd=4.0, awake_lease_usd=0.0,
        api_usd=0.0, other_usd=0.0, gpu_used_share=0.1,
    )  # fmt: skip
    (cost,) = attribute(made, run, full, power_usd_by_site=np.array([1.0, 3.0]))
    assert cost.energy_low_share == pytest.approx(0.65)
    assert cost.energy_high_share == pytest.approx(1.2)
    assert cost.meter_tier == "modelled", "a sum is known as well as its least known part"


def test_the_bill_of_a_site_is_that_of_its_contracts():
    owner = two_sites().company
    assert bill_by_site(owner, {"spot-s1": -4.0, "spot-s0": 7.0}).tolist() == [7.0, -4.0]


def test_a_site_pays_its_tariffs_and_what_a_tariff_supplies():
    """s1 has no spot contract: `supplier` stands for it; `wire` is charged at s0 beside spot."""
    owner = two_sites().company
    tariffs = tuple(
        Tariff(id=name, site=site, fixed_usd_per_month=1.0)
        for name, site in (("wire", "s0"), ("supplier", "s1"))
    )
    spots = tuple(c for c in owner.contracts if c.site == "s0")
    owner = owner.model_copy(update={"contracts": spots, "tariffs": tariffs})
    paid_usd = {"spot-s0": 7.0, "supplier": 40.0, "wire": 3.0}
    assert bill_by_site(owner, paid_usd).tolist() == [10.0, 40.0]


def _assert_whole(full, costs):
    whole = sum(cost.usage_usd for cost in costs)
    whole += full.staff_usd + full.tier_fixed_usd + full.unused_capacity_usd
    assert whole == pytest.approx(full.allocation_usd, rel=1e-6)
    assert whole == pytest.approx(full.allocation_usd, rel=1e-11), "by construction far closer"


@settings(max_examples=30)
@given(SEEDS, st.sampled_from(POLICIES))
def test_everything_paid_is_somebodys_for_every_run(seed, policy):
    """Usage of all workloads + staff + tiers' fixed + unused capacity = allocation."""
    world_, run, full, costs = paid(seed, policy)
    _assert_whole(full, costs)
    assert sum(cost.power_usd for cost in costs) == pytest.approx(full.power_usd, rel=1e-9)
    used = used_capacity_share(world_.company, full)
    rents = capital_rent(world_.company).gpu_usd_per_h * full.hours_h
    silicon = full.silicon_usd - (1.0 - used) * rents
    assert sum(cost.silicon_usd for cost in costs) == pytest.approx(silicon, rel=1e-9)
    assert sum(c.served_mtok for c in costs) == pytest.approx(float(run.serve_mtok.sum()))


def test_the_small_company_is_attributed_to_the_cent():
    small = te.load(SMALL)
    for run in te.simulate(small, policies=("greedy_battery", "mpc")).runs.values():
        full, costs = costed(small.world, run)
        _assert_whole(full, costs)
        assert all(cost.usage_usd > 0.0 for cost in costs)


@pytest.mark.parametrize("policy", ["greedy", "clairvoyant"])
def test_the_energy_of_work_is_that_of_the_ledger(policy):
    """The ledger's rows of service, written apart, hold the same joules by workload."""
    made, run, _, costs = paid(5, policy)
    for cost in costs:
        rows = [
            row.energy_microjoules
            for row in ledger_entries(made, run, "r")
            if row.component == "serve" and row.workload == cost.workload
        ]
        mwh = sum(rows) / (J_PER_MWH * MICROJOULES_PER_J)
        assert cost.energy_mwh == pytest.approx(mwh, rel=1e-9)
    sites = {d.site for d in made.deployments if not d.external}
    assert run.route_mwh(made).sum() <= run.load_mwh[sorted(sites)].sum() * (1 + 1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_workloads_changes_nothing(seed):
    made, run, full, costs = paid(seed, "clairvoyant")
    last = len(made.workloads) - 1
    turned = replace(
        made,
        workloads=made.workloads[::-1],
        arrivals_mtok=made.arrivals_mtok[::-1],
        routes=tuple(replace(r, workload=last - r.workload) for r in made.routes),
    )
    run = replace(
        run,
        refused_mtok=run.refused_mtok[::-1],
        asked_usd_per_mtok=run.asked_usd_per_mtok[::-1],
    )
    bills = bill_by_site(made.company, account(made, paid(seed, "clairvoyant")[1]).power_usd)
    other = attribute(turned, run, full, power_usd_by_site=bills)[::-1]
    for mine, theirs in zip(costs, other, strict=True):
        assert mine.workload == theirs.workload
        assert mine.usage_usd == pytest.approx(theirs.usage_usd, rel=1e-12)
        assert mine.marginal_usd == pytest.approx(theirs.marginal_usd, rel=1e-12)


# ---- at the margin -----------------------------------------------------------------------


def test_served_tokens_are_priced_when_they_came():
    """4 and 2 Mtok come in the first two hours; 1, 4 and 1 leave, of which 1, 3 and 1 served.

    First come, first out: of the first hour's four, one leaves at once and three in the second
    hour, served at 3/4: 1 + 2.25. Of the second hour's, one leaves in it (0.75) and one later.
    At 2 and 10 USD: 3.25 x 2 + 1.75 x 10 = 24 USD for 5 Mtok.
    """
    arrived, served, refused = (np.array(x) for x in ([4.0, 2, 0], [1.0, 3, 1], [0.0, 1, 0]))
    assert admitted_mtok(arrived, served, refused) == pytest.approx([3.25, 1.75, 0.0])
    made = plain([[30.0] * 3], [arrived])
    run = hand_run(
        made, serve=[served], awake=np.ones((1, 3)), refused=[refused], asked=[[2.0, 10.0, 99.0]]
    )
    assert marginal_usd(made, run) == pytest.approx([24.0])
    assert marginal_usd(made, replace(run, asked_usd_per_mtok=None)) is None


@given(st.lists(st.tuples(st.floats(0, 50), st.floats(0, 1)), min_size=1, max_size=12))
def test_work_that_never_waits_is_priced_in_its_hour(hours):
    arrived = np.array([mtok for mtok, _ in hours])
    served = arrived * np.array([share for _, share in hours])
    found = admitted_mtok(arrived, served, arrived - served)
    assert found == pytest.approx(served, abs=1e-9)


@given(st.integers(0, 10**6))
def test_no_token_is_priced_twice(seed):
    """What is admitted sums to what is served, never more than came, whatever waited."""
    rng = np.random.default_rng(seed)
    arrived = rng.uniform(0, 10, 20) * (rng.uniform(size=20) < 0.7)
    waiting, served, refused = float(rng.uniform(0, 5)), np.zeros(20), np.zeros(20)
    before = waiting
    for at in range(20):
        waiting += arrived[at]
        leaves = waiting if at == 19 else waiting * float(rng.uniform())
        served[at] = leaves * float(rng.uniform())
        refused[at] = leaves - served[at]
        waiting -= leaves
    found = admitted_mtok(arrived, served, refused)
    assert found.sum() == pytest.approx(served.sum())
    assert (found[1:] <= arrived[1:] + 1e-9).all()
    assert found[0] <= arrived[0] + before + 1e-9


@pytest.mark.parametrize(("limit_mw", "surplus_usd"), [(1e3, 0.0), (1.0, 4 * 50.0)])
def test_the_surplus_is_the_rent_of_what_is_scarce(limit_mw, surplus_usd):
    """15 Mtok an hour at 0.1 MWh; power at 20 and 70 USD/MWh. Nothing scarce: price 2, cost 2.

    With 1 MW at the cheap site: 10 Mtok there (1 MWh), 5 beyond; the price is 7 USD/Mtok, 105
    an hour; the dispatch costs 20 + 35; the MW earns 50 an hour, which is (70 - 20) x 1 MWh.
    """
    limits = np.array([[limit_mw], [1e3]])
    made = plain([[20.0] * 4, [70.0] * 4], [[15.0] * 4], import_limit=limits)
    run = replay(made, make_policy("clairvoyant", made))
    power = account(made, run).power_usd
    made = replace(made, company=two_sites().company)
    full = full_cost(
        made.company, hours_h=4.0, served_mtok=60.0, power_usd=sum(power.values()),
        awake_lease_usd=0.0, api_usd=0.0, other_usd=0.0, gpu_used_share=0.2,
    )  # fmt: skip
    bills = np.array([power["spot@s0"], power["spot@s1"]])
    (cost,) = attribute(made, run, full, power_usd_by_site=bills)
    assert cost.surplus_usd == pytest.approx(surplus_usd, abs=1e-6)
    assert cost.dispatch_usd == pytest.approx(4 * (30.0 if limit_mw > 1.0 else 55.0))
