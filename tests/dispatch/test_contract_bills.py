"""The bill and the program agree, whatever the meters show: for every kind of contract.

Three readings of one contract are held together on arbitrary series: `settle` from its own words,
the world's arrays and the terms' own charges, and the program with everything but the contract's
own columns fixed (contracts sheet, section 7.1).
"""

import math
from dataclasses import replace

import numpy as np
import pytest
from contract_cases import (
    KINDS,
    balanced,
    begun_before,
    company_with,
    metered,
    meters_of,
    program_usd,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenergy.company.contract_state import ContractState
from tokenergy.company.settle import MeterSeries, settle
from tokenergy.dispatch.coarse import coarsened
from tokenergy.dispatch.terms.commitment import IDLING_SHARE, Commitment, PermitHours
from tokenergy.dispatch.terms.term import HasConstant
from tokenergy.dispatch.window import true_window
from tokenergy.dispatch.world import World
from tokenergy.simulate.account import power_usd
from tokenergy.simulate.bill import Meters, settle_run

SEEDS = st.integers(0, 2**32 - 1)


def settled_usd(world: World, run) -> dict[str, list[float]]:
    """Return the amounts of each contract's lines."""
    amounts: dict[str, list[float]] = {}
    for line in settle_run(world, run):
        amounts.setdefault(line.contract_id, []).append(line.amount_usd)
    return amounts


def hold_together(world: World, run) -> None:
    """Compare the settled bill with the world's own charges, contract by contract."""
    settled, charged = settled_usd(world, run), power_usd(world, run)
    for name in {*settled, *charged}:
        amounts = settled.get(name, [])
        usd = math.fsum(charged[name]) if name in charged else 0.0
        size_usd = max(1.0, math.fsum(abs(each) for each in amounts))
        assert usd == pytest.approx(math.fsum(amounts), abs=1e-6 * size_usd), name


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=12)
@given(seed=SEEDS)
def test_the_bill_is_what_the_arrays_charge(kind: str, seed: int) -> None:
    _, _, world = company_with((kind,), seed)
    hold_together(world, meters_of(world, seed + 1))
    begun = begun_before(world, seed + 2)
    hold_together(begun, meters_of(begun, seed + 1))


@pytest.mark.parametrize("kind", ["demand_response", "cfe", "rec", "ppa_as_produced", "steps"])
@settings(max_examples=12)
@given(seed=SEEDS)
def test_a_term_costs_the_program_what_it_charges(kind: str, seed: int) -> None:
    """What does not depend on the term's columns (a constant) is put beside the program's cost.

    What is bought and sold is what the balance leaves: the program nets it so.
    """
    _, _, world = company_with((kind,), seed)
    world = begun_before(world, seed + 2) if seed % 2 else world
    run = balanced(world, meters_of(world, seed + 1))
    for term in world.terms:
        charged_usd = float(term.charged_usd(world, metered(world, run)).sum())
        constant_usd = term.constant_usd(world) if isinstance(term, HasConstant) else 0.0
        cost_usd = program_usd(world, term, run) + constant_usd
        assert cost_usd == pytest.approx(charged_usd, abs=1e-6 * max(1.0, abs(charged_usd)))


@pytest.mark.parametrize("kind", ["demand_response", "cfe", "rec", "steps"])
@settings(max_examples=10)
@given(seed=SEEDS)
def test_intervals_need_not_be_equal(kind: str, seed: int) -> None:
    """Neighbours within one local day are put together at random, for the bill and the program."""
    company, _, world = company_with((kind,), seed)
    rng = np.random.default_rng(seed + 2)
    zone = company.sites[0].market.tz
    local = [world.moment(at).astimezone(zone).date() for at in range(world.first, world.last)]
    opens = [0, *(at for at in range(1, world.count) if local[at] != local[at - 1])]
    opens = sorted({*opens, *rng.integers(0, world.count, 30).tolist()})
    run = balanced(world, meters_of(world, seed + 1), opens)
    edges = world.first + np.array([*opens, world.count])
    whole = true_window(world, begin=world.first, count=world.count)
    window = coarsened(whole, edges)
    lengths_h = window.lengths_h
    contract = next((c for c in company.contracts if c.id == "asked0"), company.contracts[0])
    series = settled_series(world, run, contract, np.array(opens), lengths_h)
    usd = math.fsum(
        line.amount_usd
        for line in settle(contract, series, world.before.get(contract.id, ContractState())).lines
        if line.component not in ("availability", "purchase", "resale")
    )
    (term,) = (each for each in world.terms if each.contract_id == contract.id)
    constant_usd = term.constant_usd(world) if isinstance(term, HasConstant) else 0.0
    cost_usd = program_usd(world, term, run, window) + constant_usd
    assert cost_usd == pytest.approx(usd, abs=1e-6 * max(1.0, abs(usd)))


def settled_series(world: World, run, contract, opens, lengths_h) -> MeterSeries:
    """Return a contract's meters over intervals that are put together: energies add up."""
    meters = Meters(world, run, begin=world.first).of_contract(contract)
    counts = np.diff([*opens, world.count])

    def summed(values):
        return None if values is None else np.add.reduceat(values, opens).tolist()

    energies = ("bought_mwh", "sold_mwh", "import_mwh", "export_mwh", "load_mwh")
    return replace(
        meters,
        lengths_h=lengths_h.tolist(),
        spot_usd_per_mwh=[30.0] * len(opens),
        **{name: summed(getattr(meters, name)) for name in energies},
        delivered_mwh={name: summed(values) for name, values in meters.delivered_mwh.items()},
        series={
            name: (np.add.reduceat(values, opens) / counts).tolist()
            for name, values in meters.series.items()
        },
    )


@settings(max_examples=8)
@given(seed=SEEDS)
def test_starts_cost_the_program_what_they_charge(seed: int) -> None:
    """Meters that run a plant at its least or above; whether it is on is the program's choice."""
    _, _, world = company_with(("on_site",), seed)
    run = meters_of(world, seed + 1)
    (plant,) = world.generators
    most = plant.capacity_mw[world.first : world.last] * world.step_h
    made = run.generate_mwh[0]
    least = max(plant.min_load_share, IDLING_SHARE) * most
    run.generate_mwh = np.where(made > 0.0, np.maximum(made, least), 0.0)[None]
    for term in world.terms:
        if isinstance(term, PermitHours):
            continue
        assert isinstance(term, Commitment)
        charged_usd = float(term.charged_usd(world, metered(world, run)).sum())
        assert program_usd(world, term, run) == pytest.approx(charged_usd, abs=1e-6)
    hold_together(world, run)


@settings(max_examples=8)
@given(seed=SEEDS)
def test_a_portfolio_of_five_contracts_holds_together(seed: int) -> None:
    rng = np.random.default_rng(seed)
    kinds = tuple(str(kind) for kind in rng.choice(KINDS, 5))
    _, _, world = company_with(kinds, seed)
    hold_together(world, meters_of(world, seed + 1))
