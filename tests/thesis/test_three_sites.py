"""Three sites or one: equal megawatts, real distances, rules that choose by name alone."""

import math
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.company.check import check_company
from tokenergy.company.finding import errors_of
from tokenergy.dispatch.solve import WindowModel
from tokenergy.dispatch.window import true_window
from tokenergy.errors import InputError
from tokenergy.files.catalogue import load_catalogue
from tokenergy.files.presets import load_ranges
from tokenergy.thesis.inputs import HourlyPrices, ThesisInputs
from tokenergy.thesis.three_company import FIXED_MW, OUTPUT_TOKENS, PLACES, PUE, Terms
from tokenergy.thesis.three_sites import (
    bound_hours,
    findings_of,
    mw_rent_usd_per_mwh,
    scene_of,
    spread_starts,
    warm,
    zones_of,
)

HOURS = 40 * 24
REAL = tuple(place.zones[0] for place in PLACES)
TERMS = Terms.base(load_ranges())


def prices(**zones) -> HourlyPrices:
    named = {name.replace("_", "-"): np.asarray(row, float) for name, row in zones.items()}
    return HourlyPrices(
        start=datetime(2023, 1, 1, tzinfo=UTC), usd_per_mwh=named, source="test", synthetic=False
    )


def inputs_of(*levels, hours=HOURS) -> ThesisInputs:
    """Return inputs whose three real zones have flat prices."""
    rows = {zone: np.full(hours, level) for zone, level in zip(REAL, levels, strict=True)}
    return ThesisInputs(
        catalogue=load_catalogue(), presets=(), ranges=load_ranges(), prices=prices(**rows)
    )


@pytest.fixture(scope="module")
def scene():
    return scene_of(inputs_of(20.0, 30.0, 40.0))


def test_zones_are_chosen_by_name_then_by_order_and_never_with_a_gap():
    flat, gap = [1.0, 1.0], [1.0, math.nan]
    shuffled = {"other": flat, **dict.fromkeys(reversed(REAL), flat)}
    assert zones_of(prices(**shuffled)) == (REAL, True)
    fed = dict.fromkeys(("new-york", "virginia", "texas", "california"), flat)
    assert zones_of(prices(**fed)) == (("texas", "california", "new-york"), True)
    assert zones_of(prices(a=flat, b=gap, c=flat, d=flat)) == (("a", "c", "d"), False)
    with pytest.raises(InputError, match="2 price zones without a missing hour, 3 are needed"):
        zones_of(prices(a=flat, b=gap, c=flat))


def test_a_reader_is_told_of_invented_prices_and_of_places_that_are_not_the_zones():
    flat = np.full(24, 30.0)
    made = replace(inputs_of(1, 1, 1), prices=prices(a=flat, b=flat, c=flat))
    made = replace(made, prices=replace(made.prices, synthetic=True))
    codes = [finding.code for finding in findings_of(scene_of(made))]
    assert codes == ["SYNTHETIC_PRICES", "ZONES_ELSEWHERE"]
    assert findings_of(scene_of(inputs_of(1.0, 1.0, 1.0))) == ()


def test_the_company_passes_the_checks_of_a_company_file(scene):
    three = scene.three(4_500)
    for layout in (three, *(scene.gathered(three, at) for at in range(3))):
        world = scene.world(layout, TERMS, first=672, hours_count=168)
        assert errors_of(check_company(world.company, scene.catalogue)) == ()


@given(st.integers(3, 100_000), st.integers(0, 2))
def test_one_site_has_the_gpus_and_the_megawatts_of_three(count, place):
    made = scene_of(inputs_of(20.0, 30.0, 40.0, hours=24))
    three = made.three(count)
    one = made.gathered(three, place)
    assert one.built() == (place,)
    assert sum(one.gpus_count) == sum(three.gpus_count) == count - count % 3
    assert sum(one.import_limit_mw) == pytest.approx(sum(three.import_limit_mw))


def test_megawatts_never_bind_with_all_gpus_busy(scene):
    """All GPUs at full load and the fixed load draw 1 / 1.05 of the limit."""
    made = scene.three(4_500)
    draw_mw = PUE * (FIXED_MW + 1_500 * scene.gpu_mw)
    assert made.import_limit_mw == pytest.approx([1.05 * draw_mw] * 3)


def test_round_trips_are_those_of_the_distances(scene):
    """Great circles by the spherical law of cosines: 5 ms and 1.4 ms for every 100 km."""
    world = scene.world(scene.three(4_500), TERMS, first=672, hours_count=24)
    assert len(world.routes) == 12
    for route in world.routes:
        a = PLACES[route.workload if route.workload < 3 else 0]
        b = PLACES[world.deployments[route.deployment].site]
        lat, to = math.radians(a.latitude_deg), math.radians(b.latitude_deg)
        turn = math.radians(a.longitude_deg - b.longitude_deg)
        cosine = math.sin(lat) * math.sin(to) + math.cos(lat) * math.cos(to) * math.cos(turn)
        km = 6371.0 * math.acos(min(1.0, cosine))
        assert route.rtt_ms == pytest.approx(5.0 + 1.4 * km / 100.0, abs=1e-4)


