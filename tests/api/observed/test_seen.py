"""Each model's figures out of its engines' windows."""

from dataclasses import replace

import pytest
from observed import NOON, held_company, ones_of, places_of

from tokenergy.api.observed.company import open_observed
from tokenergy.api.observed.now import priced_now
from tokenergy.api.observed.saving import AgainstOne, ObservedSaving
from tokenergy.api.observed.seen import missing_prices, of_full_share, sites_seen


@pytest.fixture(scope="module")
def held(tmp_path_factory):
    return held_company(tmp_path_factory.mktemp("little"), past_count=24)


def seen(held, ones, mtok=(1.0, 0.3)):
    places = places_of(held, held.now.world)
    known = {each.engine.name: each_mtok for each, each_mtok in zip(places, mtok, strict=True)}
    return sites_seen(held, ones, priced_now(held.now, places, known))


def saving(usd):
    one = AgainstOne(baseline="as_observed", usd=usd, share=None, low_usd=None, high_usd=None,
                     block_h=None, blocks_count=0)  # fmt: skip
    return ObservedSaving(
        basis="usage", start=NOON.replace(hour=0), end=NOON.replace(hour=10), policy="mpc",
        against=(one,), cost_usd={}, whole_usd=usd, sleep_usd=0.0, placement_usd=usd,
        regret_share=None, refused_mtok=0.0, replicas_count=2.0,
    )  # fmt: skip


def test_an_idle_window_has_a_cost_and_no_cost_of_a_token(held):
    """0 tokens: nothing over 0, and yet an hour costs its rent, hall, staff and power.

    Paris: 2 USD of lease, 10 / 8 of staff, a quarter of the hall, and some power.
    """
    (paris, oslo) = seen(held, ones_of(held, 0, 0), (0.0, 0.0))
    model = paris.models[0]
    assert (model.usd_per_mtok_full, model.full_parts, model.j_per_token) == (None, None, None)
    share = 0.09 / (1 - 1.09**-15)
    rent = 2.0 + 10.0 / 8 + 10_000 * 50 * share / 8760 / 4
    power = model.joules.total_j / 60 * 3600 / 3.6e9 * 100.0
    assert model.full_usd_per_h == pytest.approx(rent + power)
    assert model.usd_per_mtok_marginal is not None
    assert (model.utilisation_share, oslo.models[0].tokens.output) == (0.0, 0)
    awake_mw = held.now.world.deployments[0].base_mw
    assert model.idle_usd_per_h == pytest.approx(2.0 + awake_mw * 1.2 * 100.0)


def test_a_share_of_the_full_cost_is_of_all_of_it(held):
    """10 h of what both engines cost an hour; None as soon as one of them is not known."""
    sites = seen(held, ones_of(held, 18_000, 6_000))
    usd_per_h = sum(site.models[0].full_usd_per_h for site in sites)
    assert of_full_share(saving(1.5), sites) == pytest.approx(1.5 / (10 * usd_per_h))
    assert of_full_share(saving(1.5), seen(held, ones_of(held, 18_000, None))) is None
    assert of_full_share(saving(1.5), seen(held, ones_of(held, 0, 6_000))) is not None
    assert of_full_share(saving(1.5), sites_seen(held, ones_of(held, 18_000, 6_000), None)) is None


def test_engines_of_one_model_add_up_and_a_silent_one_is_named(held):
    paris, oslo = ones_of(held, 18_000, 6_000)

    def named(name):
        return paris.place.engine.model_copy(update={"name": name})

    twin = replace(paris, place=replace(paris.place, engine=named("paris-2")))
    lost = replace(
        twin, place=replace(paris.place, engine=named("paris-3")),
        watched=replace(paris.watched, done=None),
    )  # fmt: skip
    model = seen(held, [paris, twin, lost, oslo])[0].models[0]
    assert (model.tokens.output, model.gpus_count, model.replicas_count) == (36_000, 2, 2)
    assert model.engines == ("paris-1", "paris-2", "paris-3")
    assert model.silent == ("paris-3",)
    assert model.joules.total_j == pytest.approx(2 * paris.joules.seen.total_j)


def test_two_workloads_of_one_model_have_two_prices(tmp_path):
    held = held_company(tmp_path, past_count=24)
    text = held.path.read_text()
    text = text.replace(
        "\nworkloads:\n",
        "\n  - {name: slow, service_tier: batch, ttft_limit_s: 60, tpot_limit_s: 1, "
        "deadline_s: 28800, price_usd_per_mtok: 1, value: from_price}\nworkloads:\n"
        "  - {name: night, tier: slow, origin: europe, ladder: [small], input_tokens: 3000, "
        "output_tokens: 200, arrivals: {mean_requests_per_s: 1}}\n",
    )
    text = text.replace("model: small}", "model: small, workload: chat}")
    text += '    - {name: night-1, metrics_url: "http://127.0.0.1:9/n", fleet: paris-h100, '
    text += "model: small, workload: night}\n"
    held.path.write_text(text)
    held = open_observed(held.path, at=NOON, past_count=24)
    ones = ones_of(held, 18_000, 6_000, 9_000)
    paris = seen(held, ones, (1.0, 0.3, 0.5))[0]
    assert [model.workload for model in paris.models] == ["chat", "night"]
    assert [model.engines for model in paris.models] == [("paris-1",), ("night-1",)]


def test_a_hall_without_a_price_is_told(tmp_path):
    held = held_company(tmp_path, past_count=24, change=("    facility_usd_per_kw: 10000\n", ""))
    found = list(missing_prices(held, ones_of(held, 18_000, 6_000)))
    assert [(each.code, each.path) for each in found] == [
        ("FULL_COST_INCOMPLETE", f"sites[{at}].facility_usd_per_kw") for at in (0, 1)
    ]
