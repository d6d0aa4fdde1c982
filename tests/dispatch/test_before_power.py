"""What does not stand there yet: ramps and deliveries by date, and who draws before them."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from worlds import company_of, inputs_of, site_dict

from tokenergy.dispatch.before_power import delivered_on, first_power_on
from tokenergy.dispatch.build import build_world
from tokenergy.dispatch.outages import alive, gpus_count, standing_mw
from tokenergy.dispatch.solve import solve_horizon
from tokenergy.dispatch.world import State, World
from tokenergy.files.catalogue import load_catalogue
from tokenergy.simulate.lost import broken_names

CATALOGUE = load_catalogue()
FLEET = {
    "name": "h100",
    "site": "texas",
    "accelerator": "H100",
    "gpu_count": 64,
    "owned": {"usd_per_gpu": 30000.0},
}
GAS = {
    "id": "gas", "kind": "on_site", "site": "texas", "capacity_mw": 5.0,
    "heat_rate_mmbtu_per_mwh": 9.0, "fuel_usd_per_mmbtu": 4.0,
}  # fmt: skip
SPOT = {"id": "spot-texas", "kind": "spot", "site": "texas"}


def ramp(*steps: tuple[str, float]) -> list[dict[str, object]]:
    return [{"start": start, "mw": mw} for start, mw in steps]


def built(*, history: int = 0, **changes) -> World:
    company = company_of(**changes)
    series = {"gas.fuel_usd_per_mmbtu": np.full(history + 48, 4.0)}
    return build_world(company, inputs_of(company, history=history, series=series), CATALOGUE)


def there(made: World) -> np.ndarray:
    return gpus_count(made, np.arange(made.last))[0]


def test_each_step_of_a_ramp_stands_until_the_next() -> None:
    """Midnight in Chicago is 06:00 UTC: nothing before the 2nd, 20 MW on it, 50 from the 3rd."""
    made = built(sites=[site_dict(ramp=ramp(("2026-03-02", 20.0), ("2026-03-03", 50.0)))])
    assert made.import_limit_mw[0].tolist() == [0.0] * 6 + [20.0] * 24 + [50.0] * 18


def test_a_ramp_that_began_long_ago_is_a_plain_connection() -> None:
    made, plain = built(sites=[site_dict(ramp=ramp(("2020-01-01", 50.0)))]), built()
    assert np.array_equal(made.import_limit_mw, plain.import_limit_mw)
    assert made.losses == ()


def test_energised_on_and_a_ramp_hold_both() -> None:
    site = site_dict(ramp=ramp(("2026-03-01", 50.0)), energised_on="2026-03-03")
    made = built(sites=[site])
    assert not made.import_limit_mw[0, :30].any()
    assert first_power_on(made.company.sites[0]) == date(2026, 3, 3)


def test_nothing_stands_at_a_site_before_its_ramp_begins() -> None:
    """No fixed load, no GPUs, no export before 06:00 of the 3rd, and all of it after."""
    site = site_dict(ramp=ramp(("2026-03-03", 50.0)), fixed_load_mw=2.0, export_limit_mw=7.0)
    made = built(sites=[site])
    span = np.arange(48)
    lit = alive(made, span)
    assert not lit[0, :30].any()
    assert lit[0, 30:].all()
    assert there(made).tolist() == [0.0] * 30 + [64.0 * 1.0] * 18
    assert made.export_limit_mw[0].tolist() == [0.0] * 30 + [7.0] * 18
    standing = standing_mw(made, gpus_count(made, span), lit)[0]
    assert not standing[:30].any()
    assert (standing[30:] >= 2.0).all()


def test_what_comes_later_is_known_and_nothing_that_broke() -> None:
    made = built(
        history=24,
        sites=[site_dict(ramp=ramp(("2026-03-03", 50.0)))],
        fleets=[{**FLEET, "delivered_on": "2026-03-03"}],
    )
    assert len(made.losses) == 2
    assert all(loss.comes and loss.announced == 0 and loss.begin == 0 for loss in made.losses)
    assert {loss.end for loss in made.losses} == {54}
    assert broken_names(made) == ()


def test_gpus_come_on_their_day() -> None:
    made = built(fleets=[{**FLEET, "delivered_on": "2026-03-03"}])
    assert there(made).tolist() == [0.0] * 30 + [64.0] * 18
    assert alive(made, np.arange(48)).all()  # the site itself has stood all along


@pytest.mark.parametrize(
    ("fleet", "contracts", "day"),
    [
        ({}, [SPOT], date(2026, 3, 3)),  # with the first power of its site
        ({"delivered_on": "2026-03-02"}, [SPOT], date(2026, 3, 2)),  # as stated
        ({}, [SPOT, GAS], None),  # a turbine may power it before
        ({"delivered_on": "2026-03-04"}, [SPOT, GAS], date(2026, 3, 4)),
    ],
)
def test_when_gpus_come(fleet, contracts, day) -> None:
    company = company_of(
        sites=[site_dict(ramp=ramp(("2026-03-03", 50.0)))],
        fleets=[{**FLEET, **fleet}],
        contracts=contracts,
    )
    assert delivered_on(company.fleets[0], company) == day


def test_a_site_with_a_plant_of_its_own_stands_before_the_grid_comes() -> None:
    site = site_dict(ramp=ramp(("2026-03-03", 50.0)), fixed_load_mw=2.0)
    made = built(sites=[site], contracts=[SPOT, GAS])
    assert made.losses == ()
    optimum = solve_horizon(made, State.initial(made))
    assert optimum is not None
    # 2 MW x PUE 1.2 and sleeping GPUs come from the turbine for the first 30 hours
    assert (optimum.value("generate")[:30, 0] >= 2.4 - 1e-9).all()


def test_a_site_energised_later_without_a_ramp_is_as_it_was() -> None:
    made = built(sites=[site_dict(energised_on="2026-03-03")])
    assert made.losses == ()
    assert there(made).tolist() == [64.0] * 48


def test_the_program_serves_nothing_before_and_everything_after() -> None:
    """A must-serve tier cannot be served for 30 hours: what may be refused is, and no more."""
    made = built(
        sites=[site_dict(ramp=ramp(("2026-03-03", 50.0)), fixed_load_mw=1.0)],
        tiers=[
            {
                "name": "chat", "service_tier": "priority", "ttft_limit_s": 1.0,
                "tpot_limit_s": 0.05, "price_usd_per_mtok": 3.0, "value": "from_price",
            }
        ],
    )  # fmt: skip
    optimum = solve_horizon(made, State.initial(made))
    assert optimum is not None
    refused = optimum.value("refused")[:, 0]
    assert refused[:30] == pytest.approx(made.arrivals_mtok[0, :30])
    assert refused[31:] == pytest.approx(np.zeros(17), abs=1e-9)
    assert not optimum.value("meter_import")[:30].any()


def test_losses_of_an_outage_stand_beside_what_comes_later() -> None:
    outage = {"what": "fleet", "name": "h100", "start": "2026-03-03T10:00Z", "length_h": 2}
    made = built(fleets=[{**FLEET, "delivered_on": "2026-03-03"}], outages=[outage])
    assert there(made).tolist() == [0.0] * 30 + [64.0] * 4 + [0.0] * 2 + [64.0] * 12
    assert broken_names(made) == ("fleet h100",)
    assert replace(made, losses=()).last == made.last
