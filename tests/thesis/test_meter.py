"""T12: the device is right by hand, the sums hold, and the error of a request is told."""

from dataclasses import replace

import numpy as np
import pytest

from tokenergy.thesis.inputs import ThesisInputs
from tokenergy.thesis.meter import divided, run
from tokenergy.thesis.meter_world import Asked, Device, Lived, drawn_requests, lived

DEVICE = Device(context_j=0.0, step_s=0.01, token_s=0.0, step_j=3.0, token_j=0.5)


def asked(at_s: float, read: int, written: int, *, streams: bool = True) -> Asked:
    return Asked(at_s=at_s, input_tokens=read, output_tokens=written, streams=streams)


@pytest.fixture(scope="module")
def world() -> Lived:
    return lived(
        DEVICE, drawn_requests(np.random.default_rng(4), busy_s=30.0, quiet_s=20.0, per_s=4.0),
        kappa_ratio=0.02,
    )  # fmt: skip


def test_one_request_by_hand() -> None:
    """1 s idle at 70 W; 100 tokens read at 16 mJ, in 1.6 / 650 s; 10 steps of 3.5 J and 10 ms."""
    one = lived(DEVICE, (asked(1.0, 100, 10),), kappa_ratio=0.1)
    assert one.idle_j == pytest.approx(70.0)
    assert one.true_j[0] == pytest.approx(1.6 + 35.0)
    assert one.total_j == pytest.approx(106.6)
    assert one.times_s[-1] == pytest.approx(1.0 + 1.6 / 650.0 + 0.1)
    assert one.mean_batch_count == 1.0


def test_two_share_their_steps_in_equal_parts() -> None:
    """Both prompts, then 10 steps of 4 J of both and 10 of 3.5 J of the longer one."""
    two = lived(DEVICE, (asked(0.0, 0, 10), asked(0.0, 0, 20)), kappa_ratio=0.1)
    assert two.true_j == pytest.approx((20.0, 20.0 + 35.0))


def test_context_is_paid_by_whoever_has_it() -> None:
    """1 mJ a token of context: 100, 101 and 102 are read."""
    device = replace(DEVICE, context_j=0.001)
    one = lived(device, (asked(0.0, 100, 3),), kappa_ratio=0.1)
    assert one.true_j[0] == pytest.approx(1.6 + 3 * 3.5 + 0.303)


def test_the_truth_adds_up(world: Lived) -> None:
    assert sum(world.true_j) + world.idle_j == pytest.approx(world.total_j)


def test_the_counter_moves_in_steps_and_never_back(world: Lived) -> None:
    moments = np.linspace(0.0, float(world.times_s[-1]) + 1.0, 500)
    counts = [world.counted_microjoules(at_s, counter_s=0.1) for at_s in moments]
    assert counts == sorted(counts)
    assert all(each % 1_000 == 0 for each in counts)
    assert counts[-1] == pytest.approx(world.total_j * 1e6, abs=1_000)
    assert world.counted_microjoules(5.05, counter_s=0.1) == world.counted_microjoules(
        5.099, counter_s=0.1
    )


@pytest.mark.parametrize("window_s", [1.0, 7.0])
def test_dividing_loses_nothing(world: Lived, window_s: float) -> None:
    requests = drawn_requests(np.random.default_rng(4), busy_s=30.0, quiet_s=20.0, per_s=4.0)
    found = divided(DEVICE, requests, world, window_s=window_s)
    assert found.off_counter_microjoules == 0
    assert abs(found.off_truth_share) < 1e-6
    assert 0.5 < found.low_ratio < found.mid_ratio < found.high_ratio < 2.0


def test_the_result() -> None:
    inputs = ThesisInputs(catalogue=None, presets=(), ranges={}, prices=None)  # type: ignore[arg-type]
    result = run(inputs)
    assert (result.id, result.label, result.verdict) == ("T12", "identity", "PASS")
    assert result.figures["off_counter_microjoules"] == 0
    windows = result.figures["windows"]
    assert list(windows) == ["1 s", "5 s", "10 s"]
    spans = [each["high_ratio"] - each["low_ratio"] for each in windows.values()]
    assert spans == sorted(spans), "shorter windows tell requests apart better"
    long_ones = [result.figures[name]["long_ratio"] for name in ("prefill_halved", "by_tokens")]
    assert long_ones[0] < windows["5 s"]["long_ratio"] < long_ones[1]
