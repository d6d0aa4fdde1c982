"""Invoices spread over the tokens of a usage file, to the last nano-dollar."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from observed import held_company, ones_of, places_of

from tokenergy.api.observed.invoices import allocated
from tokenergy.api.observed.seen import sites_seen
from tokenergy.company.usage import UsageRow

HEAD = "supplier,invoice_id,period_start,period_end,site,component,amount,currency,quantity,unit"
DAY = "2026-11-23T00:00Z,2026-11-24T00:00Z"
START, END = datetime(2026, 11, 23, tzinfo=UTC), datetime(2026, 11, 24, tzinfo=UTC)


def usage(tenant, output, *, model="small", end=END):
    return UsageRow(
        start=START, end=end, model=model, tenant=tenant, input_tokens=0, output_tokens=output
    )


@pytest.fixture(scope="module")
def held(tmp_path_factory):
    return held_company(tmp_path_factory.mktemp("little"), past_count=24)


def told(folder, held, rows, usages):
    path = folder / "invoices.csv"
    path.write_text("\n".join([HEAD, *rows]) + "\n", encoding="utf-8")
    places = places_of(held, held.structure.world)
    sites = sites_seen(held, ones_of(held, 18_000, 6_000), None)
    return allocated(path, held, places, sites, usages, time_zone=None)


TWO = (usage("acme", 3_000_000), usage("beta", 1_000_000))


def test_every_cent_finds_a_token_or_an_idle_gpu(tmp_path, held):
    """100 USD of power go by joules: 75 to acme and 25 to beta; rent of idle GPUs to nobody."""
    rows = [
        f"grid,A1,{DAY},paris,energy,100,USD,1,MWh",
        f"lessor,A2,{DAY},paris,gpu,192,USD,96,GPU-h",
    ]
    found, findings = told(tmp_path, held, rows, TWO)
    assert found["says"].startswith("Allocated 100.0% of invoices")
    assert found["residual_usd"] == 0.0
    parts = {each["tenant"]: each["parts_usd"] for each in found["tenants"]}
    assert (parts["acme"]["energy"], parts["beta"]["energy"]) == pytest.approx((75.0, 25.0))
    assert parts["(unused capacity)"]["gpu"] > 180.0
    assert sum(each["usd"] for each in found["tenants"]) == pytest.approx(292.0, abs=1e-9)
    assert findings == ()


def test_joules_that_nobody_knows_are_not_0_for_an_invoice(tmp_path, held):
    """A window without joules, and one whose model no engine serves: by tokens, and it is told."""
    rows = [f"grid,A1,{DAY},,energy,80,USD,1,MWh"]
    more = (*TWO, usage("gone", 4_000_000, model="other"))
    found, findings = told(tmp_path, held, rows, more)
    parts = {each["tenant"]: each["usd"] for each in found["tenants"]}
    assert parts["gone"] == pytest.approx(40.0)
    assert [each.code for each in findings] == ["METER_MISSING"]

    first, *others = ones_of(held, 18_000, 6_000)
    silent = replace(first.joules.seen, total_j=None)
    ones = [replace(first, joules=replace(first.joules, seen=silent)), *others]
    assert others
    path = tmp_path / "power.csv"
    path.write_text(f"{HEAD}\ngrid,A1,{DAY},,energy,100,USD,1,MWh\n", encoding="utf-8")
    sites = sites_seen(held, ones, None)
    places = places_of(held, held.structure.world)
    found, findings = allocated(path, held, places, sites, TWO, time_zone=None)
    parts = {each["tenant"]: each["parts_usd"] for each in found["tenants"]}
    assert (parts["acme"]["energy"], parts["beta"]["energy"]) == pytest.approx((75.0, 25.0))
    assert [each.code for each in findings] == ["METER_MISSING"]


def test_a_place_that_nobody_knows_is_a_residual_and_an_error(tmp_path, held):
    """1 of 101 USD is of a site that there is not: 0.99 % is above 0.1 %."""
    rows = [
        f"grid,A1,{DAY},paris,energy,100,USD,1,MWh",
        f"grid,A2,{DAY},atlantis,energy,1,USD,,",
    ]
    found, findings = told(tmp_path, held, rows, TWO)
    assert found["residual_usd"] == pytest.approx(1.0)
    assert found["allocated_share"] == pytest.approx(100 / 101)
    assert {each.code for each in findings if each.severity == "error"} == {"ALLOCATION_RESIDUAL"}


def test_tokens_of_a_model_without_an_engine_take_their_part(tmp_path, held):
    """Of 80 USD that go by tokens, half are of a model that no engine here serves."""
    rows = [f"staff,A1,{DAY},,other,80,USD,,"]
    found, _ = told(tmp_path, held, rows, (*TWO, usage("gone", 4_000_000, model="other")))
    parts = {each["tenant"]: each["usd"] for each in found["tenants"]}
    assert parts["gone"] == pytest.approx(40.0)
    assert parts["acme"] == pytest.approx(30.0)


def test_usage_of_fewer_days_than_the_invoice_is_told(tmp_path, held):
    rows = ["grid,A1,2026-11-01T00:00Z,2026-12-01T00:00Z,paris,energy,100,USD,1,MWh"]
    found, findings = told(tmp_path, held, rows, TWO)
    assert found["residual_usd"] == 0.0
    assert "USAGE_SHORTER_THAN_INVOICES" in {each.code for each in findings}


def test_without_usage_nothing_is_spread(tmp_path, held):
    found, findings = told(tmp_path, held, [f"grid,A1,{DAY},paris,energy,1,USD,,"], ())
    assert found is None
    assert [each.code for each in findings] == ["INVOICES_WITHOUT_USAGE"]
