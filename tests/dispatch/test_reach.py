"""Which workload reaches which deployment, what a replica does for it there, what it is worth."""

from dataclasses import replace

import numpy as np
import pytest
from worlds import company_dict, company_of, inputs_of, site_dict, tier_dict, workload_dict

from tokenergy.company.inputs import Lengths
from tokenergy.dispatch import points as points_room
from tokenergy.dispatch.build import build_world
from tokenergy.dispatch.columns import quality_loss_usd_per_mtok
from tokenergy.dispatch.reach import build_routes
from tokenergy.dispatch.solve import solve_horizon
from tokenergy.energy.operating_point import language_operating_point, media_operating_point
from tokenergy.errors import DoesNotFit
from tokenergy.files.catalogue import load_catalogue

CATALOGUE = load_catalogue()


def routed(series=None, **changes):
    company = company_of(**changes)
    return build_routes(company, inputs_of(company, **(series or {})), CATALOGUE)


def fleet_dict(**changes) -> dict:
    made = {**company_dict()["fleets"][0], **changes}
    return {key: value for key, value in made.items() if value is not None}


def model_dict(**changes) -> dict:
    return {**company_dict()["models"][0], **changes}


def point_of(**changes):
    """Return the operating point that the company of `company_dict` should have."""
    asked = {
        "model": "llama-3.1-8b",
        "accelerator": "H100",
        "gpus_count": 1,
        "tpot_limit_s": 0.05,
        "input_tokens_count": 500.0,
        "output_tokens_count": 250.0,
        "host_w_per_gpu": 150.0,
    }
    return language_operating_point(CATALOGUE, **{**asked, **changes})


# ---- a replica at its operating point ----------------------------------------------------


def test_a_route_is_the_operating_point():
    found = routed()
    (spec,), (only,) = found.deployments, found.routes
    point = point_of()
    assert spec.name == "small@h100"
    assert (spec.model, spec.accelerator, spec.fleet, spec.site) == ("small", "H100", 0, 0)
    assert (spec.gpus_count, spec.external) == (1, False)
    assert spec.base_mw == pytest.approx(point.base_mw)
    assert spec.wake_h == pytest.approx(point.wake_h)
    assert spec.wake_mwh == pytest.approx(point.base_mw * point.wake_h)
    assert only.rate_mtok_per_h == pytest.approx(point.rate_mtok_per_h)
    assert only.marginal_mwh_per_mtok == pytest.approx(point.marginal_mwh_per_mtok)
    assert only.quality_share == 0.8
    assert only.kappa_ratio == pytest.approx(point.input_output_cost_ratio_share)


def test_a_full_replica_draws_the_power_of_its_point():
    """0.82 x 700 W of board and 150 W of host: 724 W, whatever the split in base and slope."""
    found = routed()
    (spec,), (only,) = found.deployments, found.routes
    drawn_mw = spec.base_mw + only.marginal_mwh_per_mtok * only.rate_mtok_per_h
    assert drawn_mw == pytest.approx((0.82 * 700 + 150) / 1e6)


def test_workloads_that_share_a_deployment_each_meet_their_own_point(monkeypatch):
    """The base is the least of both; for the other workload the rest of its base is marginal.

    Base + marginal x rate is its own point's power, and never less than the shared base.
    """
    honest = points_room.language_operating_point

    def heavier(catalogue, **asked):
        point = honest(catalogue, **asked)
        extra = 1.4 if asked["output_tokens_count"] == 900.0 else 1.0
        return replace(point, base_mw=point.base_mw * extra)

    monkeypatch.setattr(points_room, "language_operating_point", heavier)
    found = routed(
        workloads=[
            workload_dict("long", output_tokens=900.0),
            workload_dict("short"),
        ]
    )
    (spec,) = found.deployments
    points = [
        heavier(
            CATALOGUE,
            model="llama-3.1-8b",
            accelerator="H100",
            gpus_count=1,
            tpot_limit_s=0.05,
            input_tokens_count=500.0,
            output_tokens_count=tokens,
        )
        for tokens in (900.0, 250.0)
    ]
    assert spec.base_mw == pytest.approx(min(point.base_mw for point in points))
    for each, point in zip(found.routes, points, strict=True):
        ours = spec.base_mw + each.marginal_mwh_per_mtok * each.rate_mtok_per_h
        theirs = point.base_mw + point.marginal_mwh_per_mtok * point.rate_mtok_per_h
        assert ours == pytest.approx(theirs)


