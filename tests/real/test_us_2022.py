"""A fortnight of 2022 at four American sites: real prices, generation, rates and lengths.

The numbers are `make test`'s own; `tokenergy simulate tests/real/us_2022.yaml` prints them.
"""

from dataclasses import replace
from pathlib import Path

import pytest

import tokenergy as te
from tokenergy.files.series import read_inputs

FILE = Path(__file__).parent / "us_2022.yaml"
POLICIES = ("nearest", "static", "greedy", "greedy_battery", "mpc", "clairvoyant")
REGRET_LIMIT_SHARE = 0.03
"""With the information of dispatch sheet, section 5 (issue 1, Numbers)."""


@pytest.fixture(scope="module")
def opened(shared_data):
    return te.load(FILE)


@pytest.fixture(scope="module")
def simulation(opened):
    return te.simulate(opened, policies=POLICIES)


def test_nothing_in_it_is_synthetic(opened) -> None:
    assert opened.synthetic == ()
    # Its wind and its block deliver more than every GPU could draw in part of the hours.
    assert {finding.code for finding in opened.warnings} == {"SERIES_GAP", "OVERHEDGED"}


def test_prices_are_those_of_the_files(opened) -> None:
    """ERCOT's HB_HUBAVG spiked on 2022-07-11: 2,081.5 + 2 USD/MWh in the hour from 20Z."""
    world = opened.world
    at = world.first + 20
    assert world.moment(at).isoformat() == "2022-07-11T20:00:00+00:00"
    assert world.spot_usd_per_mwh[0, at] == pytest.approx(2083.5)


def test_arrivals_keep_the_rates_mean_and_the_traces_lengths(opened) -> None:
    """10,000 requests/s x 211.126 tokens x 3,600 s / 1e6 = 7,600.5 Mtok/h on average."""
    world = opened.world
    spec = world.workloads[0]
    assert spec.tokens_per_request_count == pytest.approx(211.126, abs=0.001)
    mean = world.arrivals_mtok[0, world.first :].mean()
    assert mean == pytest.approx(10000 * spec.tokens_per_request_count * 3600 / 1e6, rel=0.02)


@pytest.mark.slow  # six policies over 336 intervals, two of them with a program each
def test_the_policies_stand_in_order(simulation) -> None:
    cost = {name: score.cost_usd for name, score in simulation.card.policies.items()}
    assert cost["clairvoyant"] <= cost["mpc"] <= cost["greedy_battery"] <= cost["greedy"]


@pytest.mark.slow  # shares the runs of the test before
def test_mpc_is_close_to_the_best_possible(simulation) -> None:
    regret = simulation.card.policies["mpc"].regret_share
    assert 0.0 <= regret <= REGRET_LIMIT_SHARE


@pytest.mark.slow  # shares the runs of the test before
def test_everybody_serves_what_must_be_served(simulation) -> None:
    for name, score in simulation.card.policies.items():
        assert score.must_serve_refused_mtok == pytest.approx(0.0, abs=1e-3), name


@pytest.mark.slow  # the policies once more on the other reading of CAISO's stamps
def test_no_conclusion_hinges_on_californias_uncertain_hour(opened, simulation) -> None:
    """With CAISO an hour earlier the bound moves by 2 %; order, regret and saving stand."""
    company = opened.company
    solar = next(c for c in company.contracts if c.id == "california-solar")
    profile = solar.profile.model_copy(update={"shift_h": -1.0})
    moved = solar.model_copy(update={"profile": profile})
    contracts = tuple(moved if c is solar else c for c in company.contracts)
    other = company.model_copy(update={"contracts": contracts})
    inputs, findings = read_inputs(other, folder=FILE.parent)
    assert inputs is not None, findings
    rerun = te.simulate(
        replace(opened, company=other, inputs=inputs),
        policies=["greedy_battery", "mpc", "clairvoyant"],
    )
    here, there = simulation.card.policies, rerun.card.policies
    assert there["clairvoyant"].cost_usd != here["clairvoyant"].cost_usd
    assert there["clairvoyant"].cost_usd == pytest.approx(here["clairvoyant"].cost_usd, rel=0.03)
    assert there["mpc"].regret_share <= REGRET_LIMIT_SHARE
    savings = [card["mpc"].saving_greedy_battery.share for card in (here, there)]
    assert abs(savings[0] - savings[1]) < 0.02
