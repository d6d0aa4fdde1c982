"""T12, the meter: joules of requests against their device's counter, and against the truth.

Economics sheet, section 9. An identity: windows are divided in whole microjoules, so that their
sum is the counter's, whatever the requests were. What a request really took no counter tells; so a
device is simulated of which it is known, its counter and its journal are shown to the gateway's own
code, and the error of each request is reported. It is no evidence about any hardware.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from tokenergy.metering.request_life import RequestLife
from tokenergy.metering.shared_window import MeteredPlace, MeteredWindow, metered_records
from tokenergy.thesis.inputs import ThesisInputs
from tokenergy.thesis.meter_world import BEGIN_S, Asked, Device, Lived, drawn_requests, lived
from tokenergy.thesis.result import Result, Told, hash_of, verdict_of
from tokenergy.thesis.thresholds import (
    METER_CONSERVED_MOST_SHARE,
    METER_TRUTH_MOST_SHARE,
    METER_WINDOWS_S,
)
from tokenergy.units import MICROJOULES_PER_J

BUSY_S: Final = 240.0
QUIET_S: Final = 60.0
REQUESTS_PER_S: Final = 5.0
CURVE_BATCH_COUNT: Final = 16.0
CURVE_CONTEXT_TOKENS: Final = 450.0
"""Where the gateway's idea of a token's joules is from: not where the device then works."""
LONG_INPUT_TOKENS: Final = 1_000
SHOWN_WINDOW_S: Final = 5.0
BY_TOKENS_RATIO: Final = 1.0
"""Every token weighs the same: how others divide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Divided:
    """What came of one way of dividing.

    Attributes:
        off_counter_microjoules: sum of requests and waiting less the counter's difference.
        off_truth_share: of all joules.
        idle_off_share: joules of waiting off the true ones, over all joules.
        low_ratio, mid_ratio, high_ratio: joules told over true ones of a request: 5th, 50th and
            95th percentile.
        long_ratio: the median of requests with long prompts.
    """

    off_counter_microjoules: int
    off_truth_share: float
    idle_off_share: float
    low_ratio: float
    mid_ratio: float
    high_ratio: float
    long_ratio: float

    def to_dict(self) -> dict[str, Any]:
        """Return it as a JSON-ready mapping."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def divided(device: Device, asked: Sequence[Asked], world: Lived, *, window_s: float) -> Divided:
    """Divide a device's windows among its requests as the gateway does, and hold them to the truth.

    Args:
        device: whose counter is read.
        asked: what was asked of it.
        world: what it did.
        window_s: length of a window.
    """
    place = MeteredPlace(site="", model="m", accelerator="", idle_w=device.idle_w)
    ends_s = float(world.times_s[-1]) + device.counter_s
    edges_s = [number * window_s for number in range(int(ends_s / window_s) + 2)]
    counts = [world.counted_microjoules(at_s, counter_s=device.counter_s) for at_s in edges_s]
    of_request: dict[str, int] = {}
    idle = 0
    for number, lives in enumerate(_by_window(world.lives, edges_s)):
        window = MeteredWindow(
            number=number + 1, meter="counter", start_s=BEGIN_S + edges_s[number],
            end_s=BEGIN_S + edges_s[number + 1],
            microjoules=counts[number + 1] - counts[number], tier="measured", boundary="gpu",
        )  # fmt: skip
        for record in metered_records(window, lives, place):
            microjoules = record.microjoules or 0
            if record.request_id:
                held = of_request.get(record.request_id, 0)
                of_request[record.request_id] = held + microjoules
            else:
                idle += microjoules
    ratios = np.array(
        [
            of_request.get(life.request_id, 0) / MICROJOULES_PER_J / true_j
            for life, true_j in zip(world.lives, world.true_j, strict=True)
        ]
    )
    long_ones = np.array([one.input_tokens >= LONG_INPUT_TOKENS for one in asked])
    told = sum(of_request.values()) + idle
    low, mid, high = (float(each) for each in np.percentile(ratios, (5, 50, 95)))
    return Divided(
        off_counter_microjoules=told - (counts[-1] - counts[0]),
        off_truth_share=told / MICROJOULES_PER_J / world.total_j - 1.0,
        idle_off_share=(idle / MICROJOULES_PER_J - world.idle_j) / world.total_j,
        low_ratio=low,
        mid_ratio=mid,
        high_ratio=high,
        long_ratio=float(np.median(ratios[long_ones])),
    )


def _by_window(lives: Sequence[RequestLife], edges_s: Sequence[float]) -> list[list[RequestLife]]:
    """Return the requests that ran in each window."""
    found: list[list[RequestLife]] = [[] for _ in edges_s[1:]]
    for life in lives:
        begun = max(0, bisect_left(edges_s, life.opened_s - BEGIN_S) - 1)
        closed_s = (life.closed_s or life.opened_s) - BEGIN_S
        for at in range(begun, min(len(found), bisect_left(edges_s, closed_s))):
            found[at].append(life)
    return found


def run(inputs: ThesisInputs, told: Told | None = None) -> Result:
    """Hold joules of requests to their counter and to the truth, at windows of several lengths."""
    device = Device()
    generator = np.random.default_rng([inputs.seed, 12])
    asked = drawn_requests(generator, busy_s=BUSY_S, quiet_s=QUIET_S, per_s=REQUESTS_PER_S)
    curve_j = device.average_j_per_token(CURVE_BATCH_COUNT, CURVE_CONTEXT_TOKENS)
    kappa_ratio = device.prefill_j_per_token / curve_j
    world = lived(device, asked, kappa_ratio=kappa_ratio)
    found: dict[float, Divided] = {}
    for number, window_s in enumerate(METER_WINDOWS_S):
        if told is not None:
            told(number, len(METER_WINDOWS_S) + 3)
        found[window_s] = divided(device, asked, world, window_s=window_s)
    others = {
        name: divided(device, asked, world.believed(kappa_ratio=ratio), window_s=SHOWN_WINDOW_S)
        for name, ratio in (
            ("prefill_halved", kappa_ratio / 2.0),
            ("prefill_doubled", kappa_ratio * 2.0),
            ("by_tokens", BY_TOKENS_RATIO),
        )
    }
    off_share = max(abs(each.off_truth_share) for each in found.values())
    off_counter = max(abs(each.off_counter_microjoules) for each in found.values())
    conserved_share = off_counter / (world.total_j * MICROJOULES_PER_J)
    holds = conserved_share <= METER_CONSERVED_MOST_SHARE and off_share <= METER_TRUTH_MOST_SHARE
    return Result(
        id="T12",
        claim="the meter of joules per request is right",
        label="identity",
        number=off_share,
        unit="share of the true joules",
        threshold=(
            f"sum of requests and waiting = counter to {METER_CONSERVED_MOST_SHARE:g}, and "
            f"<= {METER_TRUTH_MOST_SHARE:.1%} off a synthetic truth"
        ),
        verdict=verdict_of(holds),
        says=_says(found, others, off_counter=off_counter, off_share=off_share),
        inputs_hash=hash_of({"device": device.to_dict(), "seed": inputs.seed}),
        figures={
            "requests_count": len(asked),
            "mean_batch_count": world.mean_batch_count,
            "kappa_ratio": kappa_ratio,
            "total_j": world.total_j,
            "idle_j": world.idle_j,
            "off_counter_microjoules": off_counter,
            "windows": {f"{at:g} s": each.to_dict() for at, each in found.items()},
            **{name: each.to_dict() for name, each in others.items()},
            "device": device.to_dict(),
        },
    )


def _says(
    found: Mapping[float, Divided],
    others: Mapping[str, Divided],
    *,
    off_counter: int,
    off_share: float,
) -> str:
    shown = found[SHOWN_WINDOW_S]
    spans = ", ".join(
        f"{at:g} s {each.low_ratio:.2f} to {each.high_ratio:.2f}" for at, each in found.items()
    )
    halved, doubled = others["prefill_halved"], others["prefill_doubled"]
    return (
        "True by construction, not evidence about hardware: requests and waiting add up to the "
        f"counter to {off_counter} uJ, and to {off_share:.3%} of what a simulated device took. A "
        f"single request's joules over its true ones, 5th to 95th percentile, by window: {spans} "
        f"(median {shown.mid_ratio:.2f}). Requests with prompts of {LONG_INPUT_TOKENS:,} tokens "
        f"and more are told {shown.long_ratio:.2f} of theirs; {halved.long_ratio:.2f} and "
        f"{doubled.long_ratio:.2f} where the model's joules of prefill are half and twice as "
        f"large, and {others['by_tokens'].long_ratio:.2f} where every token weighs the same."
    )
