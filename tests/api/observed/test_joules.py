"""The joules of a window at the facility: metered or modelled, in four parts."""

from dataclasses import replace
from datetime import timedelta

import pytest
from observed import NOON, held_company, places_of, watched_of, window_of

from tokenergy.api.observed.joules import engine_joules, mtok_per_interval
from tokenergy.metering.reading import Reading


@pytest.fixture(scope="module")
def held(tmp_path_factory):
    return held_company(tmp_path_factory.mktemp("little"), past_count=24)


def reading(energy_j, *, tier="measured", boundary="gpu", span_s=60.0):
    end = NOON + timedelta(seconds=span_s)
    return Reading(start=NOON, end=end, energy_j=energy_j, tier=tier, boundary=boundary)


def told(held, done, read=None, *, pue=1.2, place=None):
    world = held.structure.world
    stands = place or places_of(held, world)[0]
    return engine_joules(world, stands, watched_of(stands, done, read), pue=pue)


def test_four_parts_by_hand(held):
    """24,000 J metered, 150 W of host, half of the minute asleep at 71.8 W, PUE 1.2.

    Idle 71.8 x 30 = 2,154 J; gpu 24,000 - 2,154 = 21,846; host 150 x 60 = 9,000; overhead
    0.2 x 33,000 = 6,600; 39,600 in all, 5 % on either side.
    """
    seen = told(held, window_of(18_000, running_count=0.5), reading(24_000.0)).seen
    parts = (seen.idle_j, seen.gpu_j, seen.host_j, seen.overhead_j)
    assert parts == pytest.approx((2_154.0, 21_846.0, 9_000.0, 6_600.0))
    assert seen.total_j == pytest.approx(39_600.0) == pytest.approx(sum(parts))
    assert (seen.low_j, seen.high_j) == pytest.approx((37_620.0, 41_580.0))
    assert seen.tier == "measured"


def test_the_model_is_corrected_by_boards_alone(held):
    """Metered boards over the line's boards: the host's watts are in neither."""
    world = held.structure.world
    base_w = world.deployments[0].base_mw * 1e6 - 150.0
    line_j = base_w * 60.0 + world.routes[0].marginal_mwh_per_mtok * 0.018 * 3.6e9
    found = told(held, window_of(18_000), reading(24_000.0))
    assert found.modelled_gpu_j == pytest.approx(line_j)
    assert found.energy_ratio == pytest.approx(24_000.0 / line_j)
    assert told(held, window_of(18_000), reading(24_000.0, boundary="it")).energy_ratio is None
    assert told(held, window_of(18_000), reading(24_000.0, tier="modelled")).energy_ratio is None
    assert told(held, window_of(18_000), reading(0.0)).energy_ratio is None


def test_a_rack_has_its_host_in_it(held):
    seen = told(held, window_of(18_000), reading(33_000.0, boundary="it")).seen
    assert seen.host_j is None
    assert seen.total_j == pytest.approx(1.2 * 33_000.0)


def test_without_a_meter_the_line_stands_in_with_its_band(held):
    seen = told(held, window_of(18_000), reading(None)).seen
    route = held.structure.world.routes[0]
    assert seen.tier == "modelled" and "no meter" in seen.reason
    assert seen.low_j == pytest.approx(seen.total_j * route.energy_low_share)
    assert seen.high_j == pytest.approx(seen.total_j * route.energy_high_share)


def test_stated_watts_are_known_to_a_factor_of_two(held):
    """CPU seconds times watts are no measurement, however exact the seconds are."""
    seen = told(held, window_of(18_000), reading(240.0, tier="modelled")).seen
    assert seen.tier == "modelled"
    assert (seen.low_j, seen.high_j) == pytest.approx((seen.total_j * 0.5, seen.total_j * 2.0))


def test_a_clock_that_was_set_makes_no_host(held):
    """Ours went on by an hour within the minute: 150 W for 60 s, not for 3,660."""
    done = window_of(18_000)
    odd = replace(done, end=done.end + timedelta(hours=1))
    assert told(held, odd).seen.host_j == pytest.approx(9_000.0)


@pytest.mark.parametrize("done", [None, window_of(5, span_s=0.0), window_of(None)])
def test_what_nobody_knows_is_none(held, done):
    found = told(held, done)
    assert found.seen.total_j is None and found.seen.tier == "unknown"
    assert found.seen.reason
    place = places_of(held, held.now.world)[0]
    assert mtok_per_interval(held.now.world, watched_of(place, done)) is None


def test_a_meter_counts_where_tokens_are_unknown(held):
    assert told(held, window_of(None), reading(24_000.0)).seen.total_j == pytest.approx(39_600.0)


def test_a_rate_is_told_for_an_interval(tmp_path):
    """18,000 in a minute are 0.27 Mtok in a quarter of an hour."""
    held = held_company(tmp_path, change=("days: 2}", "days: 2, step_h: 0.25}"), past_count=96)
    place = places_of(held, held.now.world)[0]
    rate = mtok_per_interval(held.now.world, watched_of(place, window_of(18_000)))
    assert rate == pytest.approx(0.27)
