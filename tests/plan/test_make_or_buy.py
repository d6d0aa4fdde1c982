"""Make or buy: the price at which own GPUs win, held against plans at that price."""

import pytest
from plan.valued import company_to_plan, planned

from tokenergy.company.fleet import ExternalApi, GpuLease
from tokenergy.plan.make_or_buy import make_or_buy


def with_api(price: float):
    api = ExternalApi(name="rented", model="small", usd_per_mtok=price, quality_share=0.8)
    return company_to_plan().model_copy(update={"external_apis": (api,)})


def test_where_the_api_is_cheap_everything_is_bought_and_the_price_that_turns_it_is_told():
    """At the price that is told a first GPU is built; 2 % below it none is."""
    made = planned(with_api(0.01))
    found = make_or_buy(made)
    assert found.own_share == pytest.approx(0.0, abs=1e-6)
    bought = found.bought[0]
    assert bought.source == "api"
    assert bought.served_share == pytest.approx(1.0, abs=1e-6)
    assert bought.price_quantity == pytest.approx(0.01)
    own, none = bought.own_from_quantity, bought.none_from_quantity
    assert own is not None
    assert none is not None
    assert 0.01 < own < none
    gpus = "gpus-windy"
    assert planned(with_api(own)).sizes[gpus] >= 1.0 - 1e-6
    assert planned(with_api(0.98 * own)).sizes[gpus] < 1.0
    after = make_or_buy(planned(with_api(1.01 * none)))
    assert after.own_share == pytest.approx(1.0, abs=1e-5)
    assert after.bought[0].served_mtok == pytest.approx(0.0, abs=1.0)
    assert "own GPUs pay from" in bought.sentence()
    assert found.to_dict()["bought"][0]["sentence"] == bought.sentence()


def test_a_fleet_that_is_leased_by_the_hour_is_bought_too():
    """Metro's GPUs are paid while awake: they take what peaks leave, until their price rises."""
    company = company_to_plan()
    lease = GpuLease(kind="on_demand", usd_per_gpu_hour=0.5)
    fleets = tuple(
        f.model_copy(update={"owned": None, "lease": lease}) if f.site == "metro" else f
        for f in company.fleets
    )
    made = planned(company.model_copy(update={"fleets": fleets}))
    found = make_or_buy(made).bought
    assert [each.source for each in found] == ["lease"]
    assert found[0].names == ("gpus-metro",)
    assert found[0].unit == "USD/GPU-hour"
    assert found[0].price_quantity == pytest.approx(0.5)
    assert found[0].none_from_quantity is not None


def test_who_can_only_make_buys_nothing():
    found = make_or_buy(planned())
    assert found.bought == ()
    assert found.own_share == pytest.approx(1.0)
