"""The bill of a run: who is settled, on which meters, in which order; and what is remembered."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from worlds import company_of, inputs_of, site_dict, world

from tokenergy.company.settle import initial_states, settle, settle_tariff
from tokenergy.dispatch.world import Generator, State, Take, World
from tokenergy.simulate.advance import advance_contracts
from tokenergy.simulate.bill import Meters, settle_run

HOURS = 40
HISTORY = 5

CONTRACTS = [
    {"id": "spot", "kind": "spot", "site": "texas", "adder_usd_per_mwh": 5.0},
    {
        "id": "wind", "kind": "ppa_as_produced", "site": "texas", "project_mw": 20.0,
        "profile": 0.5, "strike_usd_per_mwh": 40.0, "start": "2025-03-03", "annual_mwh": 1000.0,
        "min_take_share": 0.5, "may_curtail": True, "taken_before_mwh": 480.0,
    },
    {
        "id": "block", "kind": "block", "site": "texas", "contract_mw": 2.0,
        "strike_usd_per_mwh": 40.0,
    },
    {
        "id": "base", "kind": "ppa_baseload", "site": "texas", "contract_mw": 2.0,
        "strike_usd_per_mwh": 40.0, "shape": {"synthetic": "texas"},
    },
    {
        "id": "vppa", "kind": "ppa_virtual", "site": "texas", "project_mw": 9.0, "profile": 0.5,
        "hub_price": {"synthetic": "texas"}, "strike_usd_per_mwh": 30.0,
    },
    {
        "id": "gas", "kind": "on_site", "site": "texas", "capacity_mw": 5.0, "start_usd": 90.0,
        "heat_rate_mmbtu_per_mwh": 9.5, "fuel_usd_per_mmbtu": {"synthetic": "texas"},
    },
    {
        "id": "cfe", "kind": "cfe", "site": "texas", "target_share": 0.8,
        "premium_usd_per_mwh": 4.0, "shortfall_usd_per_mwh": 9.0, "sources": ["wind", "vppa"],
    },
    {
        "id": "rec", "kind": "rec", "site": "texas", "price_usd_per_mwh": 3.0, "load_share": 0.9,
        "bundled": ["base", "gas", "block"],
    },
    {
        "id": "dr", "kind": "demand_response", "site": "texas", "committed_mw": 3.0,
        "baseline_mw": 9.0, "penalty_usd_per_mwh": 50.0, "availability_usd_per_kw_month": 1.0,
        "events": [{"start": "2026-03-02T10:30:00Z", "end": "2026-03-02T12:15:00Z"}],
    },
]  # fmt: skip
TARIFFS = [
    {
        "id": "grid", "site": "texas", "fixed_usd_per_month": 10.0,
        "energy": {"periods": [{"name": "flat", "usd_per_mwh": 12.0}]},
        "tiers": {"thresholds_mwh": [50.0], "usd_per_mwh": [1.0, 2.0]},
        "demand": [{"name": "peak", "usd_per_kw_month": 7.0}],
        "coincident": [
            {
                "name": "cp", "usd_per_kw_year": 60.0, "system_load": {"synthetic": "texas"},
                "months": [3], "n_count": 1,
            }
        ],
        "large_load": {"contract_mw": 30.0, "collateral_usd": 1.2e6, "min_take_share": 0.4},
        "minimum_usd_per_month": 2e5,
    },
    {"id": "plain", "site": "texas", "energy": {"periods": [{"name": "a", "usd_per_mwh": 1.0}]}},
]  # fmt: skip


def priced() -> World:
    """Make a world of one site with every contract; only what settlement reads is in it."""
    company = company_of(
        contracts=CONTRACTS,
        tariffs=TARIFFS,
        sites=[
            site_dict(
                import_price={
                    "steps": [
                        {"up_to_mw": 6.0, "adder_usd_per_mwh": 0.0}, {"adder_usd_per_mwh": 2.0},
                    ]
                }
            )
        ],
    )  # fmt: skip
    total = HISTORY + HOURS
    rng = np.random.default_rng(7)
    inputs = inputs_of(company, history=HISTORY)
    inputs = replace(
        inputs,
        price_usd_per_mwh={"texas": rng.normal(30, 20, total)},
        profile_share={name: rng.uniform(0, 1, total) for name in ("wind", "vppa")},
        series={
            "base.shape": rng.uniform(0, 1, total),
            "vppa.hub_price": rng.normal(30, 20, total),
            "gas.fuel_usd_per_mmbtu": rng.uniform(2, 5, total),
            "grid.cp.system_load": rng.uniform(50, 70, total),
        },
    )
    made = world(
        [inputs.price_usd_per_mwh["texas"]],
        np.zeros((0, total)),
        routes=(), deployments=(), fleets=(), workloads=(), history=HISTORY,
        takes=(_take("wind", total),),
    )  # fmt: skip
    return replace(
        made,
        company=company,
        inputs=inputs,
        start=inputs.start,
        site_names=("texas",),
        generators=(_plant("gas", total),),
    )


def _take(name: str, total: int) -> Take:
    none = np.zeros(total)
    return Take(
        contract_id=name, site=0, behind_the_meter=False, available_mw=none, floor_mw=none,
        take_usd_per_mwh=none, sunk_usd_per_h=none,
    )  # fmt: skip


def _plant(name: str, total: int) -> Generator:
    return Generator(
        contract_id=name, site=0, capacity_mw=np.full(total, 5.0), usd_per_mwh=np.zeros(total),
        min_load_share=0.0, start_usd=90.0, permit_h=np.inf, permit_year=np.zeros(total, int),
    )  # fmt: skip


def metered(made: World):
    """Return what a run metered, as far as settlement reads it."""
    rng = np.random.default_rng(8)
    net = rng.uniform(-5.0, 15.0, (1, HOURS))
    span = slice(HISTORY, None)
    return SimpleNamespace(
        initial=State.initial(made),
        import_mwh=np.maximum(net, 0.0),
        export_mwh=np.maximum(-net, 0.0),
        bought_mwh=np.maximum(net - 3.0, 0.0),
        sold_mwh=np.maximum(3.0 - net, 0.0),
        load_mwh=rng.uniform(5.0, 15.0, (1, HOURS)),
        take_mwh=20.0 * made.inputs.profile_share["wind"][None, span] * 0.8,
        generate_mwh=rng.choice([0.0, 4.0], (1, HOURS)),
    )


def step_of(run, at: int):
    rows = {name: values[:, at] for name, values in vars(run).items() if name != "initial"}
    return SimpleNamespace(**rows)


def test_lines_stand_contract_by_contract_then_tariff_by_tariff() -> None:
    made = priced()
    lines = settle_run(made, metered(made))
    ids = list(dict.fromkeys(line.contract_id for line in lines))
    assert ids == [each["id"] for each in (*CONTRACTS, *TARIFFS)]
    components = {line.component for line in lines if line.contract_id == "grid"}
    assert components == {
        "energy.flat", "tier_1", "tier_2", "peak", "cp.billed_2027", "fixed", "collateral",
        "minimum",
    }  # fmt: skip


def test_series_are_those_of_the_horizon_and_of_the_owner() -> None:
    made = priced()
    run = metered(made)
    hub = [x for x in settle_run(made, run) if x.contract_id == "vppa"]
    prices = made.inputs.series["vppa.hub_price"][HISTORY:]
    assert [x.rate_usd for x in hub] == pytest.approx((30.0 - prices).tolist())
    by_hand = 9.0 * made.inputs.profile_share["vppa"][HISTORY:]
    assert [x.quantity for x in hub] == pytest.approx(by_hand.tolist())
    stepped = [x for x in settle_run(made, run) if x.component == "import_step_2"]
    over = np.maximum(0.0, run.bought_mwh[0] - 6.0).sum()
    assert sum(x.amount_usd for x in stepped) == pytest.approx(2.0 * over)


def test_clean_power_counts_what_its_sources_delivered() -> None:
    """Matched by the hour: the lesser of load and 0.8 of the wind's output and the hub swap's."""
    made = priced()
    run = metered(made)
    profile = {name: row[HISTORY:] for name, row in made.inputs.profile_share.items()}
    clean = 16.0 * profile["wind"] + 9.0 * profile["vppa"]
    matched = np.minimum(run.load_mwh[0], clean).sum()
    target = 0.8 * run.load_mwh.sum()
    premium = 4.0 * min(matched, target) + 9.0 * max(0.0, target - matched)
    lines = settle_run(made, run)
    assert sum(x.amount_usd for x in lines if x.contract_id == "cfe") == pytest.approx(premium)
    base = 2.0 * made.inputs.series["base.shape"][HISTORY:].sum()
    needed = 0.9 * run.load_mwh.sum() - base - 80.0 - run.generate_mwh.sum()
    certificates = [x.quantity for x in lines if x.contract_id == "rec"]
    assert certificates == pytest.approx([needed])


def test_what_is_advanced_interval_by_interval_is_what_the_whole_leaves() -> None:
    """To the bit; and stateless contracts leave nothing."""
    made = priced()
    run = metered(made)
    state = run.initial
    for at in range(HOURS):
        states = advance_contracts(made, HISTORY + at, state, step_of(run, at))
        state = replace(state, contracts=states)
    before = initial_states(made.company)
    assert set(state.contracts) == set(before)
    meters = Meters(made, run, begin=HISTORY)
    for contract in made.company.contracts:
        if contract.id in before:
            whole = settle(contract, meters.of_contract(contract), before[contract.id])
            assert state.contracts[contract.id] == whole.state
    for words in made.company.tariffs:
        whole = settle_tariff(words, meters.of_tariff(words), before, wacc_share=0.09).states
        assert {key: state.contracts[key] for key in whole} == whole
    assert state.contracts["wind"].period == "2026-03-03"
    assert state.contracts["gas"].running_h > 0.0
    assert state.contracts["dr"].events_count == 1
    assert state.contracts["grid.peak"].peak_mw == pytest.approx(run.import_mwh.max())


def test_a_run_that_goes_on_is_billed_from_where_it_began() -> None:
    """With this month's peak already billed above anything that comes, no demand is left to pay."""
    made = priced()
    run = metered(made)
    first = {line.component: line for line in settle_run(made, run)}
    key = "grid.peak"
    known = initial_states(made.company)[key]
    known = replace(known, period="2026-03", peak_mw=99.0, billed_mw=99.0)
    begun = SimpleNamespace(**vars(run))
    begun.initial = replace(run.initial, contracts={key: known})
    for start in ((replace(made, before={key: known}), run), (made, begun)):
        assert "peak" not in {line.component for line in settle_run(*start)}
    assert first["peak"].quantity > 0.0


def test_worlds_of_arrays_remember_nothing() -> None:
    made = world([[50.0]], [], routes=(), deployments=(), fleets=(), workloads=())
    assert advance_contracts(made, 0, State.initial(made), SimpleNamespace()) == {}
