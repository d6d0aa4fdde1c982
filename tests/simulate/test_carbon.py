"""Three ledgers of carbon, each by hand; a price through one of them moves work, and no bill."""

from dataclasses import replace

import numpy as np
import pytest
from worlds import company_dict, inputs_of, site_dict

from tokenergy.company.company import Company
from tokenergy.company.noun import Noun
from tokenergy.dispatch.build import build_world
from tokenergy.dispatch.policies import make_policy
from tokenergy.dispatch.world import World
from tokenergy.files.catalogue import load_catalogue
from tokenergy.simulate.account import account
from tokenergy.simulate.carbon import carbon
from tokenergy.simulate.replay import replay
from tokenergy.simulate.run import Run

AVERAGE_KG = {"texas": 400.0, "ontario": 50.0}
MARGINAL_KG = {"texas": 300.0, "ontario": 350.0}


def made_world(contracts=(), more=None, **changes) -> World:
    """Make two sites whose power costs the same: Texas is the nearer, Ontario the cleaner."""
    sites = [
        site_dict(name, carbon={"average_kg_per_mwh": 1.0, "marginal_kg_per_mwh": 1.0})
        for name in AVERAGE_KG
    ]
    fleets = [
        {
            "name": f"h100-{name}",
            "site": name,
            "accelerator": "H100",
            "gpu_count": 64,
            "owned": {"usd_per_gpu": 30000.0},
        }
        for name in AVERAGE_KG
    ]
    spots = [{"id": f"spot-{name}", "kind": "spot", "site": name} for name in AVERAGE_KG]
    company = Company.model_validate(
        company_dict(sites=sites, fleets=fleets, contracts=[*spots, *contracts], **changes)
    )
    total = company.horizon.intervals_count
    series = {
        f"{site}.{field}": np.full(total, kg[site])
        for field, kg in (
            ("average_kg_per_mwh", AVERAGE_KG),
            ("marginal_kg_per_mwh", MARGINAL_KG),
        )
        for site in AVERAGE_KG
    }
    series["hedge.hub_price"] = np.full(total, 30.0)
    series |= {name: np.full(total, value) for name, value in (more or {}).items()}
    return build_world(company, inputs_of(company, series=series), load_catalogue())


def run_of(world: World, policy="clairvoyant") -> Run:
    return replay(world, make_policy(policy, world))


def imports_mwh(run: Run) -> dict[str, float]:
    return dict(zip(AVERAGE_KG, run.import_mwh.sum(axis=1).tolist(), strict=True))


def test_location_and_marginal_are_imports_times_what_they_emit():
    world = made_world()
    run = run_of(world)
    told = carbon(world, run)
    assert told is not None
    drawn = imports_mwh(run)
    assert sum(drawn.values()) > 0.1
    assert told.location_kg == pytest.approx(sum(AVERAGE_KG[s] * drawn[s] for s in drawn))
    assert told.marginal_kg == pytest.approx(sum(MARGINAL_KG[s] * drawn[s] for s in drawn))
    assert told.market_kg == pytest.approx(told.location_kg)  # nobody claims anything
    assert told.on_site_kg == 0.0


def test_certificates_lower_the_market_ledger_alone():
    """Half the load of Texas is certified: half of its imports count, at the average mix."""
    rec = {
        "id": "rec",
        "kind": "rec",
        "site": "texas",
        "price_usd_per_mwh": 3.0,
        "load_share": 0.5,
    }
    plain, certified = made_world(), made_world(contracts=(rec,))
    before, after = (carbon(w, run_of(w, "nearest")) for w in (plain, certified))
    assert before is not None and after is not None
    for site in AVERAGE_KG:
        drawn_kg = before.by_site[site]["location_kg"]
        assert after.by_site[site]["location_kg"] == pytest.approx(drawn_kg)
        left = 0.5 if site == "texas" else 1.0
        assert after.by_site[site]["market_kg"] == pytest.approx(left * drawn_kg)


def test_a_virtual_contract_claims_nothing_out_of_its_term():
    """100 MW would claim all of Texas; ended before the horizon, they leave 1 % certified."""
    deal = {
        "id": "hedge", "kind": "ppa_virtual", "site": "texas", "project_mw": 100.0,
        "share": 1.0, "strike_usd_per_mwh": 30.0, "hub_price": 30.0, "profile": 1.0,
        "start": "2020-01-01", "end": "2021-01-01",
    }  # fmt: skip
    rec = {
        "id": "rec", "kind": "rec", "site": "texas", "price_usd_per_mwh": 3.0,
        "load_share": 0.01, "bundled": ["hedge"],
    }  # fmt: skip
    world = made_world(contracts=(deal, rec))
    told = carbon(world, run_of(world, "nearest"))
    assert told is not None
    texas = told.by_site["texas"]
    assert texas["market_kg"] == pytest.approx(0.99 * texas["location_kg"])


