"""What the GPUs behind an engine cost over a span, by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from worlds import company_dict

from tokenergy.company.company import Company
from tokenergy.economics.observed_cost import full_parts, gpu_usd_per_h, unused_gpu_usd_per_h

LEASE = {"kind": "reserved", "usd_per_gpu_hour": 2.0}


def company(*, lease=LEASE, hall=None, staff=0.0):
    tree = company_dict()
    tree["fleets"] = [
        {key: each[key] for key in each if key not in ("lease", "owned")}
        | {"gpu_count": 8, "lease": lease}
        for each in tree["fleets"]
    ]
    for site in tree["sites"]:
        site.pop("facility_usd_per_kw", None)
        if hall is not None:
            site["facility_usd_per_kw"] = hall
    tree["money"] = {"staff_usd_per_year": staff}
    return Company.model_validate(tree)


def parts(made, **more):
    given = {"fleet": 0, "gpus_count": 4, "span_h": 0.5, "energy_mwh": 0.001, "usd_per_mwh": 60.0}
    return full_parts(made, **given | more)


def test_power_and_rent_by_hand():
    """4 of 8 GPUs at 2 USD an hour for half an hour, 0.001 MWh at 60 USD: 4.06 USD."""
    found = parts(company())
    assert (found.gpu_usd, found.energy_usd, found.staff_usd) == pytest.approx((4.0, 0.06, 0.0))
    assert found.facility_usd is None and len(found.missing) == 1
    assert found.total_usd == pytest.approx(4.06)
    assert found.to_dict()["total_usd"] == found.total_usd


def test_hall_and_staff_go_by_gpus():
    """Staff 8,760 a year is 1 an hour, by 4 of all GPUs; the hall by 4 of the site's."""
    made = company(hall=10_000.0, staff=8760.0)
    found = parts(made)
    gpus = sum(fleet.gpu_count for fleet in made.fleets)
    assert found.staff_usd == pytest.approx(0.5 * 4 / gpus)
    site = made.sites[0]
    wacc = made.money.wacc_share
    share = wacc / (1 - (1 + wacc) ** -site.facility_life_y)
    there = sum(fleet.gpu_count for fleet in made.fleets if fleet.site == made.fleets[0].site)
    price = 10_000.0 * site.import_limit_mw * 1000
    assert found.facility_usd == pytest.approx(price * share / 8760 * 0.5 * 4 / there)
    assert found.missing == ()


@pytest.mark.parametrize("more", [{"energy_mwh": None}, {"usd_per_mwh": None}])
def test_without_power_there_is_no_total(more):
    found = parts(company(), **more)
    assert found.energy_usd is None and found.total_usd is None


def test_a_negative_price_lowers_the_total():
    assert parts(company(), usd_per_mwh=-60.0).total_usd == pytest.approx(3.94)


def test_gpus_by_the_hour_cost_their_price_while_held_and_nothing_unused():
    hourly = company(lease={"kind": "on_demand", "usd_per_gpu_hour": 3.0})
    assert gpu_usd_per_h(hourly, 0) == 3.0
    held = [4.0] * len(hourly.fleets)
    assert unused_gpu_usd_per_h(hourly, held, site=hourly.fleets[0].site) == 0.0
    reserved = company()
    here = [fleet.site == reserved.fleets[0].site for fleet in reserved.fleets]
    usd = unused_gpu_usd_per_h(reserved, held, site=reserved.fleets[0].site)
    assert usd == pytest.approx(sum(here) * 4 * 2.0)
    more = [9.0] * len(reserved.fleets)  # more than there are cost no less than nothing
    assert unused_gpu_usd_per_h(reserved, more, site=reserved.fleets[0].site) == 0.0


@given(cut=st.floats(0.01, 0.99))
def test_a_span_in_two_costs_as_much(cut):
    made = company(hall=10_000.0, staff=8760.0)
    whole = parts(made, span_h=1.0, energy_mwh=0.01)
    halves = [
        parts(made, span_h=share, energy_mwh=0.01 * share).total_usd for share in (cut, 1 - cut)
    ]
    assert sum(halves) == pytest.approx(whole.total_usd, rel=1e-9)
