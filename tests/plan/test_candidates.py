"""What a unit of a size costs, by hand."""

import pytest
from plan.valued import company_to_plan

from tokenergy.errors import InputError
from tokenergy.plan.candidates import annual_usd, candidates_of, capital_usd, signed_mw
from tokenergy.plan.capital import capital_usd_per_year, standing_usd_per_year, unpriced


def by_name(company):
    return {each.name: each for each in candidates_of(company)}


def test_a_unit_costs_its_annuity_and_upkeep():
    """9 % over 15 years is 0.124059 a year: 9,000 USD/kW are 1,116,530 USD per MW and year.

    9 % over 5 years is 0.257092, and 4 % of upkeep: 30,000 USD are 8,912.77 a year. A battery of
    0.5 MW and 2 MWh at 20 USD/kWh costs 40,000 USD: 80,000 a MW, 9,924.71 a year.
    """
    found = by_name(company_to_plan())
    assert found["windy"].usd_per_unit_year == pytest.approx(1_116_529.9, rel=1e-6)
    assert found["windy"].capital_usd_per_unit == 9e6
    assert found["gpus-windy"].usd_per_unit_year == pytest.approx(8_912.77, abs=0.01)
    assert found["gpus-windy"].unit == "GPU"
    assert found["store"].usd_per_unit_year == pytest.approx(9_924.71, abs=0.01)
    assert found["wind"].usd_per_unit_year == 0.0  # what it charges is in the dispatch
    assert found["wind"].nominal == 2.0  # half of 4 MW


def test_a_reserved_lease_costs_every_hour_and_one_by_the_hour_none():
    told = company_to_plan().model_dump(mode="json")
    told["fleets"][0] |= {"owned": None, "lease": {"kind": "reserved", "usd_per_gpu_hour": 2.0}}
    told["fleets"][1] |= {"owned": None, "lease": {"kind": "on_demand", "usd_per_gpu_hour": 3.0}}
    found = by_name(type(company_to_plan()).model_validate(told))
    assert found["gpus-windy"].usd_per_unit_year == 17_520.0
    assert found["gpus-windy"].capital_usd_per_unit == 0.0
    assert found["gpus-metro"].usd_per_unit_year == 0.0


def test_a_queue_is_a_candidate_for_each_step_and_opens_once():
    told = company_to_plan().model_dump(mode="json")
    told["plan"]["sites"][0] = {
        "name": "windy", "most_mw": 2.0, "least_mw": 0.75, "open_usd": 1e6,
        "queue": [{"mw": 0.5, "energised_on": "2026-03-01", "usd_per_kw": 100.0},
                  {"mw": 1.5, "energised_on": "2026-03-03"}],
    }  # fmt: skip
    company = type(company_to_plan()).model_validate(told)
    found = by_name(company)
    assert (found["windy#1"].least, found["windy#2"].least) == (0.5, 0.25)
    assert found["windy#1"].capital_usd_per_unit == 100_000.0
    assert found["windy#2"].capital_usd_per_unit == 9_000_000.0
    assert found["windy#1"].opens and not found["windy#2"].opens
    sizes = {name: 0.0 for name in found} | {"windy#2": 1.0}
    assert capital_usd(tuple(found.values()), sizes)["windy#1"] == 1e6  # opened by its second step
    assert sum(annual_usd(tuple(found.values()), {name: 0.0 for name in found}).values()) == 0.0


def test_what_is_no_candidate_stands_and_costs_all_the_same():
    """Without plan.batteries the battery's 9,924.71 x 0.5 MW = 4,962.36 a year stand."""
    told = company_to_plan().model_dump(mode="json")
    told["plan"]["batteries"] = []
    company = type(company_to_plan()).model_validate(told)
    assert standing_usd_per_year(company, candidates_of(company)) == pytest.approx(
        4_962.36, abs=0.01
    )
    assert capital_usd_per_year(company)["battery store"] == pytest.approx(4_962.36, abs=0.01)


def test_a_price_that_is_not_stated_is_named():
    told = company_to_plan().model_dump(mode="json")
    told["sites"][1]["facility_usd_per_kw"] = None
    assert unpriced(type(company_to_plan()).model_validate(told)) == (
        "sites.metro.facility_usd_per_kw",
    )


def test_a_file_without_a_plan_is_told_what_to_write():
    company = company_to_plan(plan=None)
    with pytest.raises(InputError, match="no section `plan`"):
        candidates_of(company)


def test_a_spot_contract_has_no_size():
    with pytest.raises(InputError, match="'spot' has no size"):
        signed_mw(company_to_plan().contracts[0])