@pytest.mark.parametrize(("ledger", "cleaner"), [("location", "ontario"), ("marginal", "texas")])
def test_a_price_moves_work_to_what_its_own_ledger_calls_clean(ledger, cleaner):
    """By the average Ontario is cleaner, by the margin Texas: 50 < 400, but 300 < 350 kg/MWh."""
    world = made_world(carbon_price={"ledger": ledger, "usd_per_t": 100.0})
    drawn = imports_mwh(run_of(world))
    idle = min(drawn.values())
    assert drawn[cleaner] > idle
    assert drawn[cleaner] == max(drawn.values())


def test_a_price_of_carbon_is_a_cost_and_no_bill():
    """At 100 USD/t the part `carbon` is 0.1 USD times the kilograms of its ledger."""
    world = made_world(carbon_price={"ledger": "location", "usd_per_t": 100.0})
    run = run_of(world)
    spent, told = account(world, run), carbon(world, run)
    assert told is not None and told.location_kg is not None
    assert spent.parts()["carbon"] == pytest.approx(0.1 * told.location_kg)
    assert set(spent.power_usd) == {"spot-texas", "spot-ontario"}
    assert spent.cost_usd == pytest.approx(sum(spent.parts().values()))


def gas(**changes) -> dict[str, object]:
    """Make a plant at 6 USD/MWh: 9.5 MMBtu of 53.06 kg each emit 504 kg for a MWh."""
    return {
        "id": "gas",
        "kind": "on_site",
        "site": "texas",
        "capacity_mw": 5.0,
        "heat_rate_mmbtu_per_mwh": 9.5,
        "fuel_usd_per_mmbtu": 0.0,
        "vom_usd_per_mwh": 6.0,
        "fuel_kg_per_mmbtu": 53.06,
        **changes,
    }


def with_gas(usd_per_t: float) -> World:
    price = {"ledger": "location", "usd_per_t": usd_per_t}
    series = {"gas.fuel_usd_per_mmbtu": 0.0}
    return made_world(contracts=(gas(),), carbon_price=price, more=series)


def test_a_price_of_carbon_weighs_on_fuel_and_never_on_its_bill():
    """Grid: 30 + 0.4 t x p, at p = 10 USD/t 34; gas: 6 + 0.504 t x p = 11.04: the plant runs.

    At p = 400 the grid in Texas weighs 190, gas 207.6: it stands.
    """
    cheap, dear = with_gas(10.0), with_gas(400.0)
    run = run_of(cheap)
    made_mwh = float(run.generate_mwh.sum())
    assert made_mwh > 0.0
    spent, told = account(cheap, run), carbon(cheap, run)
    assert told is not None and told.on_site_kg == pytest.approx(9.5 * 53.06 * made_mwh)
    assert told.location_kg is not None
    assert spent.power_usd["gas"] == pytest.approx(6.0 * made_mwh)
    assert spent.carbon_usd == pytest.approx(0.010 * (told.location_kg + told.on_site_kg))
    assert run_of(dear).generate_mwh.sum() == pytest.approx(0.0, abs=1e-9)


def test_a_ledger_that_one_site_does_not_feed_is_unknown():
    world = made_world()
    sites = list(world.company.sites)
    bare = sites[0].carbon.model_copy(update={"marginal_kg_per_mwh": None})
    told = carbon(_without(world, sites[0].model_copy(update={"carbon": bare})), run_of(world))
    assert told is not None
    assert told.marginal_kg is None
    assert told.by_site["texas"]["marginal_kg"] is None
    assert told.by_site["ontario"]["marginal_kg"] is not None
    assert told.location_kg is not None


def test_a_company_that_says_nothing_of_its_grids_has_no_ledger():
    world = made_world()
    sites = tuple(site.model_copy(update={"carbon": None}) for site in world.company.sites)
    silent = _with_company(world, world.company.model_copy(update={"sites": sites}))
    assert carbon(silent, run_of(world)) is None


def _without(world: World, site: Noun) -> World:
    """Return the world with its first site told otherwise, and no marginal series of it."""
    company = world.company.model_copy(update={"sites": (site, *world.company.sites[1:])})
    kept = {k: v for k, v in world.inputs.series.items() if k != "texas.marginal_kg_per_mwh"}
    return replace(world, company=company, inputs=replace(world.inputs, series=kept))


def _with_company(world: World, company: Company) -> World:
    return replace(world, company=company)