def test_precision_batch_limit_and_host_reach_the_point():
    found = routed(
        models=[model_dict(precision="fp8", batch_limit=32)], sites=[site_dict(host_w_per_gpu=90.0)]
    )
    point = point_of(bytes_per_weight=1.0, batch_limit_count=32, host_w_per_gpu=90.0)
    assert found.routes[0].rate_mtok_per_h == pytest.approx(point.rate_mtok_per_h)
    assert found.deployments[0].base_mw == pytest.approx(point.base_mw)


def test_lengths_may_come_from_a_trace():
    trace = {"lengths": {"file": "x.csv", "input_column": "i", "output_column": "o"}}
    bare = {key: value for key, value in workload_dict().items() if "tokens" not in key}
    found = routed(
        series={"lengths": {"chat-us": Lengths(input_tokens=1000.0, output_tokens=400.0)}},
        workloads=[{**bare, **trace}],
    )
    point = point_of(input_tokens_count=1000.0, output_tokens_count=400.0)
    assert found.routes[0].rate_mtok_per_h == pytest.approx(point.rate_mtok_per_h)
    assert found.tokens_per_request_count == (400.0,)


def test_a_stated_wake_wins_over_the_guess():
    """90 s are 0.025 h."""
    spec = routed(models=[model_dict(wake_s=90.0)]).deployments[0]
    assert spec.wake_h == pytest.approx(0.025)
    assert spec.wake_mwh == pytest.approx(0.025 * spec.base_mw)


# ---- who reaches whom --------------------------------------------------------------------


def two_sites(**changes) -> dict:
    """Return a company in Texas and in Frankfurt, 8,400 km away: 5 + 1.4 x 84 = 122 ms."""
    return {
        "sites": [
            site_dict(),
            site_dict("frankfurt", latitude_deg=50.1, longitude_deg=8.7),
        ],
        "contracts": [
            {"id": f"spot-{name}", "kind": "spot", "site": name} for name in ("texas", "frankfurt")
        ],
        "fleets": [fleet_dict(), fleet_dict(name="far", site="frankfurt")],
        **changes,
    }


def test_a_far_site_is_reached_where_the_limit_allows():
    found = routed(**two_sites())
    assert [each.deployment for each in found.routes] == [0, 1]
    near, far = found.routes
    assert near.rtt_ms == pytest.approx(5.0)
    assert far.rtt_ms == pytest.approx(5.0 + 1.4 * far.distance_km / 100)
    assert 8000 < far.distance_km < 8800
    assert not found.unreachable


def test_a_far_site_is_out_of_reach_of_an_impatient_tier():
    """110 ms to the first token: 5 ms of network pass, 122 ms do not."""
    found = routed(**two_sites(tiers=[tier_dict(ttft_limit_s=0.11)]))
    assert [found.deployments[r.deployment].name for r in found.routes] == ["small@h100"]
    ((who, where, why),) = found.unreachable
    assert (who, where) == ("chat-us", "small@far")
    assert "ms of network exceeds the tier's 0.11 s" in why


def test_a_measured_round_trip_wins():
    network = {"rtt": [{"region": "us", "site": "frankfurt", "rtt_ms": 40.0}]}
    found = routed(**two_sites(tiers=[tier_dict(ttft_limit_s=0.11)], network=network))
    assert [each.rtt_ms for each in found.routes] == pytest.approx([5.0, 40.0])


def test_a_token_faster_than_the_hardware_is_out_of_reach():
    found = routed(tiers=[tier_dict(tpot_limit_s=1e-4)])
    assert not found.routes
    assert "TPOT limit" in found.unreachable[0][2]


def test_a_model_that_does_not_fit_is_out_of_reach_unless_it_was_put_there_by_name():
    """70B in BF16 are 140 GB, one H100 has 80."""
    found = routed(models=[model_dict(catalogue="llama-3.1-70b")])
    assert not found.routes
    assert "GPUs hold them" in found.unreachable[0][2]
    with pytest.raises(DoesNotFit):
        routed(models=[model_dict(catalogue="llama-3.1-70b", fleets=["h100"])])


def test_a_model_stays_on_its_fleets():
    found = routed(**two_sites(models=[model_dict(fleets=["far"])]))
    assert [spec.name for spec in found.deployments] == ["small@far"]
    assert not found.unreachable


