"""A company at other sizes: everything that hangs on a size moves with it."""

import pytest
from plan.valued import company_to_plan

from tokenergy.plan.candidates import candidates_of
from tokenergy.plan.sized_company import LEAST_MW, built_company, company_at


def planning(**changes):
    told = company_to_plan().model_dump(mode="json")
    told["sites"][0] |= {
        "fixed_load_mw": 0.1,
        "non_firm": {"firm_mw": 1.5, "nonfirm_mw": 0.5},
    }
    told["tariffs"] = [
        {"id": "grid", "site": "windy", "fixed_usd_per_month": 1000.0,
         "demand": [{"name": "peak", "usd_per_kw_month": 8.0, "contract_mw": 2.0}],
         "large_load": {"contract_mw": 2.0, "collateral_usd": 4e6,
                        "ramp": [{"start": "2026-01-01", "mw": 1.0}]}},
    ]  # fmt: skip
    told |= changes
    return type(company_to_plan()).model_validate(told)


def most_of(company):
    return {each.name: each.most for each in candidates_of(company)}


def test_half_a_site_is_half_of_all_that_is_contracted_there():
    company = planning()
    half = company_at(company, most_of(company) | {"windy": 1.0})
    site, tariff = half.sites[0], half.tariffs[0]
    assert (site.import_limit_mw, site.export_limit_mw, site.fixed_load_mw) == (1.0, 0.5, 0.05)
    assert (site.non_firm.firm_mw, site.non_firm.nonfirm_mw) == (0.75, 0.25)
    assert tariff.fixed_usd_per_month == 500.0
    assert tariff.demand[0].contract_mw == 1.0
    load = tariff.large_load
    assert (load.contract_mw, load.collateral_usd, load.ramp[0].mw) == (1.0, 2e6, 0.5)
    assert half.sites[1] == company.sites[1]


def test_sizes_of_contracts_and_batteries():
    company = planning()
    sized = company_at(company, most_of(company) | {"wind": 0.5, "store": 0.1})
    assert sized.contracts[-1].project_mw == 1.0  # of which the company has half
    assert (sized.batteries[0].power_mw, sized.batteries[0].capacity_mwh) == (0.1, 0.4)


def test_what_is_not_built_is_dropped_with_what_hangs_on_it():
    company = planning()
    sizes = most_of(company) | {"windy": 0.0, "wind": 0.0, "gpus-far": 0.4}
    built = built_company(company, sizes)
    assert [site.name for site in built.sites] == ["metro", "far"]
    assert {contract.id for contract in built.contracts} == {"spot-metro", "spot-far"}
    assert [fleet.name for fleet in built.fleets] == ["gpus-metro"]
    assert built.batteries == () and built.tariffs == () and built.plan is None


def test_a_site_without_megawatts_stays_for_what_is_signed_there():
    company = planning()
    built = built_company(company, most_of(company) | {"windy": 0.0})
    windy = built.sites[0]
    assert windy.name == "windy" and windy.import_limit_mw == LEAST_MW
    assert {"wind", "spot-windy"} <= {contract.id for contract in built.contracts}


def test_nothing_built_is_no_company():
    company = planning()
    with pytest.raises(ValueError, match="sites"):
        built_company(company, {name: 0.0 for name in most_of(company)})


def test_a_site_with_a_date_has_nothing_before_it():
    """With a date alone its fixed load would draw before there is power: so it gets a ramp."""
    told = planning().model_dump(mode="json")
    told["sites"][2]["energised_on"] = "2026-03-03"
    company = type(planning()).model_validate(told)
    far = company_at(company, most_of(company)).sites[2]
    assert [(str(step.start), step.mw) for step in far.ramp] == [("2026-03-03", 2.0)]
