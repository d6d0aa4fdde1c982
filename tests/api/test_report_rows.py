"""What the views of a report read is what the run did: hours, prices of asking, flows, money."""

import math
from dataclasses import replace

import numpy as np
import pytest

import tokenergy as te
from tokenergy.api.report_rows import asked_rows, flow_rows, hour_rows, place_rows, view_rows
from tokenergy.company.carbon import CarbonPrice, SiteCarbon


def with_carbon(company: te.OpenCompany, ledger: str | None) -> te.OpenCompany:
    """Return the company with 400 kg/MWh on average at texas, and 300 at the margin."""
    carbon = SiteCarbon.model_construct(
        average_kg_per_mwh=None, marginal_kg_per_mwh=None, residual_kg_per_mwh=350.0
    )
    sites = tuple(
        site.model_copy(update={"carbon": carbon}) if site.name == "texas" else site
        for site in company.company.sites
    )
    price = None if ledger is None else CarbonPrice(ledger=ledger, usd_per_t=10.0)
    owner = company.company.model_copy(update={"sites": sites, "carbon_price": price})
    count = company.world.last
    series = dict(company.world.inputs.series) | {
        "texas.average_kg_per_mwh": np.full(count, 400.0),
        "texas.marginal_kg_per_mwh": np.full(count, 300.0),
    }
    world = replace(
        company.world, company=owner, inputs=replace(company.world.inputs, series=series)
    )
    made = replace(company, company=owner)
    made.__dict__["world"] = world
    return made


@pytest.mark.parametrize(
    ("ledger", "kg"), [(None, 400.0), ("location", 400.0), ("market", 350.0), ("marginal", 300.0)]
)
def test_carbon_is_that_of_the_ledger_that_has_a_price(
    small: te.OpenCompany, ledger: str | None, kg: float
) -> None:
    rows = hour_rows(with_carbon(small, ledger).world)
    assert len(rows) == 48  # two days of the one site that says so
    assert rows[0] == {
        "start": "2026-03-02T00:00Z",
        "site": "texas",
        "carbon_ledger": ledger or "location",
        "carbon_kg_per_mwh": kg,
    }


def test_where_nobody_says_so_there_is_no_carbon(small: te.OpenCompany) -> None:
    assert hour_rows(small.world) == []


def test_the_price_of_asking_is_what_the_policy_saw(
    small: te.OpenCompany, simulation: te.Simulation
) -> None:
    run = simulation.runs["mpc"]
    rows = asked_rows(small.world, run)
    assert run.asked_usd_per_mtok is not None
    assert len(rows) == run.asked_usd_per_mtok.size
    assert {row["usd_per_item"] for row in rows} == {None}
    nightly = [row["usd_per_mtok"] for row in rows if row["workload"] == "nightly-europe"]
    assert nightly == pytest.approx(run.asked_usd_per_mtok[1].tolist(), rel=1e-5)
    assert asked_rows(small.world, simulation.runs["greedy"]) == []


def test_media_are_told_by_item(small: te.OpenCompany, simulation: te.Simulation) -> None:
    """At 2 USD/Mtok an item of 50,000 tokens costs 0.10 USD."""
    run = simulation.runs["mpc"]
    loads = tuple(replace(load, tokens_per_item_count=50_000.0) for load in small.world.workloads)
    asked = np.full((len(loads), small.world.count), 2.0)
    made = replace(small.world, workloads=loads)
    (first, *_) = asked_rows(made, replace(run, asked_usd_per_mtok=asked))
    assert (first["usd_per_mtok"], first["usd_per_item"]) == (2.0, 0.1)


def test_flows_are_all_that_was_served(small: te.OpenCompany, simulation: te.Simulation) -> None:
    world, run = small.world, simulation.runs["mpc"]
    rows = flow_rows(world, run)
    for at, load in enumerate(world.workloads):
        mine = [row for row in rows if row["workload"] == load.name]
        served = float(run.served_mtok(world)[at].sum())
        assert math.fsum(row["served_mtok"] for row in mine) == pytest.approx(served)
        assert math.fsum(row["share"] for row in mine) == pytest.approx(1.0)
    assert {row["site"] for row in rows} <= set(world.site_names)
    idle = replace(run, serve_mtok=np.full_like(run.serve_mtok, 1e-12))
    assert flow_rows(world, idle) == []


def test_places_are_sites_and_the_regions_that_ask(small: te.OpenCompany) -> None:
    rows = place_rows(small.company)
    assert [row["name"] for row in rows] == ["texas", "virginia", "frankfurt", "america", "europe"]
    assert rows[0]["time_zone"] == "America/Chicago"


def test_the_money_of_a_report_sums_to_its_invoices(
    small: te.OpenCompany, simulation: te.Simulation
) -> None:
    pays = te.economics(small, simulation=simulation)
    rows = view_rows(small, simulation, pays)
    whole = pays.earned.bills.invoiced_usd
    assert math.fsum(row["usd"] for row in rows["invoice"]) == pytest.approx(whole, abs=1e-6)
    charged = math.fsum(row["usd"] for row in rows["invoice"] if row["tenant"])
    tiers = math.fsum(tier.usage_usd + tier.tier_fixed_usd for tier in pays.earned.tiers)
    assert charged == pytest.approx(tiers, abs=1e-6)
    assert view_rows(small, None, None).keys() == {"places"}
    assert "invoice" not in view_rows(small, simulation, None)