def test_a_ladder_offers_every_rung_and_what_a_downgrade_loses():
    """Asked for 0.8, given 0.6: a quarter of the value, 2 x (1 - 0.6 / 0.8) = 0.5 USD a Mtok."""
    company = company_of(
        models=[
            model_dict(),
            model_dict(name="tiny", catalogue="qwen3-8b", quality_share=0.6),
        ],
        workloads=[workload_dict(ladder=["small", "tiny"])],
    )
    made = build_world(company, inputs_of(company), CATALOGUE)
    assert [made.deployments[r.deployment].model for r in made.routes] == ["small", "tiny"]
    assert made.workloads[0].asked_quality_share == 0.8
    assert quality_loss_usd_per_mtok(made) == pytest.approx([0.0, 0.5])


def test_routes_are_sorted_and_deployments_of_ones_own_come_first():
    api = {"name": "other", "model": "small", "usd_per_mtok": 3.0, "quality_share": 0.8}
    found = routed(
        **two_sites(external_apis=[api], workloads=[workload_dict("a"), workload_dict("b")])
    )
    assert [spec.external for spec in found.deployments] == [False, False, True]
    places = [(each.workload, each.deployment) for each in found.routes]
    assert places == sorted(places)
    assert len(places) == 6


# ---- leases and make-or-buy --------------------------------------------------------------


def api_dict(**changes) -> dict:
    return {
        "name": "other",
        "model": "small",
        "usd_per_mtok": 3.0,
        "quality_share": 0.9,
        "limit_mtok_per_h": 50.0,
        **changes,
    }


def test_an_external_api_is_a_deployment_without_megawatts():
    found = routed(external_apis=[api_dict()])
    spec, only = found.deployments[1], found.routes[1]
    assert (spec.name, spec.model, spec.accelerator) == ("other", "small", "external")
    assert (spec.base_mw, spec.wake_mwh, spec.gpus_count) == (0.0, 0.0, 0)
    assert spec.limit_mtok_per_h == 50.0
    assert (only.api_usd_per_mtok, only.quality_share) == (3.0, 0.9)
    assert only.marginal_mwh_per_mtok == 0.0
    assert routed(external_apis=[api_dict(limit_mtok_per_h=None)]).deployments[
        1
    ].limit_mtok_per_h == float("inf")


def test_an_api_that_is_too_slow_or_of_another_model_is_no_route():
    slow = routed(external_apis=[api_dict(ttft_s=3.0)])
    assert len(slow.routes) == 1
    assert slow.unreachable == (
        ("chat-us", "other", "3 s to the first token and 0.02 s per token miss the tier's 1 s "
         "and 0.05 s"),
    )  # fmt: skip
    other = routed(
        models=[model_dict(), model_dict(name="big", quality_share=1.0)],
        external_apis=[api_dict(model="big")],
    )
    assert len(other.routes) == 1
    assert not other.unreachable


@pytest.mark.parametrize(
    ("lease", "usd"),
    [
        (None, 0.0),
        ({"kind": "on_demand", "usd_per_gpu_hour": 2.5}, 2.5),
        ({"kind": "reserved", "usd_per_gpu_hour": 1.8}, 0.0),
        ({"kind": "spot", "usd_per_gpu_hour": 1.1}, 1.1),
    ],
)
def test_only_a_lease_by_the_hour_is_paid_while_awake(lease, usd):
    changes = {} if lease is None else {"owned": None, "lease": lease}
    (spec,) = routed(fleets=[fleet_dict(**changes)]).fleets
    assert spec.lease_usd_per_gpu_hour == usd


def test_an_on_demand_lease_is_in_the_cost_of_serving():
    """One replica-hour of one GPU at 2.5 USD for each `rate` Mtok, and the energy beside it."""
    lease = {"owned": None, "lease": {"kind": "on_demand", "usd_per_gpu_hour": 2.5}}
    costs = []
    for changes in ({}, lease):
        company = company_of(fleets=[fleet_dict(**changes)], models=[model_dict(wake_s=0.0)])
        made = build_world(company, inputs_of(company), CATALOGUE)
        # worth enough to be served with the lease
        made = replace(made, workloads=(replace(made.workloads[0], value_usd_per_mtok=1e3),))
        costs.append(solve_horizon(made).objective_usd)
    hours = made.arrivals_mtok.sum() / made.routes[0].rate_mtok_per_h
    assert costs[1] - costs[0] == pytest.approx(2.5 * hours)