def test_a_tight_latency_limit_keeps_chat_at_home_and_lets_batch_travel(scene):
    """20 ms of network: nobody but the region beside a site; batch has an hour."""
    terms = replace(TERMS, ttft_limit_s=scene.chat_ttft_s + 0.020)
    world = scene.world(scene.three(4_500), terms, first=672, hours_count=24)
    pairs = {(r.workload, world.deployments[r.deployment].site) for r in world.routes}
    assert pairs == {(0, 0), (1, 1), (2, 2), (3, 0), (3, 1), (3, 2)}


def test_batch_is_its_share_of_all_tokens(scene):
    mean = {name: float(row.mean()) for name, row in scene.requests_per_s.items()}
    assert mean["batch"] / sum(mean.values()) == pytest.approx(0.3, abs=0.01)


def test_gpus_by_hour_are_requests_over_what_a_gpu_makes(scene):
    asked = scene.requests_per_s["chat-california"] * 3600.0 * OUTPUT_TOKENS / 1e6
    assert scene.gpus_by_hour()[1] == pytest.approx(asked / scene.chat_mtok_per_h)


def test_a_mwh_makes_what_it_is_said_to_make(scene):
    """Flat prices of 20 at one site: an Mtok more of chat costs 20 / (Mtok per MWh), and egress."""
    layout = scene.gathered(scene.three(9_000), 0)
    world = scene.world(layout, TERMS, first=672, hours_count=24)
    window = true_window(world, begin=672, count=24)
    more = replace(window, arrivals_mtok=window.arrivals_mtok + np.eye(4)[:1].T * np.eye(24)[12])
    model = WindowModel(world, window, warm(world))
    gained = model.solve(more, warm(world)).objective_usd
    gained -= model.solve(window, warm(world)).objective_usd
    egress_usd_per_mtok = 0.02 * 6.0 * 1e6 / 1e9
    # Replicas that wake for the hour draw a little more: below 3 %.
    assert gained == pytest.approx(20.0 / scene.mtok_per_mwh() + egress_usd_per_mtok, rel=0.03)


def test_spans_are_spread_by_rule_and_within_the_series(scene):
    """40 days: 288 h after the history, one whole week; 20 windows of 48 h, every second."""
    assert spread_starts(scene, span_h=168, most_count=12, history_h=672) == (672,)
    windows = spread_starts(scene, span_h=48, most_count=12, history_h=0)
    assert windows == tuple(range(0, 960, 96))
    assert spread_starts(scene, span_h=168, most_count=12, history_h=900) == ()


@given(st.integers(1, 400), st.integers(1, 20))
def test_spans_never_overlap_and_are_never_too_many(span_h, most):
    made = scene_of(inputs_of(1.0, 1.0, 1.0, hours=960))
    starts = spread_starts(made, span_h=span_h, most_count=most, history_h=24)
    assert 1 <= len(starts) <= most
    assert all(b - a >= span_h for a, b in pairwise(starts))
    assert starts[0] == 24 and starts[-1] + span_h <= 960


def test_hours_outside_the_series_are_refused(scene):
    with pytest.raises(InputError, match="need 672 h of prices before"):
        scene.world(scene.three(300), TERMS, first=100, hours_count=24)
    with pytest.raises(InputError, match="within the 960 h"):
        scene.world(scene.three(300), TERMS, first=950, hours_count=24)


def test_a_digest_tells_every_series_apart(scene):
    same = scene_of(inputs_of(20.0, 30.0, 40.0))
    other = scene_of(replace(inputs_of(20.0, 30.0, 40.0), seed=2))
    dearer = scene_of(inputs_of(20.0, 30.0, 40.001))
    assert scene.digest() == same.digest()
    assert len({scene.digest(), other.digest(), dearer.digest()}) == 3


def test_prices_that_cannot_be_scaled_are_refused():
    with pytest.raises(InputError, match="US-CAL-CISO 0"):
        scene_of(inputs_of(1.0, 0.0, 1.0)).mean_usd_per_mwh()


def test_rent_stands_only_where_the_limit_binds(scene):
    """Complementary slackness: no rent in an hour below the limit."""
    world = scene.world(scene.three(4_500), TERMS, first=672, hours_count=48)
    window = true_window(world, begin=672, count=48)
    rows = window.import_limit_mw.copy()
    rows[1] *= 0.7
    model = WindowModel(world, replace(window, import_limit_mw=rows), warm(world))
    optimum = model.solved(replace(window, import_limit_mw=rows))
    bound, rent = bound_hours(optimum, 1), mw_rent_usd_per_mwh(optimum)
    assert 0 < bound.sum() < 48
    assert rent[bound, 1].max() > 1.0
    assert rent[~bound, 1] == pytest.approx(np.zeros((~bound).sum()), abs=1e-7)
    assert rent[:, [0, 2]] == pytest.approx(np.zeros((48, 2)), abs=1e-7)
