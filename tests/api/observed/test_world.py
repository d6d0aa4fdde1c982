"""A company with the demand and the replicas that its engines told."""

from datetime import timedelta

import numpy as np
import pytest
from observed import NOON, held_company, places_of

from tokenergy.api.observed.world import board_mw, cut, host_mw, observed_world


def of(held, mtok, **more):
    opened = held.past
    return observed_world(opened, places_of(held, opened.world), mtok, **more)


def flat(paris, oslo, count=48):
    return {"paris-1": np.full(count, paris), "oslo-1": np.full(count, oslo)}


def test_demand_is_what_the_engines_made(tmp_path):
    """0.3 and 0.1 Mtok an hour are 0.4 asked for in each, and one replica is awake at each."""
    held = held_company(tmp_path)
    seen = of(held, flat(0.3, 0.1))
    world = seen.world
    assert np.allclose(world.arrivals_mtok[0, world.first : world.last], 0.4)
    assert seen.serve_mtok.sum(axis=1) == pytest.approx([48 * 0.3, 48 * 0.1])
    assert np.allclose(seen.awake, 1.0)
    assert seen.findings == ()
    assert world.moment(world.last) == NOON.replace(minute=0)


def test_history_before_the_horizon_is_the_mean_of_what_was_seen(tmp_path):
    mtok = {"paris-1": np.arange(48.0) / 100}
    world = of(held_company(tmp_path), mtok).world
    assert np.allclose(world.arrivals_mtok[0, : world.first], np.arange(48.0).mean() / 100)


def test_silence_is_told(tmp_path):
    seen = of(held_company(tmp_path), flat(0.0, 0.0))
    assert [finding.code for finding in seen.findings] == ["WORKLOAD_UNSEEN"]
    assert np.allclose(seen.awake, 1.0)


def test_a_metered_replica_draws_more_on_its_boards_alone(tmp_path):
    """Twice the joules of the model: boards and tokens twice, the host's 150 W once."""
    held = held_company(tmp_path)
    plain, metered = of(held, flat(0.3, 0.1)), of(held, flat(0.3, 0.1), energy_ratio={"paris-1": 2})
    before, after = plain.world.deployments[0], metered.world.deployments[0]
    assert host_mw(plain.world, before) == pytest.approx(150e-6)
    assert after.base_mw == pytest.approx(150e-6 + 2 * board_mw(plain.world, before))
    assert after.wake_mwh / before.wake_mwh == pytest.approx(after.base_mw / before.base_mw)
    was, now = plain.world.routes[0], metered.world.routes[0]
    assert now.marginal_mwh_per_mtok == pytest.approx(2 * was.marginal_mwh_per_mtok)
    assert (now.energy_tier, now.energy_low_share) == ("calibrated", 0.66)
    assert metered.world.deployments[1] == plain.world.deployments[1]


def test_a_part_of_a_horizon_keeps_what_was_before_as_history(tmp_path):
    past = held_company(tmp_path).past
    part = cut(past, first=10, count=5)
    assert part.company.horizon.start == past.company.horizon.start + timedelta(hours=10)
    assert (part.world.count, part.world.first) == (5, past.world.first + 10)