def test_an_interruptible_lease_wakes_again_and_again():
    """0.1 interruptions an hour and GPU, two GPUs a replica, 180 s to wake.

    0.2 x 0.05 = 1 % of the time lost, and as much of the base drawn on top.
    """
    models = [model_dict(gpus_per_replica=2, wake_s=180.0)]
    lease = {"kind": "spot", "usd_per_gpu_hour": 1.0}
    calm = routed(models=models, fleets=[fleet_dict(owned=None, lease=lease)])
    stormy = routed(
        models=models,
        fleets=[fleet_dict(owned=None, lease={**lease, "interruptions_per_h": 0.1})],
    )
    assert stormy.routes[0].rate_mtok_per_h == pytest.approx(0.99 * calm.routes[0].rate_mtok_per_h)
    assert stormy.deployments[0].base_mw == pytest.approx(1.01 * calm.deployments[0].base_mw)


def test_a_fleet_is_what_is_not_broken_and_sleeps_at_its_idle_watts():
    """64 GPUs, 95 % available: 60.8. An H100 idles at 71.8 W."""
    (spec,) = routed(fleets=[fleet_dict(available_share=0.95)]).fleets
    assert spec.gpus_count == pytest.approx(60.8)
    assert spec.sleep_mw_per_gpu == pytest.approx(71.8e-6)


def test_egress_is_paid_by_the_byte():
    """0.09 USD a GB, 6 bytes a token: 1e6 x 6 / 1e9 x 0.09 = 0.00054 USD a Mtok."""
    found = routed(network={"egress_usd_per_gb": 0.09})
    assert found.routes[0].network_usd_per_mtok == pytest.approx(0.00054)


# ---- what work is worth, and how long it may wait ----------------------------------------

VALUES = {
    # requests of 250 tokens: 4,000 a Mtok
    "per Mtok": ({"value_usd_per_mtok": 7.0, "value": None}, 7.0),
    "per request": ({"value_usd_per_request": 0.002, "value": None}, 8.0),
    "from its price": ({}, 2.0),
    "from conversion": (
        {"from_conversion": {"uplift_share": 1e-5, "ltv_usd": 120.0}, "value": None},
        4.8,
    ),
}


@pytest.mark.parametrize("form", VALUES)
def test_the_four_forms_of_a_value(form):
    """A Mtok is 4,000 requests of 250 tokens: 4,000 x 0.002 = 8; 4,000 x 1e-5 x 120 = 4.8."""
    changes, usd = VALUES[form]
    (spec,) = routed(tiers=[tier_dict(**changes)]).workloads
    assert spec.value_usd_per_mtok == pytest.approx(usd)
    assert spec.price_usd_per_mtok == pytest.approx(2.0)


def test_a_price_by_the_request_is_a_price_by_the_mtok():
    """0.01 USD a request: 40 USD a Mtok, and worth that."""
    tier = tier_dict(price_usd_per_mtok=None, price_usd_per_request=0.01)
    (spec,) = routed(tiers=[tier]).workloads
    assert spec.price_usd_per_mtok == spec.value_usd_per_mtok == pytest.approx(40.0)


@pytest.mark.parametrize(
    ("deadline_s", "step_h", "count"),
    [(0.0, 1.0, 0), (3599.0, 1.0, 0), (3600.0, 1.0, 1), (5400.0, 0.5, 3), (86400.0, 0.25, 96)],
)
def test_a_deadline_is_whole_intervals_of_waiting(deadline_s, step_h, count):
    """Work may wait only for whole intervals: 1.5 h are 3 half hours, 59 min are no hour."""
    (spec,) = routed(
        horizon={"start": "2026-03-02T00:00:00Z", "days": 1.0, "step_h": step_h},
        tiers=[tier_dict(deadline_s=deadline_s)],
    ).workloads
    assert spec.defer_count == count


def test_must_serve_and_names_come_from_the_tier():
    (spec,) = routed(tiers=[tier_dict(must_serve=True)]).workloads
    assert (spec.must_serve, spec.tier, spec.origin) == (True, "chat", "us")


# ---- media -------------------------------------------------------------------------------


def video(**shape) -> dict:
    """Return a company that makes videos of 81 x 480 x 832 (32,760 latent tokens) on one H100."""
    bare = {key: value for key, value in workload_dict().items() if "tokens" not in key}
    form = {"height": 480, "width": 832, "frames": 81, "steps": 50, "fps": 16.0}
    return {
        "models": [
            {
                "name": "film",
                "catalogue": "wan2.1-1.3b",
                "quality_share": 1.0,
                "shape": {**form, **shape},
            }
        ],
        "tiers": [
            tier_dict(ttft_limit_s=3600.0, price_usd_per_mtok=None, price_usd_per_request=0.5)
        ],
        "workloads": [{**bare, "ladder": ["film"], "items_per_request": 2.0}],
    }


