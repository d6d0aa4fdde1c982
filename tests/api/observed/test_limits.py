"""What was done was possible: limits that it passed are raised for every policy, and told."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from observed import NOON, held_company, places_of

from tokenergy.api.observed.company import open_observed
from tokenergy.api.observed.limits import begun_awake
from tokenergy.api.observed.world import observed_world, placed
from tokenergy.simulate.as_observed import AsObserved
from tokenergy.simulate.replay import replay

PARIS = "fleet: paris-h100, model: small"


def of(held, paris, oslo, count=24):
    mtok = {"paris-1": np.full(count, paris), "oslo-1": np.full(count, oslo)}
    return observed_world(held.past, places_of(held, held.past.world), mtok)


def codes(seen):
    return [finding.code for finding in seen.findings]


def ran(seen):
    done = AsObserved(seen.world, serve_mtok=seen.serve_mtok, awake=seen.awake)
    return replay(seen.world, done, initial=begun_awake(seen.world, seen.awake))


def test_a_replica_is_as_fast_as_it_was_seen(tmp_path):
    held = held_company(tmp_path, past_count=24)
    rate = held.past.world.routes[0].rate_mtok_per_h
    seen = of(held, 2 * rate, 0.1)
    assert codes(seen) == ["FASTER_THAN_MODELLED"]
    assert seen.findings[0].value == "2.00"
    assert seen.world.routes[0].rate_mtok_per_h == pytest.approx(2 * rate)
    assert ran(seen).awake[0] == pytest.approx(1.0)


def test_gpus_in_repair_that_work_are_no_fault(tmp_path):
    """4 replicas on 4 GPUs of which 90 % are said to be at work: 3.6, and all 4 were."""
    change = ("gpu_count: 4,", "gpu_count: 4, available_share: 0.9,")
    held = held_company(tmp_path, past_count=24, change=change)
    path = held.path
    text = path.read_text()
    path.write_text(text.replace(PARIS, f"{PARIS}, replicas_count: 4"))
    held = open_observed(path, at=NOON, past_count=24)
    rate = held.past.world.routes[0].rate_mtok_per_h
    seen = of(held, 4 * rate, 0.1)
    assert codes(seen) == []
    assert seen.world.fleets[0].gpus_count == 4.0
    assert ran(seen).awake[0] == pytest.approx(4.0)


def test_engines_beyond_the_fleet_are_a_finding_and_no_fault_of_ours(tmp_path):
    """The command line may name more engines than the fleet has GPUs: 5 on 4."""
    held = held_company(tmp_path, past_count=24)
    (paris, _) = held.observe.engines
    more = [paris.model_copy(update={"name": f"p{at}"}) for at in range(5)]
    places, _ = placed(held.past.world, more)
    seen = observed_world(held.past, places, {f"p{at}": np.full(24, 0.1) for at in range(5)})
    assert codes(seen) == ["ENGINES_LARGER_THAN_FLEET"]
    assert (seen.findings[0].value, seen.findings[0].limit) == ("5", "4")
    assert ran(seen).awake[0] == pytest.approx(5.0)


def test_a_connection_is_as_wide_as_what_it_carried(tmp_path):
    """20 replicas of some 700 W and 150 W of host draw 17 kW and more through 10."""
    held = held_company(tmp_path, past_count=24, change=("gpu_count: 4,", "gpu_count: 40,"))
    text = held.path.read_text().replace("import_limit_mw: 0.05", "import_limit_mw: 0.01")
    held.path.write_text(text.replace(PARIS, f"{PARIS}, replicas_count: 20"))
    held = open_observed(held.path, at=NOON, past_count=24)
    seen = of(held, 20 * held.past.world.routes[0].rate_mtok_per_h, 0.1)
    assert codes(seen) == ["OBSERVED_ABOVE_LIMIT"]
    run = ran(seen)
    assert (run.import_mwh[0] > 0.017).all()
    assert run.refused_mtok.sum() == pytest.approx(0.0, abs=1e-9)


def test_a_promise_is_no_higher_than_what_was_answered(tmp_path):
    held = held_company(
        tmp_path, past_count=24, change=("must_serve: true", "quality_floor_share: 0.9")
    )
    text = held.path.read_text().replace("quality_share: 1}", "quality_share: 0.8}")
    lower = "{name: big, catalogue: llama-3.1-70b, gpus_per_replica: 4, quality_share: 1}"
    text = text.replace("quality_share: 0.8}]", f"quality_share: 0.8}}, {lower}]")
    held.path.write_text(text.replace("ladder: [small]", "ladder: [big, small]"))
    held = open_observed(held.path, at=NOON, past_count=24)
    seen = of(held, 0.3, 0.1)
    assert codes(seen) == ["QUALITY_BELOW_FLOOR"]
    assert seen.world.floor_share[0] == pytest.approx(0.8)
    assert ran(seen).refused_mtok.sum() == pytest.approx(0.0, abs=1e-9)


@settings(max_examples=12, deadline=None)
@given(
    paris=st.lists(st.floats(0, 200), min_size=24, max_size=24),
    oslo=st.lists(st.floats(0, 200), min_size=24, max_size=24),
)
def test_whatever_was_observed_can_be_replayed(past, paris, oslo):
    """No load of the engines breaks a limit: all of it is served, where it was served."""
    held = past
    mtok = {"paris-1": np.array(paris), "oslo-1": np.array(oslo)}
    seen = observed_world(held.past, places_of(held, held.past.world), mtok)
    run = ran(seen)
    assert run.serve_mtok[0] == pytest.approx(paris, abs=1e-6)
    assert run.serve_mtok[1] == pytest.approx(oslo, abs=1e-6)
    assert run.refused_mtok.max() <= 1e-6


@pytest.fixture(scope="module")
def past(tmp_path_factory):
    return held_company(tmp_path_factory.mktemp("past"), past_count=24)
