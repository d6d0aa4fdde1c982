"""What one Mtok more costs now, and what a site's power costs at what it draws."""

import pytest
from observed import NOON, held_company, places_of

from tokenergy.api.observed.company import open_observed
from tokenergy.api.observed.now import priced_now


def priced(held, paris=0.3, oslo=0.1):
    opened = held.now
    places = places_of(held, opened.world)
    return priced_now(opened, places, {"paris-1": paris, "oslo-1": oslo})


def test_power_costs_what_the_contracts_charge(tmp_path):
    """Spot 80 and 20 of adder in Paris, spot 40 in Oslo."""
    now = priced(held_company(tmp_path))
    assert now.power_usd_per_mwh == pytest.approx((100.0, 40.0))
    assert now.findings == ()


def test_one_mtok_more_costs_its_energy_and_its_parts_add_up(tmp_path):
    """PUE x (its tokens, and its part of a full replica above its sleep) at 100 USD/MWh.

    Below a full replica it is the tokens alone.
    """
    held = held_company(tmp_path)
    now = priced(held)
    row = now.marginal["paris-1"]
    route, one = now.world.routes[0], now.world.deployments[0]
    above_mw = one.base_mw - now.world.fleets[0].sleep_mw_per_gpu
    mwh_per_mtok = 1.2 * (route.marginal_mwh_per_mtok + above_mw / route.rate_mtok_per_h)
    assert row.total_usd_per_mtok == pytest.approx(mwh_per_mtok * 100.0)
    within = 1.2 * route.marginal_mwh_per_mtok * 100.0
    assert row.within_replica_usd_per_mtok == pytest.approx(within)
    assert sum(row.parts().values()) == pytest.approx(row.total_usd_per_mtok)


def test_a_negative_price_is_a_price(tmp_path):
    now = priced(held_company(tmp_path, paris_price="-60"))
    assert now.power_usd_per_mwh[0] == pytest.approx(-40.0)
    assert now.marginal["paris-1"].parts()["energy"] < 0.0


def test_two_fleets_of_one_sku_have_a_row_each(tmp_path):
    """A second fleet of H100 in Paris whose replica was measured: its own energy, its own price."""
    held = held_company(tmp_path)
    text = held.path.read_text()
    text = text.replace(
        "  - {name: oslo-h100,",
        "  - {name: paris-two, site: paris, accelerator: H100, gpu_count: 2, "
        "lease: {kind: reserved, usd_per_gpu_hour: 2}}\n  - {name: oslo-h100,",
    )
    text = text.replace(
        "quality_share: 1}]",
        "quality_share: 1, measured: [{fleet: paris-two, output_tokens_per_s: 1000, "
        "full_w: 600, base_w: 200, note: by hand}]}]",
    )
    text += (
        '    - {name: paris-2, metrics_url: "http://127.0.0.1:9/2", fleet: paris-two, '
        "model: small}\n"
    )
    held.path.write_text(text)
    held = open_observed(held.path, at=NOON, past_count=24)
    places = places_of(held, held.now.world)
    mtok = {"paris-1": 0.3, "oslo-1": 0.1, "paris-2": 0.2}
    now = priced_now(held.now, places, mtok)
    first, second = now.marginal["paris-1"], now.marginal["paris-2"]
    # 0.4 J a token is 0.0001111 MWh a Mtok; 200 + 150 - 71.8 W over 3.6 Mtok/h are 0.0000773
    by_hand = 1.2 * (0.4 / 3.6e3 + 278.2e-6 / 3.6) * 100.0
    assert second.total_usd_per_mtok == pytest.approx(by_hand, rel=1e-6)
    assert first.total_usd_per_mtok != pytest.approx(by_hand, rel=0.01)


def test_what_cannot_be_is_a_finding(tmp_path):
    """Power that must be taken behind the meter and cannot leave: no dispatch, no price."""
    change = (
        "contracts:\n",
        "contracts:\n  - {kind: ppa_as_produced, id: sun, site: paris, project_mw: 1, share: 1, "
        "strike_usd_per_mwh: 50, delivery: behind_the_meter, profile: 1}\n",
    )
    held = held_company(tmp_path, change=change)
    now = priced(held)
    assert {finding.code for finding in now.findings} == {"OBSERVED_INFEASIBLE"}
    assert now.power_usd_per_mwh == (None, None)