def test_video_counts_the_latent_tokens_of_its_items():
    """32,760 tokens an item, two items a request: 65,520.

    2 requests a second for an hour are 471.744 Mtok. 81 frames at 16 a second last 5.0625 s. 0.5
    USD a request: 7.63 USD a Mtok.
    """
    company = company_of(**video())
    made = build_world(company, inputs_of(company), CATALOGUE)
    (spec,) = made.workloads
    assert spec.tokens_per_item_count == 32_760
    assert spec.tokens_per_request_count == 65_520
    assert spec.video_s_per_item == pytest.approx(5.0625)
    assert made.arrivals_mtok[0, 0] == pytest.approx(2 * 3600 * 65_520 / 1e6)
    assert spec.value_usd_per_mtok == pytest.approx(0.5 * 1e6 / 65_520)
    point = media_operating_point(
        CATALOGUE,
        model="wan2.1-1.3b",
        accelerator="H100",
        gpus_count=1,
        height=480,
        width=832,
        frames=81,
        steps=50,
    )
    assert made.routes[0].rate_mtok_per_h == pytest.approx(point.rate_mtok_per_h)
    assert made.routes[0].marginal_mwh_per_mtok == 0.0
    assert made.deployments[0].base_mw == pytest.approx((0.9 * 700 + 150) / 1e6)


def test_an_item_later_than_its_limit_is_out_of_reach():
    """A Wan clip takes minutes on one H100: not within 30 s."""
    changes = video()
    changes["tiers"] = [tier_dict(ttft_limit_s=30.0)]
    found = routed(**changes)
    assert not found.routes
    assert "exceeds the tier's 30 s" in found.unreachable[0][2]


def test_a_smaller_rung_answers_the_same_item_with_fewer_tokens_of_its_own(monkeypatch):
    """Asked: 81 frames. The lower rung makes 41, and its items count as the items asked for.

    So items an hour and MWh an item are those of its own operating point, though work is
    counted in Mtok of 32,760 tokens an item. (A slope is put in: media have none.)
    """
    honest = points_room.media_operating_point

    def sloped(catalogue, **asked):
        return replace(honest(catalogue, **asked), marginal_mwh_per_mtok=0.3)

    monkeypatch.setattr(points_room, "media_operating_point", sloped)
    changes = video()
    rung = {**changes["models"][0], "name": "clip", "quality_share": 0.5}
    rung["shape"] = {**rung["shape"], "frames": 41}
    changes["models"].append(rung)
    changes["workloads"][0]["ladder"] = ["film", "clip"]
    found = routed(**changes)
    for each, frames in zip(found.routes, (81, 41), strict=True):
        point = sloped(
            CATALOGUE,
            model="wan2.1-1.3b",
            accelerator="H100",
            gpus_count=1,
            height=480,
            width=832,
            frames=frames,
            steps=50,
        )
        own = point.tokens_per_item_count
        assert each.rate_mtok_per_h / 32_760 == pytest.approx(point.rate_mtok_per_h / own)
        assert each.marginal_mwh_per_mtok * 32_760 == pytest.approx(0.3 * own)


# ---- the whole company -------------------------------------------------------------------


def test_a_whole_company_can_be_solved():
    """Texas and Frankfurt, a contract, a battery, an API, waiting and must-serve work."""
    changes = two_sites(
        external_apis=[api_dict()],
        batteries=[{"name": "b", "site": "texas", "power_mw": 2.0, "capacity_mwh": 8.0}],
        tiers=[
            tier_dict(must_serve=True),
            tier_dict("batch", service_tier="batch", deadline_s=7200.0, ttft_limit_s=60.0),
        ],
        workloads=[workload_dict(), workload_dict("night", tier="batch")],
    )
    company = company_of(**changes)
    rng = np.random.default_rng(0)
    prices = {site.name: rng.uniform(-5.0, 90.0, 48) for site in company.sites}
    made = build_world(company, inputs_of(company, price_usd_per_mwh=prices), CATALOGUE)
    optimum = solve_horizon(made)
    assert optimum.value("refused").max() <= 1e-9
    assert optimum.value("serve").sum() == pytest.approx(made.arrivals_mtok.sum())
